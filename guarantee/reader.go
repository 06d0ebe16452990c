package guarantee

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reader is one viewer. It belongs to one goroutine.
type reader struct {
	*run
	number int
	rnd    *rand.Rand
	buffer bytes.Buffer
}

// question is a request that a reader has made up.
type question struct {
	object *Object
	edge   int
	method string
	fields [][2]string
	off    int64    // where a range begins; -1: none was asked for
	tags   []uint64 // versions whose validators were sent
}

func (r *reader) read(ctx context.Context) {
	for ctx.Err() == nil && r.wanted() {
		q := r.question()
		a := r.ask(ctx, q)
		if ctx.Err() != nil {
			return // it was cut by the end of the run
		}
		if v := q.object.judge(a); v != nil {
			r.violated(v)
		}
		r.tally(q, a)
		if a.Status == 0 {
			// The edge may be starting again: do not fill the history with refusals.
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

// question makes up a request: a third of them for what a writer has at hand, so that many come for
// one object at once and right when it matters.
func (r *reader) question() *question {
	q := &question{edge: r.rnd.IntN(len(r.Edges)), method: "GET", off: -1}
	if hot := r.hot.Load(); hot != nil && r.rnd.IntN(3) == 0 {
		q.object = hot
	} else {
		q.object = r.objects[r.rnd.IntN(len(r.objects))]
	}
	switch n := r.rnd.IntN(100); {
	case n < 12:
		q.method = "HEAD"
	case n < 27 && q.object.validated():
		q.condition(r.rnd)
	case n < 42 || q.object.Kind == Ranged && n < 90:
		q.part(r.rnd)
	}
	if q.object.Kind == Encoded && q.off < 0 && r.rnd.IntN(2) == 0 {
		q.add("Accept-Encoding", "gzip")
	}
	return q
}

func (q *question) add(name, value string) { q.fields = append(q.fields, [2]string{name, value}) }

// condition asks whether an old version is still good; a new one too, for a cache should say yes.
func (q *question) condition(rnd *rand.Rand) {
	now := q.object.version.Load()
	for range 1 + rnd.IntN(2) {
		q.tags = append(q.tags, now-min(now-1, uint64(rnd.IntN(3))))
	}
	tags := make([]string, len(q.tags))
	for i, v := range q.tags {
		tags[i] = q.object.etag(v)
	}
	q.add("If-None-Match", strings.Join(tags, ", "))
}

// part asks for a range that every version has.
func (q *question) part(rnd *rand.Rand) {
	if q.object.Kind == Encoded || q.object.Kind == Failing {
		return // ranges of what is encoded are another's octets
	}
	size := q.object.leastSize()
	q.off = rnd.Int64N(size - 1)
	last := q.off + rnd.Int64N(min(size-q.off, 8<<10))
	q.add("Range", fmt.Sprintf("bytes=%d-%d", q.off, last))
	if q.object.validated() && rnd.IntN(4) == 0 {
		now := q.object.version.Load()
		q.add("If-Range", q.object.etag(now-min(now-1, uint64(rnd.IntN(2)))))
	}
}

// ask sends the question and judges what comes by itself: whether it is whole and of one version.
func (r *reader) ask(ctx context.Context, q *question) *Answer {
	a := &Answer{Reader: r.number, Edge: q.edge, Method: q.method}
	for _, f := range q.fields {
		a.Asking = strings.TrimPrefix(a.Asking+", "+f[0]+": "+f[1], ", ")
	}
	req, err := http.NewRequestWithContext(ctx, q.method, r.Edges[q.edge]+q.object.Target(), nil)
	if err != nil {
		panic("BUG: " + err.Error()) // Edges and paths were parsed before
	}
	req.Host = r.host
	for _, f := range q.fields {
		req.Header.Set(f[0], f[1])
	}
	a.Sent = r.now()
	a.Begun = a.Sent
	resp, err := r.viewers.Do(req)
	a.Head = r.now()
	if err != nil {
		a.End, a.Cut, a.Why = a.Head, true, err.Error()
		return a
	}
	r.buffer.Reset()
	_, err = r.buffer.ReadFrom(resp.Body)
	resp.Body.Close()
	a.End, a.Status, a.Cache = r.now(), resp.StatusCode, resp.Header.Get("X-Cache")
	a.Cut = err != nil
	a.origins(q.object, resp.Header)
	a.inspect(q, resp, r.buffer.Bytes())
	return a
}

// origins reads what the origin has written into the head.
func (a *Answer) origins(o *Object, h http.Header) {
	a.Version, _ = strconv.ParseUint(h.Get(versionField), 10, 64)
	number, sent, _ := strings.Cut(h.Get(fillField), " ")
	a.Fill, _ = strconv.ParseUint(number, 10, 64)
	if n, err := strconv.ParseInt(sent, 10, 64); err == nil {
		a.Begun = max(a.Begun, Instant(n))
	}
}

// wrong notes what is not right about the octets, the first finding.
func (a *Answer) wrong(c Class, format string, args ...any) {
	if a.Wrong == None {
		a.Wrong, a.Why = c, fmt.Sprintf(format, args...)
	}
}

// inspect compares status, head and body with each other.
func (a *Answer) inspect(q *question, resp *http.Response, body []byte) {
	o := q.object
	if a.Status == http.StatusNotModified {
		a.confirms(q, resp.Header)
		return
	}
	if a.Version == 0 {
		if a.Status < 400 {
			a.wrong(Mixed, "status %d without the origin's fields", a.Status)
		}
		return // made by the cache
	}
	if v, ok := o.versionOf(resp.Header.Get("ETag")); ok && v != a.Version {
		a.wrong(Mixed, "the head says version %d, its ETag %d", a.Version, v)
	}
	off, size := int64(0), o.size(a.Version)
	switch a.Status {
	case http.StatusPartialContent:
		off = a.partial(q, resp.Header, size)
	case http.StatusRequestedRangeNotSatisfiable:
		a.wrong(Mixed, "the range %s lies in every version, but: %s", a.Asking, resp.Status)
		return
	default:
		if want := o.status(a.Version); a.Status != want {
			a.wrong(Mixed, "version %d has status %d, not %d", a.Version, want, a.Status)
		}
	}
	a.octets(q, resp, body, off, size)
}

// confirms: a 304 stands for the version whose validator was sent.
func (a *Answer) confirms(q *question, h http.Header) {
	if len(q.tags) == 0 {
		a.wrong(Mixed, "304, and there was no condition")
		return
	}
	v, ok := q.object.versionOf(h.Get("ETag"))
	if !ok {
		// It may leave the validator out. Then it says yes to the newest at best.
		for _, t := range q.tags {
			v = max(v, t)
		}
	}
	a.Version = v
	for _, t := range q.tags {
		if t == v {
			return
		}
	}
	a.wrong(Mixed, "304 with the validator of version %d, asked was %s", v, a.Asking)
}

// partial reads where the part lies.
func (a *Answer) partial(q *question, h http.Header, size int64) (off int64) {
	var last, whole int64
	if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/%d", &off, &last, &whole); err != nil || q.off < 0 {
		a.wrong(Mixed, "206 with Content-Range %q, asked was %q", h.Get("Content-Range"), a.Asking)
		return 0
	}
	if off != q.off || whole != size {
		a.wrong(Mixed, "Content-Range is %q, version %d has %d octets, asked was %q", h.Get("Content-Range"), a.Version, size, a.Asking)
	}
	return off
}

// octets compares the body with the version that the head says.
func (a *Answer) octets(q *question, resp *http.Response, body []byte, off, size int64) {
	if a.Method == "HEAD" {
		if n := resp.ContentLength; n >= 0 && n != size && q.object.Kind != Encoded {
			a.wrong(Mixed, "HEAD says %d octets, version %d has %d", n, a.Version, size)
		}
		return
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = unzip(body); err != nil && !a.Cut {
			a.wrong(Torn, "gzip: %v", err)
			return
		}
	}
	if err := q.object.check(a.Version, body, off); err != nil {
		a.wrong(Mixed, "the head says version %d: %v", a.Version, err)
		return
	}
	if a.Status != http.StatusPartialContent && !a.Cut && int64(len(body)) != size {
		a.wrong(Torn, "%d of %d octets, and nothing says so", len(body), size)
	}
}

// unzip returns as much as can be decoded.
func unzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
