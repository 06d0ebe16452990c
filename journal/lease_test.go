package journal

import (
	"math/rand/v2"
	"testing"
	"time"
)

const s = time.Second

func TestLease_FreshFromTheSendingOn(t *testing.T) {
	l := NewLease(Timing{})
	l.Applied(10)
	id := l.ProbeSent(100 * s)
	if l.Fresh(100*s) || l.Synced() || l.Allows(100*s, 100*s) {
		t.Fatal("fresh before any answer")
	}
	l.Applied(11)
	if a := l.ProbeAnswered(id, 11); a != Renewed {
		t.Fatal(a)
	}
	for now, want := range map[time.Duration]bool{99 * s: false, 100 * s: true, 130 * s: true, 130*s + 1: false} {
		if l.Fresh(now) != want {
			t.Errorf("fresh at %v: %v", now, !want)
		}
	}
	if at, ok := l.Since(); at != 100*s || !ok {
		t.Error(at, ok)
	}
}

func TestLease_AnswerCountsWhenApplied(t *testing.T) {
	l := NewLease(Timing{})
	id := l.ProbeSent(0)
	if a := l.ProbeAnswered(id, 5); a != Waiting {
		t.Fatal(a)
	}
	l.Applied(4)
	if l.Synced() {
		t.Fatal("synced by an answer that is not applied")
	}
	l.Applied(7)
	if !l.Synced() || !l.Fresh(30*s) {
		t.Fatal("not fresh after the answer was applied")
	}
}

// Without this a lease would live on in a log that was rolled back: its numbers are small, and therefore
// "applied".
func TestLease_RolledBackLogDoesNotRenew(t *testing.T) {
	l := NewLease(Timing{})
	l.Applied(100)
	if a := l.ProbeAnswered(l.ProbeSent(0), 91); a != RolledBack {
		t.Fatal(a)
	}
	if a := l.ProbeAnswered(l.ProbeSent(0), 100); a != RolledBack {
		t.Fatal(a)
	}
	if l.Synced() || l.Fresh(0) {
		t.Fatal("renewed by a log that is shorter than what was applied")
	}
}

func TestLease_RevokeForgetsProbesOnTheirWay(t *testing.T) {
	l := NewLease(Timing{})
	sent, answered := l.ProbeSent(0), l.ProbeSent(0)
	l.ProbeAnswered(answered, 9)
	l.ProbeAnswered(l.ProbeSent(0), 1)
	l.Applied(1)
	if !l.Synced() {
		t.Fatal("not synced")
	}
	l.Revoke()
	l.Applied(9)
	if a := l.ProbeAnswered(sent, 3); a != Stray {
		t.Fatal(a)
	}
	if l.Synced() || l.Fresh(0) {
		t.Fatal("fresh by probes from before the revocation")
	}
}

func TestLease_AnswersOutOfOrder(t *testing.T) {
	l := NewLease(Timing{})
	early, late := l.ProbeSent(0), l.ProbeSent(20*s)
	l.ProbeAnswered(late, 2)
	l.Applied(2)
	l.ProbeAnswered(early, 1)
	if at, _ := l.Since(); at != 20*s {
		t.Fatal(at)
	}
}

func TestLease_StrayAnswers(t *testing.T) {
	l := NewLease(Timing{})
	id := l.ProbeSent(0)
	l.Applied(2)
	if l.ProbeFailed(id) {
		t.Fatal("reconnect after one failure")
	}
	if a := l.ProbeAnswered(id, 2); a != Stray {
		t.Fatal(a)
	}
	if !l.ProbeFailed(l.ProbeSent(1)) {
		t.Fatal("no reconnect after two failures")
	}
	if l.ProbeFailed(id) || l.Synced() {
		t.Fatal("a failed probe failed again, or counted")
	}
	// Only the youngest maxProbes are remembered.
	first := l.ProbeSent(2)
	for range maxProbes {
		l.ProbeSent(2)
	}
	if a := l.ProbeAnswered(first, 9); a != Stray {
		t.Fatal(a)
	}
}

