package edge

import (
	"hash/maphash"
	"sync"

	"github.com/warmfront/warmfront/journal"
)

// trail is which entries an edge has applied last. A journal that was put back from an older copy, or has lost its end, gives its
// numbers anew: two edges that stand at one number may have come there by different ways until each has noticed (E1). So who is
// asked by another edge compares not numbers alone; entries are chained, and with the same one they have the same before it.
// It is the follower's, but for what other edges ask about. Without room, in an edge that is not asked, it keeps nothing.
type trail struct {
	mu   sync.RWMutex
	seed maphash.Seed // guarded by mu, as kept
	kept []footprint
}

type footprint struct{ seq, id uint64 }

// trailKept is how many entries are kept (L9). Who asks by an older one is told to go elsewhere.
const trailKept = 4096

func (t *trail) note(entry *journal.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) > 0 {
		t.kept[entry.Seq%trailKept] = footprint{entry.Seq, maphash.String(t.seed, string(entry.ID))}
	}
}

// has tells whether the entry with that number has that ID, as far as that is known.
func (t *trail) has(seq uint64, id string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.kept) > 0 && t.kept[seq%trailKept] == footprint{seq, maphash.String(t.seed, id)}
}

// clear forgets all.
func (t *trail) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.kept)
}
