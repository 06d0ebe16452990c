package edge

import (
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/websocket"
)

// maxHops is how many CDN hops of CloudFront's kind a request may have behind it; with more it is
// most likely going round in a circle.
const maxHops = 2

// refuse returns the answer to a request that never comes to the cache, or nil.
func (v *visit) refuse(q *query) *answer {
	r, b := q.req, q.behavior
	if v.purges(q) {
		return nil // behaviors are about what goes on to the origin
	}
	if r.Scheme != "https" {
		switch b.ViewerProtocol {
		case distribution.RedirectToHTTPS:
			return v.redirect(r)
		case distribution.HTTPSOnly:
			return v.failure(HTTPSOnly)
		}
	}
	switch {
	case !q.allows(r.Method):
		return v.failure(MethodNotAllowed)
	case (r.Method == "GET" || r.Method == "HEAD") && v.r.ContentLength != 0:
		return v.failure(UnexpectedBody)
	case hops(r) > maxHops:
		return v.failure(TooManyHops)
	case v.wishes(r) == websocket.Malformed:
		return v.failure(UpgradeRefused)
	case r.Fields.Has("Expect") && !strings.EqualFold(r.Fields.Get("Expect"), "100-continue"):
		return v.failure(ExpectationFailed) // the engine knows 100-continue
	}
	return nil
}

// allows tells whether the behavior takes the method. One that takes all of CloudFront's seven takes any
// with RFC semantics, but for the two that speak to whoever is on the way.
func (q *query) allows(method string) bool {
	if q.site.RFC && q.behavior.Allowed == everyMethod {
		return method != "TRACE" && method != "CONNECT"
	}
	return q.behavior.Allowed.Has(method)
}

var everyMethod = distribution.Methods("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")

func hops(r *message.Request) (n int) {
	for i := range r.Fields {
		if len(r.Fields[i].Name) == 3 && strings.EqualFold(r.Fields[i].Name, "Via") {
			n += strings.Count(r.Fields[i].Value, "(CloudFront)")
		}
	}
	return n
}

// redirect sends the viewer to the same URL by https. What may have a body keeps its method (307), but
// HTTP/1.0 knows no 307.
func (v *visit) redirect(r *message.Request) *answer {
	status := 301
	if r.Method != "GET" && r.Method != "HEAD" && (r.Major > 1 || r.Minor > 0) {
		status = 307
	}
	host := r.Host
	if port := v.e.cfg.HTTPSPort; port != 0 && port != 443 {
		host += ":" + strconv.Itoa(port)
	}
	body := redirectBody(status)
	a := &v.answers[0]
	*a = answer{
		status: status, outcome: Redirect, reason: ToHTTPS, plain: true, body: body, length: int64(len(body)),
		fields: message.Fields{
			{Name: "Server", Value: "CloudFront"}, {Name: "Date", Value: httpDate(v.now)},
			{Name: "Content-Type", Value: "text/html"},
			{Name: "Location", Value: "https://" + host + r.URI()},
		},
	}
	return a
}

func redirectBody(status int) []byte {
	text := "301 Moved Permanently"
	if status == 307 {
		text = "307 Temporary Redirect"
	}
	return []byte("<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text +
		"</h1></center>\r\n<hr><center>CloudFront</center>\r\n</body>\r\n</html>\r\n")
}
