package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// edges are those that take part.
type edges struct {
	seats []*seat
	stop  func()
}

// How many start at the same time. Those that join together are told to all that are there in one entry. On one machine hundreds that
// come with TLS at once hold each other up until they ask again; beside the journal there is nothing that they would wait for.
const (
	atOnceAfar   = 64
	atOnceBeside = 1024
)

// join starts them, each where it takes a seat, and waits until each may serve.
func (c Config) join(ctx context.Context, take func(i int) (*seat, error)) (*edges, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	atOnce := atOnceAfar
	if c.Farthest == 0 {
		atOnce = atOnceBeside
	}
	var all sync.WaitGroup
	e := &edges{}
	e.stop = func() {
		cancel()
		all.Wait()
		for _, s := range e.seats {
			s.close()
		}
	}
	var made []*edge.Edge
	for i := range c.Edges {
		s, err := take(i)
		if err != nil {
			e.stop()
			return nil, err
		}
		e.seats = append(e.seats, s)
		one, err := newEdge(nameOf(i), s)
		if err != nil {
			e.stop()
			return nil, err
		}
		made = append(made, one)
		all.Go(func() { one.Run(running) })
		if len(made) < atOnce && i+1 < c.Edges {
			continue
		}
		if err := serve(ctx, made); err != nil {
			e.stop()
			return nil, fmt.Errorf("of %d edges: %w", i+1, err)
		}
		made = made[:0]
		c.progress("%d of %d edges serve", i+1, c.Edges)
	}
	if err := e.hear(ctx); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// serve waits until each may.
func serve(ctx context.Context, all []*edge.Edge) error {
	for _, one := range all {
		if !await(ctx, func() bool { return one.Ready() == nil }) {
			return fmt.Errorf("an edge is not ready: %w", one.Ready())
		}
	}
	return nil
}

// hear waits until each that has a relay hears from it.
func (e *edges) hear(ctx context.Context) error {
	for i, s := range e.seats {
		if s.relayed != nil && !await(ctx, s.relayed) {
			return fmt.Errorf("%s hears from no relay: %w", nameOf(i), context.Cause(ctx))
		}
	}
	return nil
}

// await is false when ctx ends before it is so.
func await(ctx context.Context, so func() bool) bool {
	for !so() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

func nameOf(i int) string { return fmt.Sprintf("E%d", i+1) }

// places is how many there are: of each edge, or of each relay and the edges beside it.
func (c Config) places() int {
	if c.Relays > 0 {
		return c.Relays
	}
	return c.Edges
}

// place is where the i-th edge is.
func (c Config) place(i int) int { return i * c.places() / c.Edges }

// distance of the i-th place, one way.
func (c Config) distance(i int) time.Duration {
	if c.places() == 1 {
		return c.Farthest
	}
	return c.Nearest + (c.Farthest-c.Nearest)*time.Duration(i)/time.Duration(c.places()-1)
}

func newEdge(name string, s *seat) (*edge.Edge, error) {
	store, err := memory.New(memory.Config{Capacity: 1 << 20})
	if err != nil {
		return nil, err
	}
	return edge.New(edge.Config{Name: name, Location: name, Log: s, Store: store, Origin: nowhere{}, Join: s.join, Leave: s.leave})
}

// applied is when the last of them had applied each entry.
func (e *edges) applied(seqs []uint64) (last []time.Time, err error) {
	last = make([]time.Time, len(seqs))
	for i, seq := range seqs {
		for _, s := range e.seats {
			at, known := s.acknowledged(seq)
			if !known {
				return nil, errNotApplied
			}
			if at.After(last[i]) {
				last[i] = at
			}
		}
	}
	return last, nil
}

func (e *edges) end() { e.stop() }

// nowhere is the origin of a fleet that nobody asks for anything.
type nowhere struct{}

var errNowhere = errors.New("there is no origin")

func (nowhere) Fetch(context.Context, *distribution.Origin, *origin.Request) (*origin.Response, error) {
	return nil, &origin.Error{Err: errNowhere}
}

func (nowhere) Upgrade(context.Context, *distribution.Origin, *origin.Request) (*origin.Tunnel, *origin.Response, error) {
	return nil, nil, &origin.Error{Err: errNowhere}
}

// seat is where an edge takes part: the journal as it sees it, and what it has said there.
type seat struct {
	journal.Log
	join  func(context.Context, journal.EdgeJoined) error
	leave func(context.Context, journal.EdgeLeft) error
	close func() // nobody sits there any more

	relayed func() bool // whether a relay brings what is pushed; nil: the control node does

	mu   sync.Mutex
	acks []journal.Ack // as they were sent, in order; guarded by mu
}

func (s *seat) Ack(ctx context.Context, a journal.Ack) error {
	s.mu.Lock()
	s.acks = append(s.acks, a)
	s.mu.Unlock()
	return s.Log.Ack(ctx, a) // one that is lost is sent again
}

// acknowledged is when the edge had applied seq, by the first acknowledgement that covers it: at the latest then.
func (s *seat) acknowledged(seq uint64) (at time.Time, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := slices.BinarySearchFunc(s.acks, seq, func(a journal.Ack, seq uint64) int {
		if a.Seq < seq {
			return -1
		}
		return 1
	})
	if i == len(s.acks) {
		return at, false
	}
	return s.acks[i].At, true
}
