package simulation

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
)

// edgeNode is a machine on which an edge runs, and is started again when it has ended.
type edgeNode struct {
	w     *world
	name  string
	clock journal.Clock
	file  *diskFile // that outlives processes; nil: it has no disk
	ends  *luck

	mu      sync.Mutex
	process *process // nil: none
}

// process is one life of an edge.
type process struct {
	node  *edgeNode
	edge  *edge.Edge
	link  *link
	stop  context.CancelFunc
	dead  atomic.Bool // it has been killed: what it still does nobody sees
	asked sync.WaitGroup
}

func (w *world) addEdge(name string) {
	n := &edgeNode{w: w, name: name, clock: w.clock(name), ends: w.luckOf(name + " ends")}
	if w.luckOf(name + " disk").one(3) {
		n.file = newDiskFile()
	}
	w.edges, w.names = append(w.edges, n), append(w.names, name)
}

// run starts one process after the other.
func (n *edgeNode) run() {
	r := n.w.luckOf(n.name + " restarts")
	for pause(r.within(10 * time.Millisecond)); !n.w.ended(); pause(r.within(time.Second)) {
		n.live()
	}
}

func (n *edgeNode) live() {
	p := &process{node: n, link: n.w.link(n.name)}
	defer p.link.cut()
	store, err := memory.New(memory.Config{Capacity: 1 << 20})
	if err != nil {
		panic(err)
	}
	var d *disk.Store
	if n.file != nil {
		file := n.file.open()
		if d, err = disk.Open(disk.Config{File: file, Capacity: disk.MinCapacity}); err != nil {
			panic(err)
		}
		defer d.Close()
	}
	p.edge, err = edge.New(edge.Config{
		Disk: d,
		Name: n.name, Location: n.name[:3] + "50-P1", Log: p.link, Store: store, Origin: n.w.origin, Clock: n.clock, Timing: n.timing(), Logger: n.w.logger(n.name),
		Join: func(ctx context.Context, j journal.EdgeJoined) error {
			p.link.joins(j)
			return p.link.command(ctx, func(ctx context.Context, c *control.Control) error {
				_, err := c.Join(ctx, j)
				return err
			})
		},
		Leave: func(ctx context.Context, l journal.EdgeLeft) error {
			return p.link.command(ctx, func(ctx context.Context, c *control.Control) error { return c.Leave(ctx, l) })
		},
	})
	if err != nil {
		panic(err)
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	defer p.stop()
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
	if n.w.ended() {
		p.stop()
	}
	n.w.note("%s starts", n.name)
	err = p.edge.Run(ctx)
	n.w.note("%s has ended: %v", n.name, err)
	n.mu.Lock()
	n.process = nil
	n.mu.Unlock()
	p.asked.Wait()
}

// timing is what the lease goes by.
func (n *edgeNode) timing() journal.Timing {
	t := timing
	if n.w.mistake == noLease {
		t.Lease = time.Hour
	}
	return t
}

// up returns what runs, or nil.
func (n *edgeNode) up() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// asks returns what runs, with a request that it waits for until asked is done; or nil.
func (n *edgeNode) asks() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		n.process.asked.Add(1)
	}
	return n.process
}

// die ends the process, with whatever it was doing.
func (n *edgeNode) die() {
	if p := n.up(); p != nil {
		n.w.note("%s is killed", n.name)
		n.w.check.mu.Lock() // no answer is under way in between
		p.dead.Store(true)
		n.w.check.mu.Unlock()
		if n.file != nil {
			n.file.killed(n.ends.one(3), n.ends)
		}
		p.link.cut()
		p.stop()
	}
}

// leave ends the process as an operator does.
func (n *edgeNode) leave() {
	if p := n.up(); p != nil {
		n.w.note("%s is stopped", n.name)
		p.stop()
	}
}
