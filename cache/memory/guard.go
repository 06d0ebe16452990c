package memory

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// guard lets readers use the store's memory without a lock, and tells writers when a piece of it that
// cannot be reached any more is not being read any more either. That is epoch-based reclamation: a
// reader counts itself in under the present epoch, and looks again whether that is still the present
// one. What is taken out of reach while an epoch lasts is free when the next one has begun and all
// readers of that one have counted themselves out.
//
//	reader:  load epoch 7   count in at 7   load epoch: still 7   find, read   count out
//	writer:        take out of reach   retire in 7        epoch 8 … nobody at 7: free
//
// Readers who come after epoch 8 has begun cannot find what was out of reach before. Who counts himself in
// at 7 after the writer has looked finds that the epoch is 8, counts himself out and begins again. Two
// counters do, for odd and for even epochs, because an epoch only begins when nobody is left of the one
// before the last. Counters are kept several times over, as internal/stripe says.
type guard struct {
	epoch atomic.Uint64

	mu      sync.Mutex
	retired []func() // in the present epoch; guarded by mu
	waiting []func() // for the readers of the epoch before; guarded by mu

	pending atomic.Int64 // how many there are of both

	stripes [stripes]struct {
		readers [2]atomic.Int64
		_       [48]byte // a cache line for each
	}
}

const stripes = 32

// enter counts a reader in; leave wants what it returns.
func (g *guard) enter(stripe uint32) (parity uint32) {
	readers := &g.stripes[stripe%stripes].readers
	for {
		e := g.epoch.Load()
		readers[e&1].Add(1)
		if g.epoch.Load() == e {
			return uint32(e & 1)
		}
		readers[e&1].Add(-1)
	}
}

func (g *guard) leave(stripe, parity uint32) {
	g.stripes[stripe%stripes].readers[parity].Add(-1)
}

// retire has free called when nobody reads any more what has just been taken out of reach.
func (g *guard) retire(free func()) {
	g.mu.Lock()
	g.retired = append(g.retired, free)
	g.pending.Add(1)
	g.mu.Unlock()
}

// collect frees what nobody reads any more. It does not wait for anybody.
func (g *guard) collect() {
	if g.pending.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for range 2 {
		before := (g.epoch.Load() + 1) & 1
		for i := range g.stripes {
			if g.stripes[i].readers[before].Load() != 0 {
				return
			}
		}
		for _, free := range g.waiting {
			free()
		}
		g.pending.Add(-int64(len(g.waiting)))
		g.waiting, g.retired = g.retired, nil
		if len(g.waiting) == 0 {
			return
		}
		g.epoch.Add(1)
	}
}

// settle collects until nothing is waiting, or somebody has been reading for long.
func (g *guard) settle() {
	for n := 0; g.pending.Load() > 0 && n < patience; n++ {
		g.collect()
		pause(n)
	}
}

const (
	// patience is how often a writer looks for a reader to have gone. Readers do nothing that lasts; but the
	// machine may take the core away from one.
	patience = 8
	// naps are how many of these times are long ones.
	naps = 2
)

// pause lets others run, in the end for a while.
func pause(n int) {
	if n < patience-naps {
		runtime.Gosched()
		return
	}
	time.Sleep(100 * time.Microsecond)
}
