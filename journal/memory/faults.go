package memory

import "github.com/warmfront/warmfront/journal"

// Faults are what goes wrong. A nil function means that nothing does. They are called with the log locked:
// they decide, they do not call the log.
type Faults struct {
	Append func(*journal.Entry) AppendFault
	Read   func(from uint64) error   // an error is returned instead of the entries
	Push   func(*journal.Entry) Push // what becomes of a live push
	Ack    func(journal.Ack) (drop bool)
	Probe  func() error // called before the answer; not locked, it may block
}

// AppendFault is what becomes of an Append.
type AppendFault int

const (
	Stored  AppendFault = iota // nothing goes wrong
	LostAck                    // stored, but the caller hears ErrDoubtful
	Lost                       // not stored, and the caller hears ErrDoubtful
	Full                       // not stored, and the caller hears journal.ErrFull
)

// Push is what becomes of a live push.
type Push int

const (
	Delivered Push = iota
	Dropped
	Held // until Release
)

// SetFaults replaces the faults.
func (l *Log) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// Release delivers the pushes that were held, in order.
func (l *Log) Release() {
	l.order.Lock()
	defer l.order.Unlock()
	l.mu.Lock()
	held := l.held
	l.held = nil
	l.mu.Unlock()
	for _, e := range held {
		l.live.deliver(e)
	}
}

// Push delivers an entry to the followers that the log may or may not have: a duplicate, a straggler, a
// forgery.
func (l *Log) Push(e *journal.Entry) {
	l.order.Lock()
	defer l.order.Unlock()
	l.live.deliver(e)
}

// RollBack forgets all entries above to, as a store does that lost what it had confirmed.
func (l *Log) RollBack(to uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to = min(to, uint64(len(l.stored)))
	l.stored, l.ids = l.stored[:to], l.ids[:to]
}

// Replace starts the log anew, with another epoch.
func (l *Log) Replace() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.genesis()
}

// Last returns the number of the last entry.
func (l *Log) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.stored))
}
