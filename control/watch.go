package control

import "sync"

// ChangeKind says what changed.
type ChangeKind int

// Kinds of changes.
const (
	ChangeMissed       ChangeKind = iota // the watcher was slow, changes were dropped: read again what is shown
	ChangeDistribution                   // created, updated, deployed or deleted
	ChangeInvalidation                   // accepted or completed
	ChangePolicy                         // a policy was created, updated or deleted
	ChangeNode                           // an edge joined, left, or acknowledged entries while something was in progress
)

func (k ChangeKind) String() string {
	return [...]string{"missed", "distribution", "invalidation", "policy", "node"}[k]
}

// Change tells a watcher to look again at one thing.
type Change struct {
	Kind           ChangeKind
	ID             string // of the distribution, invalidation or policy, or the edge's name
	DistributionID string // of an invalidation
	Status         string // the new status; "" when deleted or not applicable
	Seq            uint64 // the entry that caused it, or that was acknowledged
}

// watchBuffer is how many changes wait for a watcher (L9).
const watchBuffer = 256

// watchers are the subscribers. Zero value: none.
type watchers struct {
	mu  sync.Mutex
	all map[chan Change]struct{}
}

// Watch subscribes to changes from now on. stop, which may be called more than once, ends it and
// closes the channel. A watcher for whom 256 changes wait loses them and gets ChangeMissed in their place.
func (c *Control) Watch() (changes <-chan Change, stop func()) {
	w := &c.watchers
	ch := make(chan Change, watchBuffer)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan Change]struct{}{}
	}
	w.all[ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, there := w.all[ch]; there {
			delete(w.all, ch)
			close(ch)
		}
	}
}

// publish never waits for a watcher.
func (w *watchers) publish(changes ...Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.all {
		for _, change := range changes {
			if len(ch) == cap(ch) {
				drain(ch)
				ch <- Change{Kind: ChangeMissed, Seq: change.Seq}
			}
			ch <- change // there is room: only publish sends, and it holds mu
		}
	}
}

func drain(ch chan Change) {
	for {
		select {
		case <-ch:
		default:
			return
		}
	}
}
