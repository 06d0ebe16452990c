// Package journal knows the ordered log of facts, the only thing that control plane and edges share
// (law L1), and the protocol by which it is written and followed: writer rules W1–W4, edge rule E1,
// probes P1 and acknowledgements E3 of the journal's protocol.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// ID is the random 128-bit name of an entry, in hex. Entries are chained by the previous one's.
type ID string

// NewID returns a fresh random ID.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:])
	return ID(hex.EncodeToString(b[:]))
}

// Entry is one slot of the log: facts that become true together, atomically.
type Entry struct {
	Epoch ID        // names the log's life; a new log has a new one. Set by the genesis entry, Seq 1.
	Seq   uint64    // contiguous from 1
	ID    ID        // random
	Prev  ID        // ID of the entry at Seq-1; "" for the genesis
	Time  time.Time // wall clock of the writer; informational only, no decision may use it (C4)
	Facts []Fact

	// Base, of an entry that a compaction has kept, is the number of the first one from which on nothing is missing. Below it
	// are the genesis and what still means something, some of it without facts that do not; numbers and IDs are what they
	// always were. 0 in all others.
	Base uint64 `json:",omitempty"`
}

// Log is the raw log of one shard with its signals. It promises order, compare-and-swap and, once
// Append returned nil, durability. Everything else (chain, gaps, doubt) is checked above it, by
// Writer and Follower. All methods may be called concurrently.
//
// Two implementations pass the conformance suite in journal/journaltest: journal/memory and
// journal/jetstream.
type Log interface {
	// Append stores e in slot e.Seq if the log ends at e.Seq-1, with the entry whose ID is e.Prev. ErrSlotTaken: another entry is
	// there, or an earlier attempt with this one. ErrTooLarge, ErrFull, ErrStopped, ErrClosed: e was
	// not sent. ErrBroken: the log ends before e.Seq-1, or has another entry there: it is not the one on which e was decided.
	// Any other error leaves it unknown whether e is, or will be, stored (W3).
	Append(ctx context.Context, e *Entry) error

	// Read returns up to max entries from seq on, in order, without a gap. It may return fewer, but if
	// two are there at least two (max permitting): who asks from the last entry that it knows, and gets
	// that alone, has seen the end. None: nothing there yet. Read sees every entry that this Log
	// confirmed or delivered before. ErrDamaged: an entry is there and cannot be read.
	// Of what has been compacted it returns what was kept (Entry.Base), so that the first entry may be a later one than seq.
	Read(ctx context.Context, from uint64, max int) ([]*Entry, error)

	// Live calls deliver for entries as they are appended, in order, at most once each, possibly
	// with gaps, until stop. deliver must not block for long.
	Live(deliver func(*Entry)) (stop func(), err error)

	// Ack says that this edge has applied everything up to a.Seq, cumulatively (E3).
	Ack(ctx context.Context, a Ack) error
	// Acks calls deliver for acknowledgements as they come. They may be lost, repeated, reordered.
	Acks(deliver func(Ack)) (stop func(), err error)

	// Probe asks a freshness server for the sequence of an entry appended after the probe was sent (P1).
	Probe(ctx context.Context) (uint64, error)
	// ServeProbes answers probes with answer until stop.
	ServeProbes(answer func(ctx context.Context) (uint64, error)) (stop func(), err error)

	Close() error
}

// Laggard is a Log whose Read may end before the log does, if what is missing was neither confirmed nor delivered by this Log: it is
// one replica of several.
type Laggard interface {
	MayLag() bool

	// End returns the number of an entry that is no earlier than any that was confirmed, by whatever Log, before the call. Reads see it
	// from then on.
	End(ctx context.Context) (uint64, error)
}

// Doubtful is a Log that may be without something that edges follow: it was opened in spite of a loss, restored, or put back from a copy, or has
// turned out to be so.
type Doubtful interface {
	Doubt() bool    // when it was opened
	Doubted() error // it has turned out to be: it is doubted at the next start, too
	Settled() error // it need not be doubted any more, at the next start either
}

// Ack is an edge's cumulative acknowledgement of a Position.
type Ack struct {
	Edge        string
	Incarnation string
	Epoch       ID
	Seq         uint64
	ID          ID        // of entry Seq: after a loss another one has its number
	At          time.Time // the edge's wall clock; for receipts only
}

// Errors that callers branch on.
var (
	ErrSlotTaken = errors.New("journal: slot taken")
	ErrBroken    = errors.New("journal: chain broken") // W4, E1: the log was rolled back or replaced, or does not go back far enough
	ErrClosed    = errors.New("journal: closed")
	ErrTooLarge  = errors.New("journal: entry too large")       // nothing was sent
	ErrFull      = errors.New("journal: disk full")             // nothing was sent; frees itself with space
	ErrStopped   = errors.New("journal: engine stopped")        // nothing was sent; needs a restart
	ErrDamaged   = errors.New("journal: entry unreadable")      // the store returns octets that are no entry
	ErrBusy      = errors.New("journal: too many commits wait") // nothing was sent; Together's
	ErrDoubt     = errors.New("journal: outcome unknown")       // W3 ran out of time: the entry may or may not be stored
)
