package simulation

import (
	"context"
	"sync"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// controlNode is a machine on which a control plane runs, and is started again when it has ended.
type controlNode struct {
	w     *world
	name  string
	clock journal.Clock

	mu      sync.Mutex
	control *control.Control // nil: none runs, or it has not caught up yet
	link    *link
	kill    context.CancelFunc
}

func (w *world) addControl(name string) {
	n := &controlNode{w: w, name: name, clock: w.clock(name)}
	w.controls, w.names = append(w.controls, n), append(w.names, name)
}

// run starts one process after the other.
func (n *controlNode) run() {
	r := n.w.luckOf(n.name + " restarts")
	for pause(r.within(10 * time.Millisecond)); !n.w.ended(); pause(r.within(time.Second)) {
		n.process()
	}
}

func (n *controlNode) process() {
	l := n.w.link(n.name)
	defer l.cut()
	c, err := control.New(control.Config{Log: l, Clock: n.clock, Timing: n.timing()})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n.mu.Lock()
	n.link, n.kill = l, cancel
	n.mu.Unlock()
	var ready sync.WaitGroup
	ready.Go(func() {
		select {
		case <-c.Ready():
			n.w.note("%s runs", n.name)
			n.mu.Lock()
			n.control = c
			n.mu.Unlock()
		case <-ctx.Done():
		}
	})
	if n.w.ended() {
		cancel()
	}
	err = c.Run(ctx)
	cancel()
	ready.Wait()
	n.mu.Lock()
	n.control = nil
	n.mu.Unlock()
	n.w.note("%s has ended: %v", n.name, err)
}

// timing is what the tracker goes by.
func (n *controlNode) timing() journal.Timing {
	t := timing
	if n.w.mistake == shortWait {
		t.Lease, t.Decide = time.Nanosecond, time.Nanosecond
	}
	return t
}

// die ends the process, with whatever it was doing.
func (n *controlNode) die() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kill != nil {
		n.w.note("%s is killed", n.name)
		n.control = nil
		n.link.cut()
		n.kill()
	}
}

// up returns what runs, or nil.
func (n *controlNode) up() (*control.Control, *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.control, n.link
}

// anyControl returns one that runs, or nil.
func (w *world) anyControl(r *luck) (*control.Control, *link) {
	i := r.n(len(w.controls))
	for k := range w.controls {
		if c, l := w.controls[(i+k)%len(w.controls)].up(); c != nil {
			return c, l
		}
	}
	return nil, nil
}

// command has a control node do what an edge asks it to, and replies unless one of them is gone.
func (l *link) command(ctx context.Context, do func(context.Context, *control.Control) error) error {
	said, err := ask(ctx, l, l.parts, 3*time.Second, func(reply func(error)) {
		c, there := l.w.anyControl(l.parts)
		if c == nil {
			return
		}
		l.w.stands(there.node)
		within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := do(within, c); !there.isDown() {
			reply(err)
		}
	})
	if err != nil {
		return err
	}
	return said
}
