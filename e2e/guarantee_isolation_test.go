package e2e

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	cutFor  = 50 * time.Second // longer than a lease and L_T after it, so that invalidations are Completed without the edge that is cut off
	notMore = 3 * time.Minute  // that is waited for what has to be seen besides
)

// TestGuarantee_Isolation checks, for each policy, the promise on two edges of which one is cut off from the control plane for longer
// than its lease: what is promised then holds, and of whom nothing is promised the receipts say so, until it is back.
func TestGuarantee_Isolation(t *testing.T) {
	policies := []string{"revalidate", "bypass", "fail", "serve-stale"}
	verdicts, said := isolated(t, policies...)
	for i, policy := range policies {
		v := verdicts[i]
		if v == nil {
			continue // it has been said why
		}
		t.Logf("%s: %v; %d excused, %d bound", policy, v, v.Excused, v.Bound)
		if len(v.Violations) > 0 {
			t.Errorf("%s: the guarantee was violated\n%s", policy, said[i])
		}
		if v.CompletedMax < 30_000 {
			t.Errorf("%s: nothing was Completed without the edge that was cut off", policy)
		}
		if policy == "serve-stale" && (v.Excused == 0 || v.Bound == 0) {
			t.Errorf("%s: %d answers were older than what Completed promises of others, and %d times it came to speak for the edge: this has tested nothing", policy, v.Excused, v.Bound)
		}
		if policy != "serve-stale" && v.Excused > 0 {
			t.Errorf("%s: %d answers were older than what Completed promises of others", policy, v.Excused)
		}
		if policy == "fail" && v.Empty == 0 {
			t.Errorf("%s: no request was refused", policy)
		}
	}
}

const (
	warm     = 1500             // answers of each run before the edge is cut off: it has stored then what is changed meanwhile
	backLong = 10 * time.Second // after it has applied what it has missed
)

// isolated runs the checker, with each policy at once, on two edges, and cuts one of them off meanwhile.
func isolated(t *testing.T, policies ...string) (verdicts []*verdict, said []string) {
	w := newWorld(t.TempDir())
	defer w.close()
	way := isolable(t, w, nil)
	env, args := against(w.proc)
	args = append(args, "--duration", "12h", "--seed", "22", "--writers", strconv.Itoa(32/len(policies)), "--readers", strconv.Itoa(24/len(policies)))
	verdicts, said = make([]*verdict, len(policies)), make([]string, len(policies))
	c := &isolation{t: t, env: env, proc: w.proc, way: way, cold: len(policies), told: !slices.Contains(policies, "serve-stale")}
	var all sync.WaitGroup
	for i, policy := range policies {
		all.Go(func() {
			args := append(args[:len(args):len(args)], "--tag", "warmfront:isolation="+policy)
			before := policy == "serve-stale" || len(policies) == 1 // what is changed while an edge is cut off has been stored there before
			if before {
				args = append(args, "--pause", "1s", "--objects", "110")
			}
			if before || policy == "revalidate" { // an edge that is cut off believes a strong ETag, and two of these have one for all versions
				args = append(args, "--large", "0")
			}
			isWarm := sync.OnceFunc(c.isWarm)
			defer func() { // whoever ends early holds nobody up
				isWarm()
				if policy == "serve-stale" {
					c.tell(progress{}, true)
				}
			}()
			verdicts[i], said[i] = checkGuaranteeSaying(t, nil, env, args, func(p *os.Process, now progress) {
				if now.answers >= warm {
					isWarm()
				}
				if policy == "serve-stale" {
					c.tell(now, false)
				}
				if c.over() {
					p.Signal(os.Interrupt)
				}
			})
		})
	}
	all.Wait()
	return verdicts, said
}

// isolation is how the edge is cut off: when all runs are warm, for cutFor, and with serve-stale until it has shown what is older than Completed
// promises of others. Then, it is waited until it has applied what it has missed, and Completed has come to speak for it. All ask whether it is over.
type isolation struct {
	t    *testing.T
	env  []string
	proc *process
	way  *cutter

	mu      sync.Mutex
	cold    int       // runs; guarded by mu
	cut     time.Time // zero: not yet; guarded by mu
	now     progress  // of the run with serve-stale; guarded by mu
	told    bool      // that one has nothing more to say, or there is none; guarded by mu
	applied uint64    // by the edge, as far as was heard before; guarded by mu
	healed  bool      // guarded by mu
	back    time.Time // when the edge had applied more than that; guarded by mu
}

func (c *isolation) isWarm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cold--; c.cold == 0 {
		c.way.set(true)
		c.cut = time.Now()
	}
}

// tell is how the run with serve-stale says what it has seen.
func (c *isolation) tell(now progress, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.told = now, last
}

// seen tells whether nothing needs to be waited for any more that the run with serve-stale has to see. With mu.
func (c *isolation) seen(n int, since time.Time) bool {
	return c.told || n > 0 || time.Since(since) > notMore
}

// over goes on with what comes next, and tells whether nothing does.
func (c *isolation) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cut.IsZero() || time.Since(c.cut) < cutFor || !c.healed && !c.seen(c.now.excused, c.cut):
		return false
	case !c.healed:
		if c.applied = applied(c.t, c.env, c.proc)["IAD89-1"]; c.applied > 0 { // else it is asked again
			c.way.set(false)
			c.healed = true
		}
	case c.back.IsZero():
		if applied(c.t, c.env, c.proc)["IAD89-1"] > c.applied {
			c.back = time.Now()
		}
	}
	return !c.back.IsZero() && time.Since(c.back) > backLong && c.seen(c.now.bound, c.back)
}

// isolable starts a control node and two edges, of which IAD89-1 comes to it by a way that can be cut. Edges are told of that way now and then; the
// other one knows another besides, which it keeps.
func isolable(t *testing.T, w *world, flags []string) *cutter {
	t.Helper()
	addresses := strings.Split(fixedAddresses(false)[3], ",")
	journal, api := addresses[0], addresses[1]
	way := newCutter(t, journal, 0)
	start := func(flags ...string) {
		t.Helper()
		if err := w.startControl(append([]string{"control", "--control", api, "--journal", journal, "--rate-per-key", "100000"}, flags...)); err != nil {
			t.Fatal(err)
		}
	}
	start()
	if err := w.startEdge("FRA50-1", flags); err != nil {
		t.Fatal(err)
	}
	if err := w.proc.stop(); err != nil {
		t.Fatal(err)
	}
	start("--advertise", way.Addr().String())
	if err := w.startEdge("IAD89-1", flags); err != nil {
		t.Fatal(err)
	}
	return way
}
