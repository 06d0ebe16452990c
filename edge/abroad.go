package edge

import (
	"slices"

	"github.com/warmfront/warmfront/invalidation"
)

// Turns. An invalidation that comes location by location is in force at some places and not yet at others, or never, if the rest is
// withdrawn. Where it is, what is older is not shown any more; so it must not come back from a parent whose turn has not been.
// An edge keeps in mind what is in force elsewhere and not yet here, for other edges' questions alone: what is old by that it refuses
// (Elsewhere), and they go on to the next place, or to the origin. Its own viewers get it until its own turn. One without an address is asked by
// nobody, and keeps it in mind all the same: it may be given one at its next start, and what lies on its disk then has stamps from before.
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
	had   []string // invalidations that are in force here, and whose last turn has not come
}

// turned is the first turn of an invalidation: what was fetched after it is new enough wherever a later one is.
type turned struct {
	invalidation string
	index        *invalidation.Index
}

// with returns it with the turn of an invalidation at other places. The place where it has been, too, has nothing old.
func (a *abroad) with(id string, seq uint64, where *invalidation.Where, items []invalidation.Item) *abroad {
	n := abroad{}
	if a != nil {
		n = *a
	}
	if slices.Contains(n.had, id) || slices.ContainsFunc(n.rules, func(t turned) bool { return t.invalidation == id }) {
		return a
	}
	n.rules = append(slices.Clip(n.rules), turned{id, (*invalidation.Index)(nil).AddWhere(seq, where, items...)})
	if len(n.rules) > maxAbroad {
		n.all = max(n.all, n.rules[0].index.Newest())
		n.rules = n.rules[1:]
	}
	return &n
}

// here returns it when an invalidation's turn has come here; last: no other comes. Of those whose last one does not come, for they
// were withdrawn, some are forgotten: then what is fetched here before another turn is refused for nothing.
func (a *abroad) here(id string, last bool) *abroad {
	n := a.done(id)
	if last {
		return n
	}
	m := abroad{}
	if n != nil {
		m = *n
	}
	m.had = append(slices.Clip(m.had), id)
	m.had = m.had[max(len(m.had)-maxAbroad, 0):]
	return &m
}

// done returns it without an invalidation.
func (a *abroad) done(id string) *abroad {
	if a == nil {
		return nil
	}
	n := abroad{all: a.all}
	n.rules = slices.DeleteFunc(slices.Clone(a.rules), func(t turned) bool { return t.invalidation == id })
	n.had = slices.DeleteFunc(slices.Clone(a.had), func(had string) bool { return had == id })
	if len(n.rules) == 0 && len(n.had) == 0 && n.all == 0 {
		return nil
	}
	return &n
}

// kills tells whether something with that stamp is old where others are.
func (a *abroad) kills(s *invalidation.Subject, stamp uint64) bool {
	if a == nil || planted(abroadUnchecked) {
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
