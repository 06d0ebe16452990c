package edge

import (
	"slices"

	"github.com/warmfront/warmfront/invalidation"
)

// Turns. An invalidation that comes location by location is in force at some places and not yet at others, or never, if the rest is
// withdrawn. Where it is, what is older is not shown any more; so it must not come back from a parent whose turn has not been.
// An edge that others may ask keeps in mind what is in force elsewhere, for their questions alone: what is old by that it refuses
// (Elsewhere), and they go on to the next place, or to the origin. Its own viewers get it until its own turn.
//
// Of what is stored the stamp tells then not only that everything up to there which is in force here has been looked at, but also that the
// octets are no older than anything up to there which is in force anywhere, unless a rule abroad still matches above it. That holds for
// what the origin was asked for plainly. It is kept so for what comes from parents by their refusal; and nothing that is
// old by a rule abroad is renewed by a 304, or completed by the rest of a part: it is fetched as a whole.

// maxAbroad bounds the invalidations of a distribution that an edge keeps in mind so. Beyond it everything that was fetched before the oldest
// of them is refused to other edges.
const maxAbroad = 128

// abroad is what is in force elsewhere, and not here, of one distribution. It is immutable; nil is nothing.
type abroad struct {
	rules []turned // in the order of their numbers
	all   uint64   // what was fetched before is old, whatever it is
}

// turned is the last turn of an invalidation.
type turned struct {
	invalidation string
	index        *invalidation.Index
}

// with returns it with the turn of an invalidation at other places, in place of those before.
func (a *abroad) with(id string, seq uint64, where *invalidation.Where, items []invalidation.Item) *abroad {
	n := abroad{}
	if before := a.without(id); before != nil {
		n = *before
	}
	n.rules = append(slices.Clip(n.rules), turned{id, (*invalidation.Index)(nil).AddWhere(seq, where, items...)})
	if len(n.rules) > maxAbroad {
		n.all = max(n.all, n.rules[0].index.Newest())
		n.rules = n.rules[1:]
	}
	return &n
}

// without returns it without an invalidation, which is in force here now.
func (a *abroad) without(id string) *abroad {
	if a == nil || !slices.ContainsFunc(a.rules, func(t turned) bool { return t.invalidation == id }) {
		return a
	}
	n := *a
	n.rules = slices.DeleteFunc(slices.Clone(a.rules), func(t turned) bool { return t.invalidation == id })
	if len(n.rules) == 0 && n.all == 0 {
		return nil
	}
	return &n
}

// kills tells whether something with that stamp is old where others are.
func (a *abroad) kills(s *invalidation.Subject, stamp uint64) bool {
	if a == nil {
		return false
	}
	return stamp < a.all || slices.ContainsFunc(a.rules, func(t turned) bool { return t.index.Match(s, stamp) != 0 })
}

// foreign tells whether an answer is too old for the edge that asks, though it may be good for viewers here.
func (v *visit) foreign(q *query, a *answer) bool {
	switch {
	case v.child == nil || q.site.abroad == nil || a.life == "":
		return false
	case a.object != nil:
		return q.site.abroad.kills(&a.object.Subject, a.object.Stamp)
	}
	return q.site.abroad.kills(a.subject, a.stamp)
}
