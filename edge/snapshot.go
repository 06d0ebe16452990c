package edge

import (
	"sync/atomic"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// Snap is everything that an edge knows from the journal, as of one position. It is immutable; one
// atomic pointer holds the current one, and a request pins it (S1).
type Snap struct {
	epoch journal.ID
	seq   uint64     // everything up to here is applied
	id    journal.ID // of that entry

	// life names the epoch and the cache generation. An object of another life is dead, whatever its
	// stamp says: its numbers count in a log that is gone (E1).
	life   string
	joined bool // this incarnation's EdgeJoined is applied (P2)

	// place is the location that this edge had when it last joined, whatever it has now: as far as the log is applied, which an
	// edge that starts reads anew. So what was in force for it then is in force for what it has on disk since (L4).
	place string

	hosts *distribution.Hosts
	sites sites

	tickets *tickets
	tiers   *tier.Map // whom else a fill may ask
}

func (s *Snap) position() journal.Position {
	return journal.Position{Epoch: s.epoch, Seq: s.seq, ID: s.id}
}

// site is one distribution within a Snap.
type site struct {
	*distribution.Distribution
	tags   invalidation.TagList // how CacheTagHeader is read
	rev    uint64               // sequence of the entry that made this configuration
	unread bool                 // or that made another one, which this edge does not understand: nothing of other edges' is meant by it
	ever   ever                 // what it has forgotten too, in a build for tests
	index  *invalidation.Index
	soft   *invalidation.Index // rules that mark stale (marked.go)
	newest uint64              // the number of the newest rule of both, read on every hit
	abroad *abroad             // rules that are in force at other places, and not here (abroad.go)
	paces  []paced

	// wrote is when an unsafe request last changed something of it, as in written; shared by all that it ever was.
	wrote *atomic.Int64
}

// site returns the distribution that answers for a host, or nil.
func (s *Snap) site(host string) *site {
	if d := s.hosts.Lookup(host); d != nil {
		return s.sites.of(d.ID)
	}
	return nil
}

// draft is the next Snap while its entry is applied: what is not touched is shared with the last one.
type draft struct {
	Snap
	own     ownSites
	routes  bool            // hosts must be made anew
	touched map[string]bool // distributions whose objects or answers may be affected
	ended   bool            // a membership is over, and its heads are to be waited for
	told    bool            // somebody waits for the acknowledgement, although nothing is touched
	kin     []tier.Change   // what becomes of tiers when the draft is finished: many at a time, for those that start together
}

func (s *Snap) draft() *draft { return &draft{Snap: *s} }

func (d *draft) put(id string, x *site) { d.sites.put(&d.own, id, x) }

// touch notes that decisions about this distribution may come out differently from here on.
func (d *draft) touch(id string) {
	if d.touched == nil {
		d.touched = map[string]bool{}
	}
	d.touched[id] = true
}

// snap finishes the draft.
func (d *draft) snap() *Snap {
	if d.routes {
		all := make([]*distribution.Distribution, 0, d.sites.len())
		for _, s := range d.sites.all() {
			all = append(all, s.Distribution)
		}
		d.hosts = distribution.NewHosts(all)
	}
	if len(d.touched) > 0 || d.ended {
		d.tickets = newTickets()
	}
	d.tiers, d.kin = d.tiers.With(d.kin...), nil
	s := d.Snap
	return &s
}
