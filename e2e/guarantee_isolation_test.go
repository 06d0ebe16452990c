package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// cutFor is longer than a lease and L_T after it, so that invalidations are Completed without the edge that is cut off.
const cutFor = 50 * time.Second

// TestGuarantee_Isolation checks, for each policy, the promise on two edges of which one is cut off from the control plane for longer
// than its lease: what is promised then holds, and of whom nothing is promised the receipts say so.
func TestGuarantee_Isolation(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	way := isolable(t, w, nil)
	policies := []string{"revalidate", "bypass", "fail", "serve-stale"}
	verdicts, said := make([]*verdict, len(policies)), make([]string, len(policies))
	env, args := against(w.proc)
	args = append(args, "--duration", (cutFor + 12*time.Second).String(), "--seed", "22", "--writers", "16", "--readers", "6")
	cut := sync.OnceFunc(func() {
		way.set(true)
		time.AfterFunc(cutFor, func() { way.set(false) })
	})
	var all sync.WaitGroup
	for i, policy := range policies {
		all.Go(func() {
			args := append(args[:len(args):len(args)], "--tag", "warmfront:isolation="+policy)
			if policy == "revalidate" { // an edge that is cut off believes a strong ETag, and two of these have one for all versions
				args = append(args, "--large", "0")
			}
			if policy == "serve-stale" { // what is changed while an edge is cut off has been stored there before
				args = append(args, "--pause", "1s")
			}
			verdicts[i], said[i] = checkGuarantee(t, env, args, func(answers int) {
				if answers > 0 {
					cut()
				}
			})
		})
	}
	all.Wait()
	for i, policy := range policies {
		v := verdicts[i]
		if v == nil {
			continue // it has been said why
		}
		t.Logf("%s: %v; %d excused", policy, v, v.Excused)
		if len(v.Violations) > 0 {
			t.Errorf("%s: the guarantee was violated\n%s", policy, said[i])
		}
		if v.CompletedMax < 30_000 {
			t.Errorf("%s: nothing was Completed without the edge that was cut off", policy)
		}
		if policy != "serve-stale" && v.Excused > 0 {
			t.Errorf("%s: %d answers were older than what Completed promises of others", policy, v.Excused)
		}
		if policy == "fail" && v.Empty == 0 {
			t.Errorf("%s: no request was refused", policy)
		}
	}
}

// isolable starts a control node and two edges, of which the first comes to it by a way that can be cut.
func isolable(t *testing.T, w *world, flags []string) *cutter {
	t.Helper()
	addresses := strings.Split(fixedAddresses(false)[3], ",")
	journal, api := addresses[0], addresses[1]
	way := newCutter(t, journal, 0)
	start := func(flags ...string) {
		t.Helper()
		if err := w.startControl(append([]string{"control", "--control", api, "--journal", journal}, flags...)); err != nil {
			t.Fatal(err)
		}
	}
	start("--advertise", way.Addr().String())
	if err := w.startEdge("IAD89-1", flags); err != nil {
		t.Fatal(err)
	}
	if err := w.proc.stop(); err != nil {
		t.Fatal(err)
	}
	start() // whoever comes from here on comes straight
	if err := w.startEdge("FRA50-1", flags); err != nil {
		t.Fatal(err)
	}
	return way
}
