package edge

import (
	"slices"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/invalidation"
)

// Which rules that mark stale are needed still, and what they have marked.

// needs are numbers of rules by distribution.
type needs map[string]map[uint64]bool

func (n needs) add(id string, seq uint64) {
	if n[id] == nil {
		n[id] = map[uint64]bool{}
	}
	n[id][seq] = true
}

func (n needs) has(id string, seq uint64) bool { return n[id][seq] }

// surplus finds for each distribution that has more than most rules which mark stale up to which number they must go.
func surplus(s *Snap, most int) map[string]uint64 {
	var out map[string]uint64
	for id, x := range s.sites.all() {
		if x.soft.Len() <= most {
			continue
		}
		var all []uint64
		x.soft.Rules(func(seq uint64, _ invalidation.Rule) bool {
			all = append(all, seq)
			return true
		})
		slices.Sort(all)
		if out == nil {
			out = map[string]uint64{}
		}
		out[id] = all[len(all)-most-1]
	}
	return out
}

// visitMarked counts what is marked, and keeps its rule, or drops it if there are too many rules. checked is up to where
// the object was looked at before.
func (s *sweep) visitMarked(x *site, o *cache.Sight, checked uint64, memory bool) {
	if checked >= x.newest || o.Status == signpost {
		return
	}
	rule := x.soft.Match(&o.Subject, checked)
	switch {
	case rule == 0:
		return
	case o.Status == sliceStatus:
	case rule <= s.surplus[o.Distribution]:
		if s.drop(o, rule) && memory {
			s.expel(o.Key)
		}
		return
	case planted(markForgotten):
	default:
		s.needed.add(o.Distribution, rule)
		s.marking = true
	}
	first := memory && o.SetMarked()
	if !memory && (s.seenLife != s.snap.life || rule > s.seenSeq) {
		first = s.e.store.Peek([]byte(o.Key)) == nil
	}
	if first {
		x.pacedBy(rule).wants(o)
		s.countMarked(o.Distribution, rule, o.Status, o.Size)
	}
}

// met tells whether something marked has been met since the last call.
func (s *sweep) met() (marking bool) {
	marking, s.marking = s.marking, false
	return marking
}

// marked counts an object that a request has found marked before the sweeper has.
func (s *sweeper) marked(o *cache.Object, rule uint64) {
	if o.SetMarked() {
		s.countMarked(o.Distribution, rule, o.Status, int64(len(o.Body)))
	}
}

func (s *sweeper) countMarked(distribution string, rule uint64, status int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.e.snap.Load().sites.of(distribution); x != nil && status != sliceStatus {
		x.pacedBy(rule).met()
	}
	if i, ok := s.find(distribution, rule); ok {
		if status != sliceStatus { // its map counts for all of them
			s.receipts[i].Marked++
		}
		s.receipts[i].MarkedBytes += size
	}
}
