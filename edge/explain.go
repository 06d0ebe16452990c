package edge

import (
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/invalidation"
)

// Question is a request that is explained instead of answered.
type Question struct {
	Distribution string           // its id; "": whose host Request.Host is
	Request      *message.Request // Method is taken to be GET
}

// Explanation says what this edge makes of a request. It is plain data: it goes from machine to machine.
type Explanation struct {
	Distribution   string // its id
	DomainName     string
	PathPattern    string // of the behavior
	Precedence     int    // of the behavior, 0 is asked first
	Origins        []string
	CachePolicyID  string
	ViewerProtocol distribution.ViewerProtocol
	Key            string               // the cache key, for people
	Subject        invalidation.Subject // what invalidations see; tags only when it is stored
	Stored         *Stored              // nil: it is not
	Through        []Through            // other edges that are asked for it before the origin is, the nearest first
}

// Through is an edge that is asked for what this one has not.
type Through struct{ Edge, Place string }

// Stored is what is kept under the key.
type Stored struct {
	Status     int
	At         time.Time // when it was stored, or renewed by a 304
	Stamp      uint64
	Dead       bool // a rule matches it: it will not be served, and is freed soon
	Marked     bool // a rule has marked it stale: it is served only while it is revalidated
	Fresh      bool // and alive, and not marked: a request now would be a hit, with a lease
	FreshUntil time.Time
	Age        time.Duration
	Bytes      int64 // of the body; of one that is kept in slices, of which some may be missing
	Hits       uint64
	Memory     bool // where it lies; a disk says yes too often, by chance
	Disk       bool
	Slices     int64  // into which it is cut; 0: it is whole
	SlicesHere int64  // of them, that are stored here, in either tier
	Second     string // id of the second member of an origin group, if it has sent it; ""
}

// encodings are tried where the question says nothing of Accept-Encoding: what a browser had stored is
// under another key than what was fetched without, and who asks about a path means either.
var encodings = []string{"", "gzip, br, zstd", "gzip, br", "gzip", "br"}

// Explain tells what is stored for a request and how it is found. It counts as no use. Its only error is
// ErrNoDistribution.
func (e *Edge) Explain(q Question) (*Explanation, error) {
	snap := e.snap.Load()
	x := snap.sites.of(q.Distribution)
	if q.Distribution == "" {
		x = snap.site(q.Request.Host)
	}
	if x == nil {
		return nil, ErrNoDistribution
	}
	var first *Explanation
	for _, encoding := range encodings {
		r := cloned(q.Request)
		r.Method = "GET"
		if encoding != "" {
			r.Fields.Add("Accept-Encoding", encoding)
		}
		found := e.explainOne(snap, x, r)
		if first == nil {
			first = found
		}
		if found.Stored != nil {
			return found, nil
		}
		if q.Request.Fields.Has("Accept-Encoding") {
			break
		}
	}
	return first, nil
}

func (e *Edge) explainOne(snap *Snap, x *site, r *message.Request) *Explanation {
	path := x.RootedPath(r.Path)
	lookup := query{snap: snap, site: x, behavior: x.Behavior(path), req: r, path: path}
	key := lookup.behavior.AppendKey(nil, x.Distribution, r)
	lookup.key = key
	b := lookup.behavior
	out := &Explanation{
		Distribution: x.ID, DomainName: x.DomainName, PathPattern: b.PathPattern, Origins: []string{b.Origin.ID}, CachePolicyID: b.CachePolicyID,
		ViewerProtocol: b.ViewerProtocol, Key: distribution.KeyText(key), Subject: *lookup.subject(),
	}
	if s := b.Second("GET"); s != nil {
		out.Origins = append(out.Origins, s.Origin.ID)
	}
	for i := range x.Behaviors {
		if x.Behaviors[i] == b {
			out.Precedence = i
		}
	}
	if !b.CachingDisabled {
		for _, x := range e.route(b.Origin, key, nil) {
			out.Through = append(out.Through, Through{x.Name, x.Place})
		}
	}
	o := e.peek(key)
	if o != nil && isSignpost(o) {
		o = e.peek(appendVariant(key, httpcache.Variant(o.Fields.Values(signpostNames), lookup.told())))
	}
	if o != nil && o.Epoch == snap.life {
		out.Subject = o.Subject
		out.Stored = e.stored(x, o)
	}
	return out
}

func (e *Edge) stored(x *site, o *cache.Object) *Stored {
	now := e.now()
	s := &Stored{
		Status: o.Status, At: o.Fresh.Stored, Stamp: o.Stamp, Dead: x.check(o) != 0,
		FreshUntil: o.Fresh.FreshUntil, Age: o.Fresh.Age(now), Bytes: wholeLength(o), Hits: o.Hits.Load(),
	}
	s.Second = o.Fields.Get(fromField)
	s.Memory, s.Disk = e.tiers([]byte(o.Key))
	s.Slices, s.SlicesHere = e.slicesOf(x, o)
	s.Marked = !s.Dead && x.marked(o) != 0
	s.Fresh = !s.Dead && !s.Marked && !e.overwritten(x, &o.Subject, began(o)) && o.Fresh.IsFresh(now)
	return s
}

func (e *Edge) tiers(key []byte) (memory, disk bool) {
	return e.store.Peek(key) != nil, e.disk != nil && e.disk.Has(key)
}

// slicesOf counts those of a map, and of them those that are stored: of what is in memory it knows that they belong to
// the map and are alive.
func (e *Edge) slicesOf(x *site, o *cache.Object) (all, here int64) {
	is, ok := ofMap(o)
	if !ok {
		return 0, 0
	}
	all = (is.Total + is.Size - 1) / is.Size
	key := append(append(make([]byte, 0, len(o.Key)+9), o.Key...), 's', 0, 0, 0, 0, 0, 0, 0, 0)
	for n := range all {
		switch s := e.store.Peek(numbered(key, n)); {
		case s != nil:
			if leads(s.Fields, sliceField) && version(s) == version(o) && x.check(s) == 0 {
				here++
			}
		case e.disk != nil && e.disk.Has(key):
			here++
		}
	}
	return all, here
}
