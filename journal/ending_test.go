package journal

import (
	"testing"
	"time"
)

// inForce is what becomes of a member's name without its doing.
var inForce = map[string]func(k *tracking){
	"removed": func(k *tracking) {
		k.entry(Fact{EdgeLeft: &EdgeLeft{Edge: "a", Incarnation: "1"}}, Fact{EdgeRemoved: &EdgeRemoved{Edge: "a"}})
	},
	"removed, as an earlier version wrote it": func(k *tracking) {
		k.entry(Fact{EdgeRemoved: &EdgeRemoved{Edge: "a"}}, Fact{EdgeLeft: &EdgeLeft{Edge: "a", Incarnation: "1"}})
	},
	"replaced by another machine": func(k *tracking) {
		k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Token: "t", Edge: "a", Serial: "2"}})
		k.ack("a", "2", k.join("a", "2"))
	},
}

// Who ends a membership has not heard the edge. Another control node may have, and the edge serve by the lease that it has been given there.
func TestTracker_WhoWasEndedInForceIsWaitedFor(t *testing.T) {
	wait := Timing{}.Wait()
	for name, end := range inForce {
		t.Run(name, func(t *testing.T) {
			began := func() (k *tracking, acked uint64) {
				k = track(t)
				k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "a", Serial: "1"}})
				acked = k.join("a", "1")
				k.now += time.Second
				end(k)
				k.now += time.Second
				inv := k.entry()
				k.ack("a", "2", inv)
				return k, acked
			}
			k, acked := began()
			k.want(acked)
			inv := k.seq
			if at, ok := k.Again(inv, k.now); !ok || at != time.Second+wait {
				t.Errorf("to be looked at again at %v, %v", at, ok)
			}
			k.now = time.Second + wait - 1
			if k.Completed(inv, k.now) {
				t.Error("completed while the edge may have a lease")
			}
			k.now++
			k.want(inv)

			// A tracker that begins need not wait if one is known to have waited.
			k, _ = began()
			last := k.entry(Fact{Completed: &Completed{UpTo: k.seq}})
			k.ack("a", "2", last)
			k.want(last)
		})
	}
}

// Who has left, or comes back on its own machine, is not waited for.
func TestTracker_WhoHasLeftIsNotWaitedFor(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	k.leave("a", "1")
	k.entry(Fact{EdgeRemoved: &EdgeRemoved{Edge: "a"}})
	k.want(3)
	k.join("b", "1")
	k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "b", Serial: "2", Previous: "1"}}) // a renewal
	k.want(k.join("b", "2"))
}

// When that wait is over, and somebody else is silent, it is looked again when the slow path is due, and not all the time.
func TestTracker_AnEndingThatIsOverIsNotLookedAtAgain(t *testing.T) {
	k := track(t)
	k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "a", Serial: "1"}})
	k.join("b", "1") // which is silent from now on
	k.join("a", "1")
	inForce["removed"](k)
	k.now += Timing{}.Wait() + time.Second
	inv := k.entry()
	k.now += time.Second
	slow, _ := k.Due(inv, k.now)
	if at, ok := k.Again(inv, k.now); !ok || at != slow {
		t.Errorf("to be looked at again at %v, %v; it is %v and the slow path is due at %v", at, ok, k.now, slow)
	}
	if n := len(k.endings); n != 0 {
		t.Errorf("%d endings are remembered", n)
	}
}

// What is over is to be said in the log, once.
func TestTracker_AnEndingThatIsOverIsSettled(t *testing.T) {
	wait := Timing{}.Wait()
	for name, end := range inForce {
		t.Run(name, func(t *testing.T) {
			k := track(t)
			k.entry(Fact{EdgeAdmitted: &EdgeAdmitted{Edge: "a", Serial: "1"}})
			k.join("a", "1")
			settled := func(want uint64, wantDue time.Duration) {
				t.Helper()
				if seq, due := k.Settled(k.now); seq != want || due != wantDue {
					t.Errorf("settled is %d, else in %v; want %d, %v", seq, due, want, wantDue)
				}
			}
			settled(0, 0)
			end(k)
			ended := k.seq
			settled(0, wait)
			k.now += wait - 1
			settled(0, time.Millisecond)
			k.now++
			settled(ended, 0)
			settled(ended, 0)
			k.entry(Fact{Completed: &Completed{UpTo: ended - 1}})
			settled(ended, 0)
			k.entry(Fact{Completed: &Completed{UpTo: ended}})
			settled(0, 0)
		})
	}
}
