package cache

import (
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/pages"
	"github.com/warmfront/warmfront/invalidation"
)

// Sight is an object as Range shows it: what rules, receipts and statistics go by, without what would have to
// be copied for them. Its strings, those of Subject too, are valid until the visit returns.
type Sight struct {
	Key          string
	Distribution string // this one may be kept, and so may Epoch
	Epoch        string
	Subject      invalidation.Subject
	Stamp        uint64
	Status       int
	Size         int64 // octets of the body
	Stored       time.Time
	Hits         uint64
	Seen         uint64 // what it was checked against; see Checked

	Keeper Keeper // never nil
	Serial uint64
}

// Checked is Object.Checked.
func (s *Sight) Checked() uint64 { return max(s.Seen, s.Stamp) }

// SetChecked is Object.SetChecked.
func (s *Sight) SetChecked(seq uint64) { s.Keeper.NoteChecked(s.Key, s.Serial, seq) }

// SetMarked is Object.SetMarked.
func (s *Sight) SetMarked() bool { return s.Keeper.NoteMarked(s.Key, s.Serial) }

// Drop removes the object, if it is still there.
func (s *Sight) Drop() bool { return s.Keeper.Drop(s.Key, s.Serial) }

// Object returns all of it; nil if it is not there any more.
func (s *Sight) Object() *Object { return s.Keeper.Fetch(s.Key, s.Serial) }

// Glimpse is an object where it lies, as Skim shows it: the little that nearly always is enough to pass it by.
type Glimpse struct {
	Distribution string // this one may be kept, and so may Epoch
	Epoch        string
	Stamp        uint64
	Status       int
	Mark         *Mark

	// Loan is the store's, for what is wanted less often.
	Loan Loan
}

// Checked is Object.Checked.
func (g *Glimpse) Checked() uint64 { return max(g.Mark.Checked(), g.Stamp) }

// Subject sets s, to strings that are good until the question is answered.
func (g *Glimpse) Subject(s *invalidation.Subject) { g.Loan.Subject(g.Loan.Record, s) }

// Lender is a Store that can show what it has without copying it: for hits in which everything counts.
type Lender interface {
	// Lend shows what is stored under key, and counts it as a use, or returns false. What it shows does not
	// change until Return is called, soon and by the same goroutine: the memory of the whole store waits for
	// it. stripe is internal/stripe's.
	Lend(stripe uint32, key []byte, v *View) bool
	// Return ends what Lend began. After Lend has returned false it must not be called.
	Return(v *View)
}

// Pager is a Store that has pages for large bodies (pages.Pool.Blank): Put leaves a body where it is that was written there.
type Pager interface {
	Blank(n int) *pages.Octets
	// Apart is how many octets of pages hold what is not stored, or no more: what is coming, what viewers are still being sent,
	// and what nobody refers to any more and is not collected yet.
	Apart() int64
	// Collect has the last of these collected, once a second at most. It may take as long as the garbage collector does.
	Collect()
}

// View is a stored object on loan.
type View struct {
	Status      int
	Epoch       string
	Stamp       uint64
	FetchStart  time.Time
	Fresh       httpcache.Freshness
	Block       []byte // prepared heads; empty: this is no plain hit
	Block2      []byte
	ContentType []byte
	Body        []byte
	Pages       *pages.Octets // of Body, which with them is good beyond Return
	Kept        bool          // Body is in the heap, or in Pages: good beyond Return
	Size        int64         // octets of the body, wherever it is
	Far         Far           // where it is, if the store does not have it: then Body is empty
	Proved      *atomic.Int64 // beside Far, for the tier below: when it was last seen to be what was written; good until Return
	Mark        *Mark

	// Loan is the store's, for what is wanted rarely.
	Loan Loan
}

// Loan is the store's side of a View.
type Loan struct {
	Record         []byte
	Stripe, Parity uint32
	Subject        func(record []byte, s *invalidation.Subject)
}

// Checked is Object.Checked.
func (v *View) Checked() uint64 { return max(v.Mark.Checked(), v.Stamp) }

// Subject sets s, to strings that are good until Return.
func (v *View) Subject(s *invalidation.Subject) { v.Loan.Subject(v.Loan.Record, s) }
