package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// edges are those that take part.
type edges struct {
	logs []*far
	stop func()
}

// join starts them and waits until each may serve.
func (c Config) join(ctx context.Context, log journal.Log, plane *control.Control) (*edges, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	e := &edges{}
	var made []*edge.Edge
	near := &shared{Log: log, all: map[*far]func(*journal.Entry){}}
	stop, err := log.Live(near.deliver)
	if err != nil {
		cancel()
		return nil, err
	}
	e.stop = func() {
		stop()
		cancel()
		all.Wait()
		for _, l := range e.logs {
			l.close()
		}
	}
	for i := range c.Edges {
		l := newFar(near, c.distance(i))
		e.logs = append(e.logs, l)
		one, err := newEdge(fmt.Sprintf("E%d", i+1), l, plane)
		if err != nil {
			e.stop()
			return nil, err
		}
		made = append(made, one)
		all.Go(func() { one.Run(running) })
	}
	for _, one := range made {
		for one.Ready() != nil {
			select {
			case <-ctx.Done():
				e.stop()
				return nil, fmt.Errorf("an edge is not ready: %w", one.Ready())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return e, nil
}

// distance of the i-th edge, one way.
func (c Config) distance(i int) time.Duration {
	if c.Edges == 1 {
		return c.Farthest
	}
	return c.Nearest + (c.Farthest-c.Nearest)*time.Duration(i)/time.Duration(c.Edges-1)
}

func newEdge(name string, l *far, plane *control.Control) (*edge.Edge, error) {
	store, err := memory.New(memory.Config{Capacity: 1 << 20})
	if err != nil {
		return nil, err
	}
	return edge.New(edge.Config{
		Name: name, Location: name, Log: l, Store: store, Origin: nowhere{},
		Join: func(ctx context.Context, j journal.EdgeJoined) error {
			_, err := plane.Join(ctx, j)
			return err
		},
		Leave: plane.Leave,
	})
}

// applied is when the last of them had applied it.
func (e *edges) applied(seq uint64) (last time.Time, err error) {
	for _, l := range e.logs {
		at, known := l.acknowledged(seq)
		if !known {
			return last, errNotApplied
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// nowhere is the origin of a fleet that nobody asks for anything.
type nowhere struct{}

var errNowhere = errors.New("there is no origin")

func (nowhere) Fetch(context.Context, *distribution.Origin, *origin.Request) (*origin.Response, error) {
	return nil, &origin.Error{Err: errNowhere}
}

func (nowhere) Upgrade(context.Context, *distribution.Origin, *origin.Request) (*origin.Tunnel, *origin.Response, error) {
	return nil, nil, &origin.Error{Err: errNowhere}
}

// shared hears each push once for all edges. Every edge decodes what it gets on a machine of its own; here hundreds
// would wait for each other's turn to do the same.
type shared struct {
	journal.Log

	mu  sync.Mutex
	all map[*far]func(*journal.Entry)
}

func (s *shared) deliver(e *journal.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f, deliver := range s.all {
		f.here.send(func() { deliver(e) })
	}
}

func (s *shared) live(f *far, deliver func(*journal.Entry)) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[f] = deliver
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, f)
	}, nil
}

// far is the log as its only edge sees it, a distance away.
type far struct {
	*shared
	way time.Duration

	here, there *pipe // towards the edge, and back

	mu   sync.Mutex
	acks []journal.Ack // as they were sent, in order
}

func newFar(near *shared, way time.Duration) *far {
	return &far{shared: near, way: way, here: newPipe(way), there: newPipe(way)}
}

func (f *far) close() {
	f.here.close()
	f.there.close()
}

// travel waits for as long as one way takes.
func (f *far) travel(ctx context.Context) error {
	t := time.NewTimer(f.way)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (f *far) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if err := f.travel(ctx); err != nil {
		return nil, err
	}
	entries, err := f.Log.Read(ctx, from, max)
	return entries, errors.Join(err, f.travel(ctx))
}

func (f *far) Probe(ctx context.Context) (uint64, error) {
	if err := f.travel(ctx); err != nil {
		return 0, err
	}
	z, err := f.Log.Probe(ctx)
	return z, errors.Join(err, f.travel(ctx))
}

func (f *far) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return f.live(f, deliver)
}

func (f *far) Ack(ctx context.Context, a journal.Ack) error {
	f.mu.Lock()
	f.acks = append(f.acks, a)
	f.mu.Unlock()
	f.there.send(func() { f.Log.Ack(context.WithoutCancel(ctx), a) }) // one that is lost is sent again
	return nil
}

// acknowledged is when the edge had applied seq, by the first acknowledgement that covers it: at the latest then.
func (f *far) acknowledged(seq uint64) (at time.Time, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, _ := slices.BinarySearchFunc(f.acks, seq, func(a journal.Ack, seq uint64) int {
		if a.Seq < seq {
			return -1
		}
		return 1
	})
	if i == len(f.acks) {
		return at, false
	}
	return f.acks[i].At, true
}

// pipe brings what is sent after the same time, in order.
type pipe struct {
	after time.Duration
	on    chan parcel
	done  chan struct{}
}

type parcel struct {
	due    time.Time
	arrive func()
}

// room is for what is under way; what comes when it is full is lost, as a push or an acknowledgement may be.
const room = 4096

func newPipe(after time.Duration) *pipe {
	p := &pipe{after: after, on: make(chan parcel, room), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *pipe) run() {
	defer close(p.done)
	for one := range p.on {
		time.Sleep(time.Until(one.due))
		one.arrive()
	}
}

func (p *pipe) send(arrive func()) {
	select {
	case p.on <- parcel{time.Now().Add(p.after), arrive}:
	default:
	}
}

// close lets what is under way arrive. Nobody sends any more.
func (p *pipe) close() {
	close(p.on)
	<-p.done
}
