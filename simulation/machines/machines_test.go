package machines

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/raced"
	"github.com/warmfront/warmfront/journal"
)

var (
	seed      = flag.Uint64("seed", 0, "the only schedule that TestMachines runs; with -v it is told")
	schedules = flag.Int("schedules", 20_000, "how many schedules TestMachines runs")
)

// regressions are schedules that have found something once: what, says the test beside the code that is named.
var regressions = []uint64{}

// schedule runs one. told, if it is not nil, gets what happens.
func schedule(seed uint64, told *[]byte) *check {
	w := &world{queue: make([]event, 0, 256), r: rand.New(rand.NewPCG(seed, 0)), told: told, trouble: calm + trouble}
	w.check.w = w
	w.timing = journal.Timing{Lease: 2 * time.Second, Decide: 500 * time.Millisecond, Probe: 400 * time.Millisecond, DriftPPM: 50_000}
	fences := w.one(4)
	if fences {
		w.timing.SelfFence = w.timing.Lease
	}
	w.log.begin(w)
	for _, name := range []string{"control0", "control1"}[:1+w.r.IntN(2)] {
		w.addControl(name)
	}
	var parent *edge
	for _, name := range []string{"FRA", "CDG", "LHR"}[:1+w.r.IntN(3)] {
		w.addEdge(name, parent)
		if parent == nil && w.one(2) {
			parent = w.edges[0]
		}
	}
	for _, e := range w.edges {
		e.visits()
	}
	w.operate()
	w.suffer(fences)
	for w.now < w.trouble {
		w.run(w.trouble)
	}
	w.heal()
	left := w.check.unsettled()
	for until := w.now + healing; len(left) > 0 && w.now < until && len(w.check.violated) == 0; left = w.check.unsettled() {
		w.run(w.now + 200*time.Millisecond)
	}
	for _, l := range left {
		w.check.violates("in the end: %s", l)
	}
	return &w.check
}

func TestMachines(t *testing.T) {
	if *seed != 0 {
		var told []byte
		c := schedule(*seed, &told)
		t.Logf("\n%s", told)
		for _, v := range c.violated {
			t.Error(v)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	most := *schedules
	if raced.Enabled {
		most /= 20 // a schedule has one goroutine, and so no races
	}
	all := uint64(most + len(regressions))
	var next, done, answers, completed atomic.Int64
	var cores sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() {
			for i := uint64(next.Add(1)); i <= all && !t.Failed(); i = uint64(next.Add(1)) {
				n := i
				if i > uint64(most) {
					n = regressions[i-uint64(most)-1]
				}
				c := schedule(n, nil)
				for _, v := range c.violated {
					t.Errorf("seed %d: %s", n, v)
				}
				done.Add(1)
				answers.Add(int64(c.answers))
				completed.Add(int64(len(c.made)))
			}
		})
	}
	cores.Wait()
	t.Logf("%d schedules, %.0f a second; %d answers, %d invalidations completed", done.Load(), float64(done.Load())/time.Since(began).Seconds(), answers.Load(), completed.Load())
}

// replayed is how many schedules run twice.
const replayed = 300

// TestMachines_ReplayExactly: a seed is a schedule, octet by octet.
func TestMachines_ReplayExactly(t *testing.T) {
	for n := uint64(1); n <= replayed; n++ {
		var first, second []byte
		schedule(n, &first)
		schedule(n, &second)
		if !bytes.Equal(first, second) {
			t.Fatalf("seed %d has two histories: %s", n, differ(string(first), string(second)))
		}
	}
}

func differ(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + " / " + y[i]
		}
	}
	return "one is longer"
}
