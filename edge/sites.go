package edge

import (
	"hash/maphash"
	"iter"
	"maps"
)

// sites are the distributions of a Snap by their ids. They are immutable but for a draft's own.
//
// They lie on shelves: who changes one of them copies its shelf. So to apply an invalidation costs next to nothing more
// where there are a thousand distributions.
type sites struct {
	shelves *[siteShelves]map[string]*site // nil: there are none
}

const siteShelves = 64

var shelfSeed = maphash.MakeSeed()

func shelfOf(id string) uint64 { return maphash.String(shelfSeed, id) % siteShelves }

// of returns the distribution with that id, or nil.
func (s sites) of(id string) *site {
	if s.shelves == nil {
		return nil
	}
	return s.shelves[shelfOf(id)][id]
}

func (s sites) len() (n int) {
	if s.shelves != nil {
		for _, shelf := range s.shelves {
			n += len(shelf)
		}
	}
	return n
}

// all are they, in no order. Whoever goes through those of a draft may put others in the place of those it has met.
func (s sites) all() iter.Seq2[string, *site] {
	return func(yield func(string, *site) bool) {
		if s.shelves == nil {
			return
		}
		for _, shelf := range *s.shelves { // a copy, so that one which is replaced meanwhile is gone through as it was
			for id, x := range shelf {
				if !yield(id, x) {
					return
				}
			}
		}
	}
}

// ownSites says which shelves of a draft are its own already.
type ownSites struct {
	table   bool
	shelves uint64 // a bit for each
}

// put replaces a distribution; nil takes it away.
func (s *sites) put(own *ownSites, id string, x *site) {
	if !own.table {
		var table [siteShelves]map[string]*site
		if s.shelves != nil {
			table = *s.shelves
		}
		s.shelves, own.table = &table, true
	}
	i := shelfOf(id)
	if own.shelves&(1<<i) == 0 {
		if s.shelves[i] = maps.Clone(s.shelves[i]); s.shelves[i] == nil {
			s.shelves[i] = map[string]*site{}
		}
		own.shelves |= 1 << i
	}
	if x == nil {
		delete(s.shelves[i], id)
	} else {
		s.shelves[i][id] = x
	}
}
