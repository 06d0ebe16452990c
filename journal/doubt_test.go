package journal

import (
	"fmt"
	"testing"
)

// After a loss there may be an edge that had joined in what is gone.
func TestDoubt_EndsWhenAllAreHeard(t *testing.T) {
	k := track(t)
	k.Tracker = NewTracker(TrackerConfig{Doubt: true, Passive: func(name string) bool { return name == "relay" }})
	missing := func(want string) {
		t.Helper()
		if got := fmt.Sprint(k.Missing()); got != want {
			t.Errorf("waits for %s, not %s", got, want)
		}
	}
	k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "a"}}, Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "b"}}, Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "gone"}},
		Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "relay"}})
	k.join("a", "1")
	last := k.join("here", "1") // of this machine, and not admitted
	k.want(0)
	k.Opened(k.now)
	if _, ok := NewTracker(TrackerConfig{Doubt: true}).Doubt(k.now); ok {
		t.Error("it is told what is doubted before that is known")
	}
	if d, ok := k.Doubt(k.now); !ok || d.Since != k.now || d.Until != k.now+(Timing{}).Wait() || fmt.Sprint(d.Missing) != "[a b gone here]" {
		t.Errorf("doubted: %t, %+v at %v", ok, d, k.now)
	}
	missing("[a b gone here]")
	k.ack("a", "1", last) // it may have been sent before
	k.ack("here", "1", last)
	missing("[a b gone here]")
	inv := k.entry()
	k.ack("a", "1", inv)
	k.ack("here", "1", inv)
	missing("[b gone]")
	k.want(0)
	k.join("b", "2")
	last = k.entry(Fact{EdgeRemoved: &EdgeRemoved{Edge: "gone"}})
	for _, name := range []string{"a", "here"} {
		k.ack(name, "1", last)
	}
	k.ack("b", "2", last)
	missing("[]")
	k.want(0) // leases from before
	k.now += Timing{}.Wait() - 1
	k.want(0)
	k.now++
	inv = k.entry()
	k.now += doubtEvery
	k.want(last)
	for _, name := range []string{"a", "here"} {
		k.ack(name, "1", inv)
	}
	k.ack("b", "2", inv)
	k.want(inv)
	if _, told := k.Doubt(k.now); told || k.Doubtful(k.now) {
		t.Error("it is doubted for ever")
	}
}

// As long as one is missing, time alone completes.
func TestDoubt_LastsWhileOneIsMissing(t *testing.T) {
	k := track(t)
	k.Tracker = NewTracker(TrackerConfig{Doubt: true})
	k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "a"}})
	k.Opened(k.now)
	for range 5 {
		inv := k.entry()
		k.now += Timing{}.Wait() - 1
		if k.Completed(inv, k.now) {
			t.Fatal("completed with nobody there, who may be there")
		}
		k.now++
		k.want(inv)
	}
}
