// Package memory is a small, complete journal.Log that forgets everything with the process. It is there
// for tests: besides keeping the contract it can break it in the ways the world does (see Faults).
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Log is the log. Entries are kept encoded, so that what is read is what a real store would return.
// New makes it; all methods may be called concurrently.
type Log struct {
	mu      sync.Mutex
	stored  [][]byte     // entry n is stored[n-1]; nil: a compaction has left it out
	ids     []journal.ID // of them all
	faults  Faults
	held    []*journal.Entry
	closed  bool
	probing func(context.Context) (uint64, error)
	probes  sync.WaitGroup

	// order is held while pushing, so that pushes keep the log's order. Before mu.
	order sync.Mutex
	live  subscribers[*journal.Entry]
	acks  subscribers[journal.Ack]
}

// New returns a log with a fresh epoch that has its genesis.
func New() *Log {
	l := &Log{}
	l.genesis()
	return l
}

func (l *Log) genesis() {
	e := journal.Genesis(time.Now())
	b, err := journal.Encode(e)
	if err != nil {
		panic("BUG: genesis: " + err.Error())
	}
	l.stored, l.ids = [][]byte{b}, []journal.ID{e.ID}
}

// Append implements journal.Log.
func (l *Log) Append(ctx context.Context, e *journal.Entry) error {
	b, err := journal.Encode(e)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.order.Lock()
	defer l.order.Unlock()

	l.mu.Lock()
	fault := Stored
	if l.faults.Append != nil {
		fault = l.faults.Append(e)
	}
	switch last := uint64(len(l.stored)); {
	case l.closed:
		err = journal.ErrClosed
	case fault == Full:
		err = journal.ErrFull
	case e.Seq <= last:
		err = journal.ErrSlotTaken
	case e.Seq > last+1:
		err = fmt.Errorf("%w: the log ends at %d", journal.ErrBroken, last)
	case e.Prev != l.ids[last-1]:
		err = fmt.Errorf("%w: entry %d is %.8s, not %.8s", journal.ErrBroken, last, l.ids[last-1], e.Prev)
	case fault != Lost:
		l.stored, l.ids = append(l.stored, b), append(l.ids, e.ID)
	}
	l.mu.Unlock()

	if err != nil {
		return err
	}
	if fault != Lost {
		l.push(b)
	}
	if fault != Stored {
		return ErrDoubtful
	}
	return nil
}

// ErrDoubtful is what an Append returns whose fault leaves its outcome open.
var ErrDoubtful = errors.New("memory: no answer")

// Read implements journal.Log.
func (l *Log) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, journal.ErrClosed
	}
	if l.faults.Read != nil {
		if err := l.faults.Read(from); err != nil {
			return nil, err
		}
	}
	from = atLeast(from, 1)
	if from > uint64(len(l.stored)) {
		return nil, nil
	}
	rest := l.stored[from-1:]
	entries := make([]*journal.Entry, 0, min(max, len(rest)))
	for _, b := range rest {
		if len(entries) == max {
			break
		}
		if b == nil {
			continue
		}
		e, err := journal.Decode(b)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Compact leaves out what is before entry base, but for kept.
func (l *Log) Compact(base uint64, kept []*journal.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.stored[:base-1] {
		l.stored[i] = nil
	}
	for _, e := range kept {
		k := *e
		k.Base = base
		b, err := journal.Encode(&k)
		if err != nil {
			panic("BUG: compaction: " + err.Error())
		}
		l.stored[k.Seq-1] = b
	}
}

// Live implements journal.Log. deliver is called by the goroutine that appends, one entry at a time; it
// must not append.
func (l *Log) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return subscribe(l, &l.live, deliver)
}

// Ack implements journal.Log.
func (l *Log) Ack(ctx context.Context, a journal.Ack) error {
	l.mu.Lock()
	closed := l.closed
	drop := l.faults.Ack != nil && l.faults.Ack(a)
	l.mu.Unlock()
	if closed {
		return journal.ErrClosed
	}
	if !drop {
		l.acks.deliver(a)
	}
	return ctx.Err()
}

// Acks implements journal.Log. deliver is called by the goroutine that acknowledges.
func (l *Log) Acks(deliver func(journal.Ack)) (stop func(), err error) {
	return subscribe(l, &l.acks, deliver)
}

// Probe implements journal.Log.
func (l *Log) Probe(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	answer, fault := l.probing, l.faults.Probe
	if l.closed {
		l.mu.Unlock()
		return 0, journal.ErrClosed
	}
	if answer != nil {
		l.probes.Add(1)
		defer l.probes.Done()
	}
	l.mu.Unlock()
	if fault != nil {
		if err := fault(); err != nil {
			return 0, err
		}
	}
	if answer == nil {
		return 0, errors.New("memory: no freshness server")
	}
	return answer(ctx)
}

// ServeProbes implements journal.Log. The last one that serves answers.
func (l *Log) ServeProbes(answer func(context.Context) (uint64, error)) (stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, journal.ErrClosed
	}
	l.probing = answer
	return func() {
		l.mu.Lock()
		l.probing = nil
		l.mu.Unlock()
		l.probes.Wait()
	}, nil
}

// Close implements journal.Log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

func (l *Log) push(b []byte) {
	e, err := journal.Decode(b)
	if err != nil {
		panic("BUG: stored what cannot be read: " + err.Error())
	}
	l.mu.Lock()
	fate := Delivered
	if l.faults.Push != nil {
		fate = l.faults.Push(e)
	}
	if fate == Held {
		l.held = append(l.held, e)
	}
	l.mu.Unlock()
	if fate == Delivered {
		l.live.deliver(e)
	}
}

func subscribe[T any](l *Log, s *subscribers[T], deliver func(T)) (stop func(), err error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, journal.ErrClosed
	}
	return s.add(deliver), nil
}

// subscribers is a set of functions; the zero value is empty.
type subscribers[T any] struct {
	mu   sync.Mutex
	list []*func(T)
}

func (s *subscribers[T]) add(f func(T)) (stop func()) {
	p := &f
	s.mu.Lock()
	s.list = append(s.list, p)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.list = slices.DeleteFunc(slices.Clone(s.list), func(q *func(T)) bool { return q == p })
		s.mu.Unlock()
	}
}

func (s *subscribers[T]) deliver(v T) {
	s.mu.Lock()
	list := s.list[:len(s.list):len(s.list)]
	s.mu.Unlock()
	for _, f := range list {
		(*f)(v)
	}
}

// atLeast stands where the parameter max hides the builtin.
func atLeast(a, b uint64) uint64 { return max(a, b) }
