package cloudfront

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// call is one admitted request to one operation.
type call struct {
	*http.Request
	op      *wire.Operation
	labels  map[string]string // from the path, decoded
	query   url.Values        // those that the operation knows
	body    []byte
	control *control.Control
	by      journal.Actor
}

// result is what an operation gives back.
type result struct {
	body     any    // a structure of wire, nil for none
	etag     string // "" for none
	location string // path of what was created, without the version; "" for none
}

// label returns the value of a label that the operation's path has.
func (c *call) label(name string) string {
	v, ok := c.labels[name]
	if !ok {
		panic("BUG: " + c.op.Name + " has no label " + name)
	}
	return v
}

func (c *call) ifMatch() string { return c.Header.Get("If-Match") }

// parseQuery takes the parameters that the operation knows, each once. Another one is refused: a
// filter that is silently ignored is a wrong answer.
func (c *call) parseQuery() error {
	all, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return refuse("InvalidURI", "Could not parse the specified URI: %v", err)
	}
	fixed, _, _ := strings.Cut(c.op.FixedQuery, "=")
	c.query = url.Values{}
	for name, values := range all {
		switch {
		case strings.HasPrefix(name, "X-Amz-") || fixed != "" && name == fixed:
		case !slices.Contains(c.op.Query, name):
			return refuse("InvalidArgument", "The query parameter '%.60s' is unknown to %s.", name, c.op.Name)
		case len(values) > 1:
			return refuse("InvalidArgument", "The query parameter '%.60s' is there more than once.", name)
		default:
			c.query[name] = values
		}
	}
	return nil
}

// decode reads the body into v and checks what holds for every structure.
func (c *call) decode(v any) error {
	if err := wire.Unmarshal(c.body, c.op.Request, v); err != nil {
		return err
	}
	return wire.CheckQuantities(v)
}

const maxItems = 100 // of a page, the default too

// page reads Marker and MaxItems of a list.
func (c *call) page() (marker string, max int, err error) {
	max, err = pageSize(c.query.Get("MaxItems"), c.query.Has("MaxItems"))
	return c.query.Get("Marker"), max, err
}

func pageSize(s string, given bool) (int, error) {
	if !given {
		return maxItems, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || n < 1 {
		return 0, refuse("InvalidArgument", "MaxItems must be an integer from 1 to %d, got '%.40s'.", maxItems, s)
	}
	return int(min(n, maxItems)), nil
}

// encode makes the answer of a success.
func (c *call) encode(r *result) (*answer, error) {
	a := &answer{status: c.op.Status, etag: r.etag}
	if r.location != "" {
		a.location = c.endpoint() + "/" + wire.Version + r.location
	}
	if r.body == nil {
		return a, nil
	}
	doc, err := wire.Marshal(c.op.Response, r.body)
	a.body = doc
	return a, err
}

// endpoint is this server as the client called it. CloudFront sends its own name here; sent by us it
// would lead a client, and its signed request, away to Amazon.
func (c *call) endpoint() string {
	scheme := "http"
	if c.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.Host
}

// answer is a response, ready to be written.
type answer struct {
	status   int
	etag     string
	location string
	body     []byte

	retryAfter time.Duration // 0: not said
}

// write sends head and body in one piece. Clients that met a head whose body came later have been
// seen to repeat a PUT that had succeeded, which then fails with 412.
func (a *answer) write(w http.ResponseWriter, requestID string) {
	h := w.Header()
	h["x-amzn-RequestId"] = []string{requestID} // in CloudFront's spelling
	if a.etag != "" {
		h["ETag"] = []string{a.etag}
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((a.retryAfter+time.Second-1)/time.Second))) // whole seconds, never too early
	}
	if a.status == http.StatusNoContent {
		w.WriteHeader(a.status)
		return
	}
	if len(a.body) > 0 {
		h.Set("Content-Type", "text/xml")
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may be gone; there is nobody to tell
}
