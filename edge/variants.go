package edge

import (
	"crypto/sha256"
	"slices"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Variants, with RFC semantics (RFC 9111 section 4.1). Under a query's key there lies the object itself,
// or, if the origin's answers have a Vary field, a signpost: which fields of the request tell variants
// apart. Each variant is an object of its own, with its own stamp, under the key with a hash behind it of
// what the origin got in those fields. Under the same key with a 'p' behind it lies a part (parts.go).
//
//	K        object | signpost: names, hashes of the variants
//	K v hash object
//	K p      part     K v hash p  part
//
// A signpost answers nothing and so needs no lease; that one is dead or lost costs a fetch. All keys of
// one K belong to one shard of the flights.

const (
	// maxVariants bounds the variants of one key: the one that was stored first makes room.
	maxVariants = 64
	// maxVaryNames bounds the names by which they are told apart; with more nothing is stored.
	maxVaryNames = 16
)

// Fields of a signpost: no origin can send such names.
const (
	signpost        = 0 // its status
	signpostNames   = ":vary"
	signpostVariant = ":variant"
)

func isSignpost(o *cache.Object) bool { return o.Status == signpost }

// find looks the query's object up, and completes its key with that of its variant.
func (e *Edge) find(q *query) *cache.Object {
	q.base = len(q.key)
	o := e.get(q.snap, q.key)
	if o == nil || !isSignpost(o) {
		return o
	}
	if !e.pointsTheWay(q.snap, q.site, o) {
		e.drop(o)
		return nil
	}
	q.key = appendVariant(q.key, httpcache.Variant(o.Fields.Values(signpostNames), q.told()))
	return e.get(q.snap, q.key)
}

func (e *Edge) pointsTheWay(s *Snap, x *site, o *cache.Object) bool {
	return o.Epoch == s.life && x != nil && x.check(o) == 0
}

func appendVariant(key []byte, hash [sha256.Size]byte) []byte {
	return append(append(key, 'v'), hash[:]...)
}

// told is what an origin gets to know of a request in fields: a thing that it is not told is nothing
// that its answer can vary on.
func (q *query) told() message.Fields {
	fw := q.behavior.Forward(q.site.Distribution, q.req)
	fw.Fields.Set("Host", fw.Host)
	return fw.Fields
}

// place gives the flight the key under which its answer belongs, and sets up the signpost to it. It
// returns false if there is no such place.
func (f *flight) place(fields message.Fields) bool {
	names := httpcache.VaryNames(fields)
	base := f.key[:f.base]
	if len(names) == 0 {
		f.e.flights.rekey(f, base)
		return true
	}
	f.e.signposts.Lock() // of two flights with one base both variants must be on the signpost
	defer f.e.signposts.Unlock()
	old := f.e.store.Peek([]byte(base))
	s := f.e.snap.Load()
	if old != nil && (!isSignpost(old) || !f.e.pointsTheWay(s, s.sites.of(f.site.ID), old)) {
		old = nil
	}
	sign := &cache.Object{
		Key: base, Distribution: f.site.ID, Subject: *f.subject.Load(), Stamp: f.stamp, Epoch: f.life, FetchStart: instant(f.began),
	}
	sign.Subject.Tags = nil                               // a tag is one variant's
	sign.Subject.Status, sign.Subject.ContentType = 0, "" // and so is what conditions look at: they all hold
	var variants []string
	if old != nil {
		names, variants = f.merged(old, names)
		sign.Stamp, sign.FetchStart = min(sign.Stamp, old.Stamp), earlier(sign.FetchStart, old.FetchStart) // L2
		sign.SetChecked(old.Checked())                                                                     // the same subject
	}
	if len(names) > maxVaryNames || s.life != f.life {
		return false
	}
	f.vary, f.variant = names, httpcache.Variant(names, f.told())
	if hash := string(f.variant[:]); !slices.Contains(variants, hash) {
		variants = append(variants, hash)
	}
	for len(variants) > maxVariants {
		f.forget(base, variants[0])
		variants = variants[1:]
	}
	for _, n := range names {
		sign.Fields.Add(signpostNames, n)
	}
	for _, hash := range variants {
		sign.Fields.Add(signpostVariant, hash)
	}
	f.e.keep(sign, fetched)
	f.e.flights.rekey(f, string(appendVariant([]byte(base), f.variant)))
	return true
}

// merged returns what tells variants apart from now on, and those that stay reachable. The names only
// grow: an origin that says Vary now of this and then of that must not make its variants unfindable each time.
func (f *flight) merged(old *cache.Object, names []string) (all, variants []string) {
	had := old.Fields.Values(signpostNames)
	variants = old.Fields.Values(signpostVariant)
	all = append(slices.Clone(had), names...)
	slices.Sort(all)
	all = slices.Compact(all)
	if slices.Equal(all, had) {
		return all, variants
	}
	for _, hash := range variants {
		f.forget(old.Key, hash)
	}
	if len(all) > maxVaryNames {
		return names, nil
	}
	return all, nil
}

// forget drops a variant that will not be found any more.
func (f *flight) forget(base, hash string) {
	key := []byte(base + "v" + hash)
	if o := f.e.store.Peek(key); o != nil {
		f.e.store.Remove(o)
	}
	if f.e.disk != nil {
		f.e.disk.Forget(key)
	}
}

// told is the same for the request that began the flight.
func (f *flight) told() message.Fields {
	q := query{site: f.site, behavior: f.behavior, req: f.request}
	return q.told()
}

// suits tells whether a flight's answer is one for this query too.
func (q *query) suits(f *flight) bool {
	return len(f.vary) == 0 || httpcache.Variant(f.vary, q.told()) == f.variant
}
