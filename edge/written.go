package edge

import (
	"hash/maphash"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// Unsafe requests (RFC 9111 section 4.4; CloudFront documents nothing about them). When the origin has answered a POST or the
// like without an error, then what was fetched of its URI before that moment is nothing for requests that
// come after it: not an object, not a fill in flight, not a 304 to a question that was asked before. By the
// clock of this edge and for this edge alone; the RFC asks no more, and the other edges hear of a change by
// an invalidation as ever.
//
// Unlike an invalidation it sends nobody away who waits already: a request that was there before the write was
// answered may get either content, and one whose URI is written to all the time would never get any.

// written has for each URI when it was last written to, in a table that never forgets and never grows:
// URIs share slots, and what shares the slot of one that was written to is fetched again for nothing. 2 MiB,
// made when the first such request comes.
type written struct {
	seed  maphash.Seed
	last  atomic.Int64
	slots [1 << 18]atomic.Int64 // the reading of the journal's clock, and 1; 0: never
}

func (w *written) slot(site, path, query string) *atomic.Int64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	for _, s := range [...]string{site, path, query} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	return &w.slots[h.Sum64()%uint64(len(w.slots))]
}

// moment is the given one, or the next that is later than every moment before.
func (w *written) moment(n int64) int64 {
	for {
		last := w.last.Load()
		if n = max(n, last+1); w.last.CompareAndSwap(last, n) {
			return n
		}
	}
}

func atLeast(a *atomic.Int64, n int64) {
	for {
		old := a.Load()
		if old >= n || a.CompareAndSwap(old, n) {
			return
		}
	}
}

// overwritten tells whether something of the site was written to after t0, or at that very instant. For what
// has been fetched since the site's last write it is one comparison.
func (e *Edge) overwritten(x *site, s *invalidation.Subject, t0 time.Duration) bool {
	if int64(t0) >= x.wrote.Load() || planted(writeUnnoted) {
		return false
	}
	w := e.written.Load()
	if w == nil { // and an earlier process has fetched it: the clock had no such reading
		return false
	}
	at := w.slot(x.ID, s.Path, s.Query).Load()
	return at != 0 && int64(t0) < at
}

// writtenAt is until when something of that URI may have been written to; 0: never. The disk remembers what was written in an
// earlier life, but not when: before this one began.
func (e *Edge) writtenAt(x *site, s *invalidation.Subject) time.Duration {
	if w := e.written.Load(); w != nil && x.wrote.Load() != 0 {
		if at := w.slot(x.ID, s.Path, s.Query).Load(); at != 0 {
			return time.Duration(at)
		}
	}
	if e.disk != nil && e.disk.Stained(stain(x.ID, s.Path, s.Query)) {
		return e.began
	}
	return 0
}

// start is the clock's reading for a fetch that begins now: after everything that has been written, also
// where the clock has not moved since.
func (e *Edge) start() time.Duration {
	now := e.clock()
	if w := e.written.Load(); w != nil {
		now = max(now, time.Duration(w.last.Load()))
	}
	return now
}

// wrote notes the answer to an unsafe request (status 0: there was none): its URI, and those of the same origin
// that Location and Content-Location name. A redirect's Location says where to go, not what has changed: with
// RFC semantics it counts all the same (it is a candidate there), otherwise each sign-in would empty the home page.
func (e *Edge) wrote(q *query, status int, fields message.Fields) {
	w := e.written.Load()
	if w == nil {
		w = &written{seed: maphash.MakeSeed()}
		if !e.written.CompareAndSwap(nil, w) {
			w = e.written.Load()
		}
	}
	now := w.moment(int64(e.clock()) + 1)
	var stains [][]byte
	mark := func(r *message.Request) {
		path := q.site.RootedPath(r.Path)
		keyed, _ := q.site.Behavior(path).KeyedQuery(r)
		atLeast(w.slot(q.site.ID, path, keyed), now)
		if e.disk != nil {
			stains = append(stains, stain(q.site.ID, path, keyed))
		}
	}
	mark(q.req)
	for _, name := range [...]string{"Location", "Content-Location"} {
		if name == "Location" && status >= 300 && !q.site.RFC {
			continue
		}
		if r := sameOrigin(q.req, fields.Get(name)); r != nil {
			mark(r)
		}
	}
	atLeast(q.site.wrote, now)
	if len(stains) > 0 {
		e.stain(stains)
	}
}

// sameOrigin resolves a reference in an answer to r; nil: there is none, or it leads to another origin.
func sameOrigin(r *message.Request, ref string) *message.Request {
	host := r.Host
	if r.Port != "" {
		host += ":" + r.Port
	}
	base, err := url.Parse(r.Scheme + "://" + host + r.URI())
	if err != nil || ref == "" {
		return nil
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != base.Scheme || u.Hostname() != base.Hostname() || port(u) != port(base) {
		return nil
	}
	there := *r
	there.Path, there.Query, there.HasQuery = u.EscapedPath(), u.RawQuery, u.RawQuery != "" || u.ForceQuery
	return &there
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// safe methods change nothing (RFC 9110 section 9.2.1, and the registry of methods).
func safe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}
