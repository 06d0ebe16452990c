package guarantee

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
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
	target string // the object's, in some spelling
	edge   int
	method string
	fields [][2]string
	parts  []span   // that were asked for; none: the whole
	tags   []uint64 // versions whose validators were sent
	since  uint64   // the version whose date alone was sent; 0: none was
	part   uint64   // the version that the parts are to be of (If-Range); 0: any
	shade  string   // of what differs by the request's fields
	third  bool     // over HTTP/3
}

// span is a part of a body, from one octet to another, inclusively.
type span struct{ first, last int64 }

func (s span) String() string { return fmt.Sprintf("%d-%d", s.first, s.last) }

func (r *reader) read(ctx context.Context) {
	for ctx.Err() == nil && r.wanted() {
		q := r.question()
		a := r.ask(ctx, q)
		q.done(r)
		if ctx.Err() != nil {
			return // it was cut by the end of the run
		}
		a.Absent, a.Away = r.absent(), Instant(r.absences[q.edge].Load())
		if a.page != nil {
			a.page.Absent, a.page.Away = a.Absent, a.Away
		}
		if v := q.object.judge(a); v != nil {
			r.violated(v)
		}
		if a.page != nil {
			if v := r.page().judge(a.page); v != nil {
				r.violated(v)
			}
		}
		if a.Method == "POST" && a.Status == http.StatusNoContent && a.Version > 0 {
			q.object.log.posted(q.edge, a.Version, r.now)
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
	q := &question{edge: r.rnd.IntN(len(r.Edges)), method: "GET"}
	if x := r.rest.Load(); x != nil && x.until > r.now() && r.rnd.IntN(8) == 0 {
		q.object = x.object
	} else if hot := r.hot.Load(); hot != nil && r.rnd.IntN(3) == 0 {
		q.object = hot
	} else {
		q.object = r.objects[r.rnd.IntN(len(r.objects))]
	}
	if r.shy(q.object) {
		q.object = r.objects[Small]
	}
	if q.target = q.object.Target(); r.own {
		q.target = spellings[r.rnd.IntN(len(spellings))].Replace(q.target)
	}
	q.third = r.third != nil && strings.HasPrefix(r.Edges[q.edge], "https:") && r.rnd.IntN(2) == 0
	if q.object.differs() && r.own {
		q.differ(r.rnd)
	}
	kind := q.object.Kind
	switch n := r.rnd.IntN(100); {
	case kind == Written && r.own && n < 10:
		q.method = "POST"
	case n < 12:
		q.method = "HEAD"
	case n < 27 && q.object.validated():
		q.condition(r.rnd)
	case n < 42 || kind == Ranged && n < 90 || q.object.large() && !r.download(n):
		q.ranges(r.rnd)
	}
	if (kind == Encoded || kind == Compressed) && len(q.parts) == 0 && r.rnd.IntN(3) > 0 {
		q.add("Accept-Encoding", [...]string{"gzip", "gzip", "br", "gzip, br", "zstd"}[r.rnd.IntN(5)])
	}
	return q
}

// differ asks for one of those that there are under the object's URL.
func (q *question) differ(rnd *rand.Rand) {
	q.shade = shades[rnd.IntN(len(shades))]
	switch {
	case q.object.Kind == Tongued && q.shade != "":
		q.add("Accept-Language", q.shade)
	case q.object.Kind == Shaded && q.shade != "":
		q.add("Cookie", "seen=1; "+shadeCookie+"="+q.shade)
	}
}

// download tells whether the whole of a large object is to be asked for: seldom, and by two at once at most,
// for each has all of it in memory.
func (r *reader) download(n int) bool {
	if n < 95 {
		return false
	}
	select {
	case r.downloads <- struct{}{}:
		return true
	default:
		return false
	}
}

// done gives back what the question took.
func (q *question) done(r *reader) {
	if q.object.large() && q.method == "GET" && len(q.parts) == 0 && len(q.tags) == 0 {
		r.buffer = bytes.Buffer{}
		<-r.downloads
	}
}

// accepts tells whether the question allows a coding.
func (q *question) accepts(coding string) bool {
	return coding == "" || slices.ContainsFunc(q.fields, func(f [2]string) bool {
		return f[0] == "Accept-Encoding" && slices.Contains(strings.Split(f[1], ", "), coding)
	})
}

func (q *question) add(name, value string) { q.fields = append(q.fields, [2]string{name, value}) }

// condition asks whether an old version is still good; a new one too, for a cache should say yes.
func (q *question) condition(rnd *rand.Rand) {
	now := q.object.version.Load()
	dated := q.object.timed() && rnd.IntN(3) == 0
	if dated && rnd.IntN(2) == 0 {
		q.since = now - min(now-1, uint64(rnd.IntN(3)))
		q.add("If-Modified-Since", q.object.date(q.since))
		return
	}
	for range 1 + rnd.IntN(2) {
		q.tags = append(q.tags, now-min(now-1, uint64(rnd.IntN(3))))
	}
	tags := make([]string, len(q.tags))
	for i, v := range q.tags {
		tags[i] = q.object.etag(v)
	}
	q.add("If-None-Match", strings.Join(tags, ", "))
	if dated { // it does not count beside tags (RFC 9110 section 13.1.3): whoever goes by it says yes to what it was not asked about
		q.add("If-Modified-Since", q.object.date(now+1))
	}
}

// ranges asks for one range that every version has, or for up to three.
func (q *question) ranges(rnd *rand.Rand) {
	o := q.object
	if o.Kind == Encoded || o.Kind == Failing {
		return // ranges of what is encoded are another's octets
	}
	from, lines := int64(0), int64(o.least)
	if o.large() && rnd.IntN(4) > 0 { // mostly where others ask too
		lines = min(lines, 2<<20/lineSize)
	}
	several := 1
	if rnd.IntN(4) == 0 {
		several = min(several+rnd.IntN(3), int(lines/2))
	}
	var said []string
	for n := range int64(several) {
		until := lines * (n + 1) / int64(several)
		// Whole lines: each says what it is.
		first := from + rnd.Int64N(until-from-1)
		p := span{first * lineSize, (first+1+rnd.Int64N(min(until-first-1, 128)))*lineSize - 1}
		if o.Kind != Rebuilt { // of which a part of a line says nothing
			p.first += rnd.Int64N(lineSize)
			p.last -= rnd.Int64N(min(lineSize, p.last-p.first+1))
		}
		from = until
		q.parts, said = append(q.parts, p), append(said, p.String())
	}
	q.add("Range", "bytes="+strings.Join(said, ","))
	if o.validated() && rnd.IntN(4) == 0 {
		now := o.version.Load()
		q.part = now - min(now-1, uint64(rnd.IntN(2)))
		q.add("If-Range", o.etag(q.part))
	}
}

// ask sends the question and judges what comes by itself: whether it is whole and of one version.
func (r *reader) ask(ctx context.Context, q *question) *Answer {
	a := &Answer{Reader: r.number, Edge: q.edge, Method: q.method}
	for _, f := range q.fields {
		a.Asking = strings.TrimPrefix(a.Asking+", "+f[0]+": "+f[1], ", ")
	}
	a.Sent = r.now()
	a.Begun = a.Sent
	req, err := http.NewRequestWithContext(a.opening(ctx), q.method, r.Edges[q.edge]+q.target, nil)
	if err != nil {
		panic("BUG: " + err.Error()) // Edges and paths were parsed before
	}
	req.Host = r.host
	for _, f := range q.fields {
		req.Header.Set(f[0], f[1])
	}
	viewers := r.viewers
	if q.third {
		viewers = r.third
	}
	resp, err := viewers.Do(req)
	a.Head = r.now()
	if err != nil {
		a.End, a.Cut, a.Why = a.Head, true, err.Error()
		return a
	}
	r.buffer.Reset()
	_, err = r.buffer.ReadFrom(resp.Body)
	resp.Body.Close()
	a.End, a.Status, a.Cache, a.Protocol = r.now(), resp.StatusCode, resp.Header.Get("X-Cache"), resp.Proto
	if q.object.Kind == Compressed {
		a.Coding = resp.Header.Get("Content-Encoding")
	}
	a.Cut = err != nil
	a.Via = viaOf(resp.Header)
	a.origins(q.object, resp.Header)
	if r.explains(q.object, a.Status) {
		a.explain(q, r.page(), resp, r.buffer.Bytes())
	} else {
		a.inspect(q, resp, r.buffer.Bytes())
	}
	return a
}