// S3: without freshness, what was fetched within L may be served, until L2, and never before the first sync.
func TestLease_YoungObjects(t *testing.T) {
	l := NewLease(Timing{SelfFence: 60 * s})
	if l.Allows(1*s, 1*s) {
		t.Fatal("S5: unsynced, and a young object is allowed")
	}
	l.Applied(0)
	id := l.ProbeSent(0)
	l.ProbeAnswered(id, 1)
	l.Applied(1)
	for _, c := range []struct {
		now, began time.Duration
		want       bool
	}{
		{30 * s, 0, true},         // fresh: any object
		{31 * s, 0, false},        // not fresh, old
		{31 * s, 1 * s, true},     // not fresh, young
		{31 * s, 32 * s, false},   // fetched in the future
		{60 * s, 59 * s, true},    // L2 ends
		{60*s + 1, 60 * s, false}, // after it
		{31*s + 1, 1 * s, false},  // one ns too old
	} {
		if l.Allows(c.now, c.began) != c.want {
			t.Errorf("at %v, begun at %v: %v", c.now, c.began, !c.want)
		}
	}
	never := NewLease(Timing{})
	id = never.ProbeSent(0)
	never.ProbeAnswered(id, 1)
	never.Applied(1)
	if !never.Allows(10000*s, 9999*s) {
		t.Error("without L2 a young object is not allowed")
	}
}

// Who serves without freshness does so only after having had it, and until L2.
func TestLease_Had(t *testing.T) {
	l := NewLease(Timing{SelfFence: 60 * s})
	if l.Had(1 * s) {
		t.Error("never synced")
	}
	l.ProbeAnswered(l.ProbeSent(0), 1)
	l.Applied(1)
	if !l.Had(60*s) || l.Had(60*s+1) {
		t.Error("L2 does not end it")
	}
	l.Revoke()
	if l.Had(2 * s) {
		t.Error("the log was replaced")
	}
}

// TestLease_Lemma2: whatever the order of events, when the lease says fresh at now, everything appended
// until now−L is applied.
func TestLease_Lemma2(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var (
			l        = NewLease(Timing{Lease: 10 * s})
			now      time.Duration
			appended = []time.Duration{0} // appended[n]: when entry n+1 was
			applied  uint64
			open     = map[ProbeID]uint64{} // and the answer, 0 when the server has not seen it
		)
		for range 400 {
			now += time.Duration(rnd.Int64N(int64(s)))
			switch rnd.IntN(6) {
			case 0:
				open[l.ProbeSent(now)] = 0
			case 1: // real facts
				appended = append(appended, now)
			case 2: // the server answers one with an append
				for id, z := range open {
					if z == 0 {
						appended = append(appended, now)
						open[id] = uint64(len(appended))
					}
					break
				}
			case 3: // an answer arrives, or does not
				for id, z := range open {
					if z != 0 {
						delete(open, id)
						if rnd.IntN(4) == 0 {
							l.ProbeFailed(id)
						} else if l.ProbeAnswered(id, z) == RolledBack {
							t.Fatalf("seed %d: an honest log is called rolled back", seed)
						}
					}
					break
				}
			default:
				if applied < uint64(len(appended)) {
					applied += 1 + rnd.Uint64N(uint64(len(appended))-applied)
					l.Applied(applied)
				}
			}
			if l.Fresh(now) && applied < uint64(len(appended)) && appended[applied] <= now-10*s {
				t.Fatalf("seed %d: fresh at %v, entry %d of %v is not applied", seed, now, applied+1, appended[applied])
			}
		}
	}
}

func TestTiming(t *testing.T) {
	if w := (Timing{}).Wait(); w < 32*s || w > 32*s+100*time.Millisecond {
		t.Errorf("L_T = %v", w)
	}
}

func BenchmarkLease_Fresh(b *testing.B) {
	l := NewLease(Timing{})
	l.ProbeAnswered(l.ProbeSent(0), 1)
	l.Applied(1)
	for b.Loop() {
		if !l.Allows(5*s, 0) {
			b.Fatal()
		}
	}
}

func BenchmarkUptime(b *testing.B) {
	for b.Loop() {
		Uptime()
	}
}
