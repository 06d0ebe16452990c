package jetstream

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// filled makes three nodes with a log of n entries, and opens them.
func filled(t *testing.T, n int) *trio {
	t.Helper()
	c := newNodes(t, 3)
	t.Cleanup(c.closeAll)
	c.fill(t, n)
	return c
}

// filledOutside is the same with an operator's NATS of so many servers; each node has come to another one, as far as there are.
func filledOutside(t *testing.T, servers, n int) *trio {
	t.Helper()
	c := &trio{nats: newYours(t, servers), logs: make([]*Log, 3)}
	t.Cleanup(c.closeAll)
	for i := range c.logs {
		config := c.nats.config(t, "")
		config.External.URLs, config.External.Node = c.nats.urls()[i%servers:][:1], string(rune('a'+i))
		config.Logger = config.Logger.With("node", config.External.Node)
		c.configs = append(c.configs, config)
	}
	c.fill(t, n)
	return c
}

func (c *trio) fill(t *testing.T, n int) {
	t.Helper()
	for i := range c.configs {
		c.configs[i].step = c.steps[i].at
	}
	alone(t, c.configs[0].Dir, slices.Repeat([]journal.Fact{{Tick: &journal.Tick{}}}, n-1)...)
	if c.nats != nil {
		c.logs[0] = mustOpen(t, c.configs[0]) // the others find what it has carried over
	}
	c.open(t)
}

// hook is what is done at each step of a node's compactions. It can be changed while the node runs.
type hook struct {
	do atomic.Pointer[func(step string)]
}

func (h *hook) set(do func(step string)) { h.do.Store(&do) }

func (h *hook) at(step string) {
	if do := h.do.Load(); do != nil {
		(*do)(step)
	}
}

// everywhere runs a test on a log of n entries in each of the places in which one with several nodes can be: a cluster of them, and an operator's NATS of so many servers.
func everywhere(t *testing.T, n int, servers []int, f func(t *testing.T, c *trio)) {
	t.Parallel() // it mostly waits
	t.Run("cluster", func(t *testing.T) { t.Parallel(); f(t, filled(t, n)) })
	for _, k := range servers {
		t.Run(fmt.Sprint("NATS of ", k), func(t *testing.T) { t.Parallel(); f(t, filledOutside(t, k, n)) })
	}
}

// dirs are where all that a log consists of lies.
func (c *trio) dirs() (all []*string) {
	for i := range c.configs {
		all = append(all, &c.configs[i].Dir)
	}
	if c.nats != nil {
		for i := range c.nats.dirs {
			all = append(all, &c.nats.dirs[i])
		}
	}
	return all
}

// down stops everything, and up starts it.
func (c *trio) down() {
	c.closeAll()
	if c.nats != nil {
		for i := range c.nats.servers {
			c.nats.stop(i)
		}
	}
}

func (c *trio) up(t *testing.T) {
	t.Helper()
	if c.nats != nil {
		for i, s := range c.nats.servers {
			if s == nil {
				c.nats.start(t, i)
			}
		}
	}
	c.open(t)
}

// lose stops one of those that have a replica, or all that there is.
func (c *trio) lose(i int) {
	if c.nats != nil {
		c.nats.stop(i % len(c.nats.servers))
	} else {
		c.close(i)
	}
}

// ordering waits until somebody leads the log, and says which of those that have a replica.
func (c *trio) ordering(t *testing.T) int {
	t.Helper()
	if c.nats != nil {
		return c.nats.whole(t, c.configs[0].names().stream)
	}
	i, _ := c.leads(t)
	return i
}

// inspect reads a log by way of one node; where that has an engine of its own it is stopped, with all others.
func (c *trio) inspect(t *testing.T, i int) (Inspected, error) {
	t.Helper()
	if c.nats != nil {
		return Inspect(minute(t), c.configs[i], nil)
	}
	c.closeAll()
	found, err := Inspect(t.Context(), Config{Dir: c.configs[i].Dir}, nil)
	if !found.Replica {
		t.Errorf("%+v", found)
	}
	return found, err
}

// all reads what a node has, as a follower does.
func (c *trio) all(t *testing.T, i int) (all []*journal.Entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	end, err := c.logs[i].End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var chain journal.Chain
	for from := uint64(1); from <= end; {
		some, err := c.logs[i].Read(ctx, from, 7)
		if err != nil || len(some) == 0 {
			t.Fatalf("node %d reads from %d: %d entries, %v", i, from, len(some), err)
		}
		for _, e := range some {
			if len(all) > 0 && e.Base > all[0].Base { // compacted meanwhile
				all, chain, from = nil, journal.Chain{}, 1
				break
			}
			if !chain.Next(e) {
				t.Fatalf("node %d reads from %d: entry %d does not continue the chain", i, from, e.Seq)
			}
			all = append(all, e)
		}
		if n := len(all); n > 0 {
			from = all[n-1].Seq + 1
		}
	}
	return all
}

// wantAll wants each node that is open to have this and nothing else.
func (c *trio) wantAll(t *testing.T, what string, want []*journal.Entry) {
	t.Helper()
	for i, l := range c.logs {
		if l == nil {
			continue
		}
		got := c.all(t, i)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: node %d has %d entries, %d and base %d the first; want %d with base %d", what, i, len(got), got[0].Seq, got[0].Base, len(want), want[0].Base)
		}
	}
}

// compact compacts by way of one node.
func (c *trio) compact(t *testing.T, i, tail int) {
	t.Helper()
	c.compactTo(t, i, tail, func() Extract { return everyTenth() })
}

// compactTo compacts until it is done: who leads may be changing, and what one try has begun the next one brings to its end.
func (c *trio) compactTo(t *testing.T, i, tail int, extract func() Extract) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	l := c.logs[i]
	end, err := l.End(ctx)
	for err == nil || ctx.Err() == nil {
		if _, err = l.Compact(ctx, Compaction{Tail: uint64(tail), Extract: extract()}); err == nil && l.slots.shape().base+uint64(tail) > end {
			return
		}
	}
	t.Fatalf("node %d, up to %d entries before %d: base %d, %v", i, tail, end, l.slots.shape().base, err)
}

// agree waits until all nodes that are open have found out what others have done.
func (c *trio) agree(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; {
		var err error
		bases := map[uint64]bool{}
		for _, l := range c.logs {
			if l != nil {
				err = errors.Join(err, l.Refresh(t.Context()))
				bases[l.slots.shape().base] = true
			}
		}
		if err == nil && len(bases) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("they differ:", bases, err)
		}
	}
}

// leads waits until somebody leads the log, and says who, and one who does not.
func (c *trio) leads(t *testing.T) (leads, follows int) {
	t.Helper()
	eventually(t, "somebody leads", func() bool {
		leads = slices.IndexFunc(c.logs, func(l *Log) bool { return l != nil && l.Compacts() })
		return leads >= 0
	})
	return leads, (leads + 1) % len(c.logs)
}
