package ownapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Where an edge on another machine says that it is, nothing is asked: it may be an address of that machine alone, which is here
// somebody else's, or one that this machine should not be made to ask.
func TestVerify_AsksNoAddressThatAnEdgeHasSaid(t *testing.T) {
	h, id := inTheOpen(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Cache", "Hit from cloudfront") })
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer elsewhere.Close()
	h.cfg.Fleet = &Fleet{Connected: func() []Place { return []Place{{Name: "IAD89-1", Location: "IAD89", URL: elsewhere.URL}} }}
	got := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", `{"path":"/a"}`)
	if len(got.Edges) != 2 || got.Edges[0].XCache == "" || got.Edges[1].Edge != "IAD89-1" || !strings.Contains(got.Edges[1].Error, "another machine") {
		t.Errorf("%+v", got.Edges)
	}
}
