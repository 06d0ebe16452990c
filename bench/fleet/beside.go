package fleet

import (
	"sync"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// shared hears each push once for all edges that are in the journal's process. Every edge decodes what it gets on a machine of its
// own; here hundreds would wait for each other's turn to do the same.
type shared struct {
	journal.Log

	mu  sync.Mutex
	all map[*beside]func(*journal.Entry) // guarded by mu
}

func (s *shared) deliver(e *journal.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b, deliver := range s.all {
		b.hear(func() { deliver(e) })
	}
}

// beside is the log as one of these edges sees it: it hears by itself.
type beside struct {
	*shared
	heard chan func()
	done  chan struct{}
}

// room of an edge that is beside the journal; what comes when it is full is lost, as a push may be.
const unheard = 4096

// seat is one beside the journal.
func (s *shared) seat(plane *control.Control) *seat {
	b := &beside{s, make(chan func(), unheard), make(chan struct{})}
	go func() { // until it is closed
		defer close(b.done)
		for next := range b.heard {
			next()
		}
	}()
	return &seat{Log: b, join: joining(plane), leave: plane.Leave, close: func() {
		close(b.heard) // nothing is pushed any more
		<-b.done
	}}
}

func (b *beside) hear(next func()) {
	select {
	case b.heard <- next:
	default:
	}
}

func (b *beside) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[b] = deliver
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.all, b)
	}, nil
}
