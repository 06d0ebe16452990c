package edge

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// recent remembers for a preview which objects have answered requests in the last minutes. Counters of objects
// cannot tell: they say what has been since the object was stored, which for one that was popular yesterday is no
// measure of what its origin will be asked.
//
// Hits are not counted by object but kept as a sample: of each minute and core, up to recentKept keys, each hit equally
// likely to be among them (Vitter's algorithm R), and how many hits there were. So a minute with no more hits than
// that on a core is known exactly. Of more, n kept keys of a group of objects tell how often the group was asked for
// to within about one part in √n: for what one request in a hundred is for, and ten thousand are kept, a tenth.
//
// A hit pays one addition in a cache line of its core, and in busy minutes a random number; hardly ever more.
type recent struct {
	since   time.Time
	seed    maphash.Seed
	stripes [stripes]atomic.Pointer[recentStripe] // made when a core has its first hit: 48 KiB each
}

const (
	recentMinutes = 6 // this one, and five that are over
	recentKept    = 1024
)

type recentStripe struct {
	minutes [recentMinutes]struct {
		// state is the minute since 1970, and how many hits it has had, 32 bits each.
		state atomic.Uint64
		keys  [recentKept]atomic.Uint64 // hashes
	}
}

const countBits = 32

// note adds a hit. A hit that meets the turn of a minute on another core may get lost.
func (r *recent) note(stripe uint32, now time.Time, key []byte) {
	if p := r.place(stripe, now); p != nil {
		p.Store(maphash.Bytes(r.seed, key))
	}
}

func (r *recent) noteString(stripe uint32, now time.Time, key string) {
	if p := r.place(stripe, now); p != nil {
		p.Store(maphash.String(r.seed, key))
	}
}

// place counts a hit and returns where its key belongs; nil: it is not kept.
func (r *recent) place(stripe uint32, now time.Time) *atomic.Uint64 {
	p := &r.stripes[stripe%stripes]
	s := p.Load()
	if s == nil {
		p.CompareAndSwap(nil, new(recentStripe))
		s = p.Load()
	}
	minute := minuteOf(now)
	m := &s.minutes[minute%recentMinutes]
	old := m.state.Load()
	if old>>countBits != minute {
		m.state.CompareAndSwap(old, minute<<countBits)
	}
	at := m.state.Add(1)&(1<<countBits-1) - 1
	if at >= recentKept {
		if at = rand.Uint64N(at + 1); at >= recentKept {
			return nil
		}
	}
	return &m.keys[at]
}

func minuteOf(t time.Time) uint64 { return uint64(t.Unix()/60) & (1<<countBits - 1) }

// recently is what is known at one moment.
type recently struct {
	seed   maphash.Seed
	hits   map[uint64]float64
	within time.Duration
}

func (r *recently) of(key string) float64 { return r.hits[maphash.String(r.seed, key)] }

func (r *recent) read(now time.Time) *recently {
	hits := map[uint64]float64{}
	minute := minuteOf(now)
	for i := range r.stripes {
		s := r.stripes[i].Load()
		if s == nil {
			continue
		}
		for j := range s.minutes {
			m := &s.minutes[j]
			state := m.state.Load()
			if n := state & (1<<countBits - 1); minute-state>>countBits < recentMinutes && n > 0 {
				kept := min(n, recentKept)
				for k := range kept {
					hits[m.keys[k].Load()] += float64(n) / float64(kept)
				}
			}
		}
	}
	from := time.Unix(now.Unix()/60*60, 0).Add(-(recentMinutes - 1) * time.Minute)
	if r.since.After(from) {
		from = r.since
	}
	// At least a minute: what was asked for twice in a second is not asked for a hundred times a minute.
	return &recently{r.seed, hits, max(now.Sub(from), time.Minute)}
}
