package ownapi

import (
	"context"
	"net/http"

	"github.com/warmfront/warmfront/auth"
)

// Prefix begins every path of this API.
const Prefix = "/warmfront/v1"

// route is one thing that can be asked.
type route struct {
	method string
	path   string // pattern of net/http.ServeMux
	name   string
	least  auth.Role // that may ask it

	do     func(ctx context.Context, c *call) (any, error) // answers JSON; a nil answer is 204
	stream func(c *call, w http.ResponseWriter) error      // or answers bit by bit; an error only before the first
	made   bool                                            // success is 201
	loose  bool                                            // it tells how things are just now: nobody holds it against what another node said
}

// sure tells whether it must be answered from all that the control nodes have accepted. What changes something is
// decided on that anyway.
func (rt *route) sure() bool {
	return !rt.loose && (rt.method == http.MethodGet || rt.least == auth.Viewer)
}

func (rt *route) status() int {
	if rt.made {
		return http.StatusCreated
	}
	return http.StatusOK
}

// routes are all there are. A test holds openapi.json against them, others call each without and with
// too small a role.
var routes = []route{
	{method: "GET", path: Prefix + "/about", name: "GetAbout", least: auth.Viewer, do: getAbout, loose: true},
	{method: "GET", path: Prefix + "/openapi.json", name: "GetOpenAPI", least: auth.Viewer, do: getOpenAPI, loose: true},
	{method: "GET", path: Prefix + "/events", name: "GetEvents", least: auth.Viewer, stream: streamEvents},
	{method: "GET", path: Prefix + "/nodes", name: "ListNodes", least: auth.Viewer, do: listNodes, loose: true},
	{method: "GET", path: Prefix + "/distributions/{id}/invalidations", name: "ListInvalidations", least: auth.Viewer, do: listInvalidations},
	{method: "POST", path: Prefix + "/distributions/{id}/invalidations", name: "CreateInvalidation", least: auth.Invalidator, do: postInvalidation, made: true},
	{method: "POST", path: Prefix + "/distributions/{id}/invalidations/{invalidation}/withdraw", name: "WithdrawInvalidation", least: auth.Invalidator, do: postWithdraw},
	{method: "GET", path: Prefix + "/history", name: "SearchHistory", least: auth.Viewer, do: searchHistory},
	{method: "GET", path: Prefix + "/distributions/{id}/invalidations/{invalidation}/receipt", name: "GetReceipt", least: auth.Viewer, do: getReceipt},
	{method: "POST", path: Prefix + "/distributions/{id}/preview", name: "PreviewInvalidation", least: auth.Viewer, do: postPreview},
	{method: "POST", path: Prefix + "/explain", name: "Explain", least: auth.Viewer, do: postExplain},
	{method: "POST", path: Prefix + "/distributions/{id}/verify", name: "Verify", least: auth.Viewer, do: postVerify},
	{method: "GET", path: Prefix + "/distributions/{id}/metrics", name: "GetMetrics", least: auth.Viewer, do: getMetrics, loose: true},
	{method: "GET", path: Prefix + "/distributions/{id}/popular", name: "ListPopularObjects", least: auth.Viewer, do: getPopular, loose: true},
	{method: "GET", path: Prefix + "/audit", name: "ListAudit", least: auth.Viewer, do: listAudit},
	{method: "POST", path: Prefix + "/controls/tokens", name: "CreateControlToken", least: auth.Administrator, do: postControlToken, made: true},
	{method: "POST", path: Prefix + "/edges/tokens", name: "CreateEdgeToken", least: auth.Administrator, do: postEdgeToken, made: true},
	{method: "POST", path: Prefix + "/edges/{edge}/drain", name: "DrainEdge", least: auth.Administrator, do: postDrain},
	{method: "DELETE", path: Prefix + "/edges/{edge}", name: "RemoveEdge", least: auth.Administrator, do: deleteEdge},
	{method: "GET", path: Prefix + "/backup", name: "GetBackup", least: auth.Administrator, stream: streamBackup},
	{method: "POST", path: Prefix + "/journal/compact", name: "CompactJournal", least: auth.Administrator, stream: postCompact},
	{method: "GET", path: Prefix + "/places", name: "ListPlaces", least: auth.Viewer, do: listPlaces},
	{method: "PUT", path: Prefix + "/places/{place}", name: "PutPlace", least: auth.Administrator, do: putPlace},
	{method: "DELETE", path: Prefix + "/places/{place}", name: "DeletePlace", least: auth.Administrator, do: deletePlace},
	{method: "GET", path: Prefix + "/access-keys", name: "ListAccessKeys", least: auth.Administrator, do: listKeys},
	{method: "POST", path: Prefix + "/access-keys", name: "CreateAccessKey", least: auth.Administrator, do: postKey, made: true},
	{method: "DELETE", path: Prefix + "/access-keys/{id}", name: "DeleteAccessKey", least: auth.Administrator, do: deleteKey},
	{method: "GET", path: Prefix + "/users", name: "ListUsers", least: auth.Administrator, do: listUsers},
	{method: "POST", path: Prefix + "/users", name: "CreateUser", least: auth.Administrator, do: postUser, made: true},
	{method: "PUT", path: Prefix + "/users/{name}", name: "UpdateUser", least: auth.Administrator, do: putUser},
	{method: "DELETE", path: Prefix + "/users/{name}", name: "DeleteUser", least: auth.Administrator, do: deleteUser},
}
