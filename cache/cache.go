// Package cache knows bytes under keys: stored responses, found by their cache key, kept within a
// bound. It never decides whether an object may be served; that is edge's, with httpcache and
// invalidation.
package cache

import (
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/invalidation"
)

// Object is a complete response, on its way into a Store or taken out of one. A store keeps it in a form
// of its own; each Get makes an Object anew, which is its caller's. What is shared with others are the
// octets that it refers to, and they never change. A revalidated object is a new Object with the old
// one's Body and Pages.
type Object struct {
	Key          string // the complete cache key
	Distribution string // its id
	Subject      invalidation.Subject
	Stamp        uint64    // position of the snapshot pinned when the fetch began (law L2)
	Epoch        string    // the journal's epoch that Stamp counts in
	FetchStart   time.Time // t0, with the monotonic clock (S1)

	Status  int
	Fields  message.Fields // as they are stored: end-to-end fields only
	Block   []byte         // prepared header block for HTTP/1.1, without what is the edge's own and the hit's; see edge
	Block2  []byte         // the same for HTTP/2
	Body    []byte
	Pages   *pages.Octets // where Body lies, if not in the heap: keep it, or the Object, with every slice of Body
	Far     Far           // where else it lies; a store that is given an Object with one keeps all but the Body
	Length  int64         // of the body, where Body is nil and it lies elsewhere
	Proved  int64         // when it was last seen to be there what was written (View.Proved)
	Fresh   httpcache.Freshness
	Senders *atomic.Int64 // how many send a Body that no store has; nil: one has it, or that is known otherwise
	Hits    atomic.Uint64 // since it was stored, as Used counts them; popularity and receipts

	// checked is the number of the newest rule against which this object was found alive. Equal to
	// the distribution's newest rule: one comparison, done. It only grows.
	checked atomic.Uint64

	// Keeper and Serial are set by the store that has the object, and say which of the objects that come and
	// go under its key it is. What is counted and checked here is told the keeper too.
	Keeper Keeper
	Serial uint64
}

// Far is where a body lies that is left in the tier below: its own words, for nobody else. The zero Far is nowhere.
type Far struct{ Place, Time uint64 }

// Size is of the body, wherever it lies.
func (o *Object) Size() int64 {
	if o.Body == nil {
		return o.Length
	}
	return int64(len(o.Body))
}

// Away tells that the object has been taken out of a store that does not have its body.
func (o *Object) Away() bool { return o.Far != Far{} && o.Body == nil }

// SliceStatus is the Status of a slice of an answer with status 200, which is no answer by itself.
const SliceStatus = 1

// Answered is a Status as invalidations see it; 0, which is no answer's, might be any.
func Answered(status int) int {
	if status == SliceStatus {
		return 200
	}
	return status
}

// Describe tells Subject what conditions look at: the status, the content type, when it was stored. The host is in the
// key, of which the package knows nothing.
func (o *Object) Describe() {
	o.Subject.Status, o.Subject.ContentType, o.Subject.Stored = Answered(o.Status), o.Fields.Get("Content-Type"), o.Fresh.Stored
}

// Used counts a hit; see count.
func (o *Object) Used() {
	if n := one(o.Hits.Load()); n > 0 {
		o.Hits.Add(n)
		if o.Keeper != nil {
			o.Keeper.NoteUsed(o.Key, o.Serial, n)
		}
	}
}

// Checked returns the number up to which the object was found alive, at least its stamp.
func (o *Object) Checked() uint64 { return max(o.checked.Load(), o.Stamp) }

// SetChecked remembers that no rule up to seq matches. Concurrent calls keep the greatest.
func (o *Object) SetChecked(seq uint64) {
	if raise(&o.checked, seq) && o.Keeper != nil {
		o.Keeper.NoteChecked(o.Key, o.Serial, seq)
	}
}

// SetMarked notes that a rule marks the object stale, and tells whether that was not known: so each is counted once, or
// now and then twice, for the note may get lost. Of what no store has it is never told.
func (o *Object) SetMarked() bool { return o.Keeper != nil && o.Keeper.NoteMarked(o.Key, o.Serial) }

// Is tells whether both are what a store has under a key, and the same: not one and what came after it.
func (o *Object) Is(other *Object) bool {
	return other != nil && o.Key == other.Key && o.Serial == other.Serial && o.Keeper == other.Keeper
}

// Keeper is the store's side of an object that has been taken out. An object that is not there any more,
// because it was evicted or another has come under its key, is not told anything.
type Keeper interface {
	NoteUsed(key string, serial, hits uint64)
	NoteChecked(key string, serial, seq uint64)
	NoteMarked(key string, serial uint64) bool
	// Drop is Store.Remove.
	Drop(key string, serial uint64) bool
	// Fetch returns the object, nil if it is not there any more. It counts as no use.
	Fetch(key string, serial uint64) *Object
}

// Store keeps objects. All methods may be called concurrently. Implementations pass the suite in
// cache/cachetest.
type Store interface {
	// Get returns the object under key, or nil. It counts as a use for eviction. key is not retained.
	Get(key []byte) *Object
	// Peek is Get without counting as a use.
	Peek(key []byte) *Object
	// Put stores o, in place of what was under its key, and evicts what no longer fits. It returns
	// false when o alone is larger than the store accepts; then nothing is stored. It may move Body to
	// Pages, if Pages is nil, and sets Keeper and Serial: nobody else may know of o yet.
	Put(o *Object) bool
	// Remove drops o if it is still what is stored under its key.
	Remove(o *Object) bool
	// Range calls visit for every object that is there during the whole call; others may or may not
	// be visited. visit may call every method of the store. What it is shown is valid until it returns.
	Range(visit func(*Sight) bool)
	// Skim is Range for who wants to see few of what is there, which then costs a tenth: passes is asked of an object where it
	// lies, and if it says so there is no visit. It must be quick and call nothing of the store: its memory waits. Not all need be asked. on is
	// called behind each few objects, visited or not, with their number, and may take its time; it ends the walk as visit does.
	Skim(passes func(*Glimpse) bool, visit func(*Sight) bool, on func(looked int) bool)
	// Clear drops everything.
	Clear()
	Stats() Stats
}

// Stats of a store, a consistent enough picture for metrics.
type Stats struct {
	Objects   int64
	Bytes     int64 // that the objects take: bodies, heads and the store's own overhead for each
	Held      int64 // bytes of memory taken for all that, room for what comes next included
	Capacity  int64 // bytes, what Held does not exceed
	Evictions uint64
}
