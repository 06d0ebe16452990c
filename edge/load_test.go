package edge

import (
	"context"
	"testing"

	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// L4, E4: what somebody has found dead on disk, or marked, he keeps to himself. By the snapshot of who joins his load the rule may be
// forgotten: nothing that is stored needs it any more, and the load only those above its own position.
func TestL4_JoinedLoadOfWhatIsDead(t *testing.T) {
	for name, rule := range map[string]func(w *world){
		"removed": func(w *world) { w.invalidate("/a") },
		"marked":  func(w *world) { w.mark("/a") },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", ok("v1"), ok("v2"))
				w.get("/a")
				w.emptied()
				rule(w)
				stall := make(chan struct{})
				w.file.Suffer(disktest.Faults{Stall: stall})
				early := w.ask("/a")
				w.settle(diskWait)
				early.is(t, "200 Miss v2")
				w.edge.sweeper.sweep(context.Background())
				if n := w.edge.Stats().Rules; n != 0 {
					t.Fatalf("%d rules are kept", n)
				}
				w.store.Clear() // and on disk there is another one now
				late := w.ask("/a")
				w.file.Suffer(disktest.Faults{})
				close(stall)
				w.settle(diskWait)
				if !late.over() || late.text() != "v2" {
					t.Errorf("after the rule it is answered with %q", late.text())
				}
			}, unswept, withDisk)
		})
	}
}
