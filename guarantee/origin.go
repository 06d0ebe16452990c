package guarantee

import (
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The fields by which an answer says what it is.
const (
	versionField = "X-Version"
	shadeField   = "X-Shade" // of what differs by the request's fields: for which one it was made
	fillField    = "X-Fill"  // number of the origin's answer, and the instant at which it was sent
)

// origin is where the truth is. It reads the version when a request comes, and then may take its time:
// so there are always answers on their way that are older than what is already demanded.
type origin struct {
	*history
	targets map[string]*Object
	reused  atomic.Int64 // answers 304
	hold    func(context.Context, *Object, uint64)

	mu  sync.Mutex
	rnd *rand.Rand // guarded by mu
}

func newOrigin(h *history, seed uint64) *origin {
	o := &origin{history: h, targets: map[string]*Object{}, rnd: rand.New(rand.NewPCG(seed, 1))}
	for _, x := range h.objects {
		o.targets[x.Target()] = x
	}
	return o
}

// chance is 1 in n.
func (o *origin) chance(n int) bool { return o.below(n) == 0 }

func (o *origin) below(n int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rnd.IntN(n)
}

// pause waits: mostly not at all, sometimes for much longer than an invalidation takes.
func (o *origin) pause(r *http.Request) {
	var d time.Duration
	switch n := o.below(100); {
	case n < 70:
		return
	case n < 90:
		d = time.Duration(o.below(15000)) * time.Microsecond
	default:
		d = time.Duration(o.below(120)) * time.Millisecond
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := o.targets[unspelled(r.URL.RequestURI())]
	if x == nil {
		x = o.targets[r.URL.Path] // a cache whose key has no query may still send one
	}
	if x == nil {
		http.Error(w, "not one of the objects of this run", http.StatusTeapot)
		return
	}
	a := &reply{origin: o, Object: x, w: w, r: r}
	a.Fill.Number, a.Asked, a.Version = o.fills.Add(1), o.now(), x.version.Load()
	if r.Method == "POST" {
		a.Version = o.write(x)
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Range"} {
		if v := r.Header.Get(name); v != "" {
			a.Condition = strings.TrimPrefix(a.Condition+", "+name+": "+v, ", ")
		}
	}
	whole := false
	if r.Method == "GET" && r.Header.Get("Range") == "" {
		ended := x.log.asked(askersOf(r.Header), o.now)
		defer func() { ended(whole) }() // also when it breaks off
	}
	switch {
	case o.hold != nil:
		o.hold(r.Context(), x, a.Version)
	case r.Method != "POST" && x.race.hold(r.Context()):
	default:
		o.pause(r)
	}
	a.send()
	whole = r.Context().Err() == nil
}

// reply is one answer of the origin.
type reply struct {
	*origin
	*Object
	Fill
	w http.ResponseWriter
	r *http.Request
}

var control = [kinds]string{
	Small: "max-age=3600", Slow: "max-age=3600", Revalidated: "max-age=1", Background: "max-age=1, stale-while-revalidate=30",
	Ranged: "max-age=3600", Dated: "max-age=1", Variant: "max-age=3600, must-revalidate", Failing: "max-age=3600", Encoded: "max-age=3600, must-revalidate",
	Compressed: "max-age=3600", Written: "max-age=3600", Tongued: "max-age=3600, proxy-revalidate", Shaded: "max-age=3600", Large: "max-age=1", Rebuilt: "max-age=3600",
}

// longAgo is the date of all dated objects. Builds that are reproducible give all files one date; a
// date is then no evidence of what is in a file, and after an invalidation must not be taken for any. In the
// same way a rebuilt object's ETag is none, strong as it looks: there are builds that name a release so.
const longAgo = "Tue, 01 Jan 1980 00:00:00 GMT"

func (a *reply) send() {
	h := a.w.Header()
	h.Set("Cache-Control", control[a.Kind])
	h.Set("Content-Type", a.contentType(a.Version))
	h.Set("Cache-Tag", strings.Join(a.Tags, ","))
	if tag := a.edition(a.Version); tag != "" {
		h.Set("Cache-Tag", tag+","+h.Get("Cache-Tag"))
	}
	h.Set(versionField, strconv.FormatUint(a.Version, 10))
	if a.differs() {
		h.Set(shadeField, a.shadeOf(a.r))
	}
	if a.timed() {
		h.Set("Last-Modified", a.date(a.Version))
	}
	if a.validated() {
		h.Set("ETag", a.etag(a.Version))
	} else if a.Kind == Rebuilt {
		h.Set("ETag", a.etag(1))
	}
	status := a.status(a.Version)
	switch {
	case a.r.Method == "POST":
		h.Set("Cache-Control", "no-store")
		a.head(http.StatusNoContent)
		a.w.WriteHeader(http.StatusNoContent)
		return
	case a.Kind == Dated:
		h.Set("Last-Modified", longAgo)
		if a.r.Header.Get("If-Modified-Since") != "" {
			h.Del(versionField) // the 304 does not know what it confirms
			status = http.StatusNotModified
		}
	case a.Kind == Encoded:
		h.Set("Vary", "Accept-Encoding")
	case a.confirmed():
		status = http.StatusNotModified
	}
	a.head(status)
	if status == http.StatusNotModified {
		a.w.WriteHeader(status)
		return
	}
	a.content(status)
}

// confirmed tells whether the request's condition holds.
func (a *reply) confirmed() bool {
	if !a.validated() {
		return false
	}
	for _, tag := range strings.Split(a.r.Header.Get("If-None-Match"), ",") {
		if v, ok := a.versionOf(tag); ok && v == a.Version {
			return true
		}
	}
	return false
}

// head enters the answer into the history. The instant that it carries is before its first octet.
func (a *reply) head(status int) {
	a.Status, a.Sent = status, a.now()
	a.w.Header().Set(fillField, fmt.Sprintf("%d %d", a.Fill.Number, a.Sent))
	if status == http.StatusNotModified {
		a.reused.Add(1)
	}
	a.By = viasOf(a.r.Header)
	f := a.Fill
	a.Object.log.sent(&f)
}

// content sends the body, whole or the part that is asked for.
func (a *reply) content(status int) {
	h := a.w.Header()
	if a.large() || a.Kind == Ranged && a.r.Header.Get("Range") != "" {
		// Only these kinds know ranges; the others may answer with the whole.
		http.ServeContent(&hesitant{reply: a}, a.r, "", time.Time{}, a.reader(a.Version))
		return
	}
	b := a.body(a.Version)
	switch {
	case a.Kind == Encoded && strings.Contains(a.r.Header.Get("Accept-Encoding"), "gzip"):
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", strings.TrimSuffix(a.etag(a.Version), `"`)+`-gzip"`)
		a.w.WriteHeader(status)
		z := gzip.NewWriter(a.w)
		z.Write(b)
		z.Close()
		return
	}
	if a.Version%2 == 0 || a.Kind == Compressed { // otherwise in chunks; what has no length is not compressed
		h.Set("Content-Length", strconv.Itoa(len(b)))
	}
	a.w.WriteHeader(status)
	if a.Kind != Slow && a.Kind != Compressed {
		a.w.Write(b)
		return
	}
	piece := len(b)/4 + 1
	for at := 0; at < len(b); at += piece {
		a.w.Write(b[at:min(len(b), at+piece)])
		http.NewResponseController(a.w).Flush()
		a.pause(a.r)
		if a.chance(150) {
			panic(http.ErrAbortHandler)
		}
	}
}

// hesitant takes its time now and then between two pieces of a large body, and sometimes breaks off.
type hesitant struct {
	*reply
	sent int
}

func (h *hesitant) Header() http.Header    { return h.w.Header() }
func (h *hesitant) WriteHeader(status int) { h.w.WriteHeader(status) }

func (h *hesitant) Write(p []byte) (int, error) {
	if h.sent += len(p); h.sent > 256<<10 {
		h.sent = 0
		h.pause(h.r)
		if h.chance(200) {
			panic(http.ErrAbortHandler)
		}
	}
	return h.w.Write(p)
}
