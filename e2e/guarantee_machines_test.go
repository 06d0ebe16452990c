package e2e

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestGuarantee_Machines checks the promise on edges that are processes of their own, one with a disk, the third far from the place
// of the others, through which it fills, while the control node is
// killed and started again, an edge is killed and comes back, another is drained and comes back, and one stands still. With
// GUARANTEE_PAUSE it stands still for so long: what is longer than its lease makes the test longer.
func TestGuarantee_Machines(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.startControl(controlAtFixed()); err != nil {
		t.Fatal(err)
	}
	tiers, long := map[string]string{}, map[string]*cutter{}
	start := func(name string) {
		t.Helper()
		if long[name] == nil {
			tiers[name] = fixedAddress()
			long[name] = newCutter(t, tiers[name], longWay)
		}
		tier := tiers[name]
		flags := []string{"--tier", tier, "--tier-advertise", long[name].Addr().String()}
		if name == "FRA50-1" {
			flags = append(flags, "--disk-cache", "64MiB")
		}
		if err := w.startEdge(name, flags); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"FRA50-1", "FRA50-2", "IAD89-1"} {
		start(name)
	}
	env, args := against(w.proc)
	place(t, env, w.proc, "IAD89", "FRA50")
	pause := 500 * time.Millisecond
	if d, err := time.ParseDuration(os.Getenv("GUARANTEE_PAUSE")); err == nil {
		pause = d
	}
	want := (&experiment{share: 10, brief: 20000}).answers(t)
	faults := []func(){
		func() { w.edges["FRA50-1"].proc.kill(); start("FRA50-1") },
		func() {
			w.proc.kill()
			if err := w.startControl(w.args); err != nil {
				t.Error(err)
			}
		},
		func() {
			p := w.edges["IAD89-1"].proc.cmd.Process
			p.Signal(syscall.SIGSTOP)
			defer p.Signal(syscall.SIGCONT)
			<-time.After(pause)
		},
		func() {
			if err := w.edges["FRA50-2"].proc.stop(); err != nil {
				t.Error(err)
			}
			start("FRA50-2")
		},
	}
	v, said := checkWhile(t, env, append(args, "--seed", "21"), want, faults, func(int, int) bool { return true })
	t.Logf("%v; %d faults", v, len(faults))
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
}
