package simulation

import (
	"flag"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/raced"
)

var (
	seed      = flag.Uint64("seed", 0, "the only history that TestSimulation runs; with -v it is told")
	histories = flag.Int("histories", 200, "how many histories TestSimulation runs")
)

// regressions are histories that have found something once: what, says the test beside the code that is named.
var regressions = []uint64{
	101, // control: TestJoin_ThatComesLateDoesNotReplaceItsSuccessor
	96,  // edge: TestP2_JoinsAnotherLogAfterTheHeadsOfTheOldOne
	83,  // edge: TestP2_AJoinThatTheLogHasLostIsAskedForAgain
}

// run is one history. It returns what was seen.
func run(t *testing.T, seed uint64, m mistake, tell func(string, ...any)) (c *check) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, m, tell)
		w.record.begin()
		r := w.luckOf("world")
		for i := range 1 + r.n(3) {
			w.addControl("control" + strconv.Itoa(i))
		}
		for _, name := range []string{"FRA", "CDG", "LHR"}[:1+r.n(3)] {
			w.addEdge(name)
		}
		for _, n := range w.controls {
			w.running.Go(n.run)
		}
		for _, n := range w.edges {
			w.running.Go(n.run)
			w.running.Go(func() { w.viewer(n) })
		}
		w.running.Go(w.operate)
		w.suffer()
		w.heal()
		w.stop()
		c = &w.check
	})
	return c
}

// heal waits until all is as it should be.
func (w *world) heal() {
	var left []string
	for range healing / time.Second {
		pause(time.Second)
		if left = w.check.unsettled(); len(left) == 0 {
			break
		}
	}
	w.check.finish(left)
}

// ended tells that nothing is to be started any more.
func (w *world) ended() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end
}

// stop ends all processes and waits for them.
func (w *world) stop() {
	w.mu.Lock()
	w.end = true
	w.mu.Unlock()
	for _, n := range w.edges {
		n.die()
	}
	for _, n := range w.controls {
		n.die()
	}
	w.running.Wait()
	pause(20 * time.Second) // what is still on its way arrives nowhere
}

func TestSimulation(t *testing.T) {
	raced.Timers(t)
	if *seed != 0 {
		if c := run(t, *seed, none, t.Logf); len(c.violated) > 0 {
			t.Errorf("%d violations", len(c.violated))
		}
		return
	}
	var answers, hits, completed atomic.Int64
	inParallel(t, *histories+len(regressions), func(t *testing.T, seed uint64) {
		if n := uint64(*histories); seed > n {
			seed = regressions[seed-n-1]
		}
		c := run(t, seed, none, nil)
		for _, v := range c.violated {
			t.Errorf("seed %d: %s", seed, v)
		}
		answers.Add(int64(c.answers))
		hits.Add(int64(c.hits))
		completed.Add(int64(c.completed))
	})
	t.Logf("%d answers, %d of them hits; %d invalidations completed", answers.Load(), hits.Load(), completed.Load())
}

// inParallel runs histories 1 to n on all cores.
func inParallel(t *testing.T, n int, f func(t *testing.T, seed uint64)) {
	var next atomic.Int64
	var g sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() {
			for seed := next.Add(1); seed <= int64(n); seed = next.Add(1) {
				f(t, uint64(seed))
			}
		})
	}
	g.Wait()
}

// TestSimulation_FindsMistakes leaves out one rule after the other, each of which must be noticed soon.
func TestSimulation_FindsMistakes(t *testing.T) {
	raced.Timers(t)
	for m, law := range mistakes {
		t.Run(string(m), func(t *testing.T) { finds(t, m, law, soon) })
	}
}

// finds looks for a history in which a law is broken, among the first so many.
func finds(t *testing.T, m mistake, law string, most int) {
	var found atomic.Bool
	inParallel(t, most, func(t *testing.T, seed uint64) {
		if found.Load() {
			return
		}
		for _, v := range run(t, seed, m, nil).violated {
			if strings.HasPrefix(v, law) && !found.Swap(true) {
				t.Logf("seed %d: %s", seed, v)
			}
		}
	})
	if !found.Load() {
		t.Errorf("none of %d histories shows it", most)
	}
}

// soon is within how many histories a mistake must be found.
const soon = 3000

// pause lets virtual time pass.
func pause(d time.Duration) { time.Sleep(d) }
