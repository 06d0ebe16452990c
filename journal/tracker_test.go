package journal

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// tracking is a tracker with a log to fold.
type tracking struct {
	*Tracker
	t   *testing.T
	now time.Duration
	seq uint64
}

func track(t *testing.T) *tracking { return &tracking{Tracker: NewTracker(TrackerConfig{}), t: t} }

func (k *tracking) entry(facts ...Fact) uint64 {
	k.seq++
	k.Applied(&Entry{Epoch: "e", Seq: k.seq, ID: idOf(k.seq), Facts: facts}, k.now)
	return k.seq
}

func idOf(seq uint64) ID { return ID(fmt.Sprint("id", seq)) }

func (k *tracking) join(edge, inc string) uint64 {
	return k.entry(Fact{EdgeJoined: &EdgeJoined{Edge: edge, Location: "FRA50", Incarnation: inc}})
}

func (k *tracking) leave(edge, inc string) uint64 {
	return k.entry(Fact{EdgeLeft: &EdgeLeft{Edge: edge, Incarnation: inc}})
}

func (k *tracking) ack(edge, inc string, seq uint64) {
	k.Acked(Ack{Edge: edge, Incarnation: inc, Epoch: "e", Seq: seq, ID: idOf(seq), At: time.Unix(int64(seq), 0)}, k.now)
}

func (k *tracking) want(watermark uint64) {
	k.t.Helper()
	if w := k.Watermark(k.now); w != watermark {
		k.t.Fatalf("completed up to %d, not %d", w, watermark)
	}
	if !k.Completed(watermark, k.now) || k.Completed(watermark+1, k.now) {
		k.t.Fatal("Completed and Watermark differ")
	}
}

func TestTracker_FastPath(t *testing.T) {
	k := track(t)
	k.entry()
	k.want(1) // nobody there who could serve anything
	k.join("a", "1")
	k.join("b", "1")
	k.want(3 - 1) // a has acknowledged nothing beyond its own join
	inv := k.entry()
	k.ack("a", "1", inv)
	k.want(3)
	k.ack("b", "0", inv) // an earlier incarnation
	k.Acked(Ack{Edge: "b", Incarnation: "1", Epoch: "other", Seq: inv, ID: idOf(inv)}, k.now)
	k.ack("c", "1", inv) // no member
	k.want(3)
	k.ack("b", "1", inv)
	k.want(inv)
	k.ack("b", "1", inv-1) // reordered
	k.want(inv)
}

func TestTracker_AckAheadOfTheFold(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	for _, seq := range []uint64{4, 5, 3, 5} {
		k.ack("a", "1", seq)
	}
	k.want(1) // tp ≥ s is part of it: a join that is not folded yet may stand before s
	k.join("b", "1")
	k.want(1)
	for i, completed := range []uint64{3, 3, 5, 5} { // of its acknowledgements ahead the least and the newest are remembered
		k.entry()
		k.ack("b", "1", uint64(3+i))
		k.want(completed)
	}
	k.ack("b", "1", k.entry())
	k.ack("a", "1", 10)
	k.leave("a", "1")
	k.join("a", "2")
	k.ack("b", "1", 9)
	k.entry()
	k.ack("b", "1", 10)
	k.want(9) // who had acknowledged 10 is another one
	if len(k.ahead) > 0 {
		t.Error("acknowledgements are kept for ever:", k.ahead)
	}
}

// After a loss another entry has the number of the one that is acknowledged.
func TestTracker_AckOfWhatIsLost(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	inv := k.entry()
	lost := func(seq uint64) {
		k.Acked(Ack{Edge: "a", Incarnation: "1", Epoch: "e", Seq: seq, ID: "lost"}, k.now)
	}
	k.Acked(Ack{Edge: "a", Incarnation: "1", Epoch: "e", Seq: inv}, k.now) // of an earlier version
	k.want(1)
	if k.Doubtful(k.now) {
		t.Error("the log is doubted, for nothing")
	}
	lost(inv)
	if !k.Doubtful(k.now) {
		t.Error("the log is not doubted though it has lost what an edge has")
	}
	lost(inv + 1)
	lost(inv + 5)
	k.want(1)
	k.entry()
	k.ack("a", "1", inv) // it has found out
	k.want(1)            // but there may be others
	k.now += Timing{}.Wait()
	k.want(inv + 1)
	for range 6 {
		k.entry()
	}
	k.want(inv + 1)
	k.now += doubtEvery
	k.ack("a", "1", k.seq)
	k.want(k.seq)
	k.ack("a", "1", k.entry())
	k.want(k.seq)
	if len(k.ahead) > 0 {
		t.Error("acknowledgements are kept for ever:", k.ahead)
	}
}

// The same where the edge has found out by itself, and joins the log below what it had acknowledged.
func TestTracker_JoinBelowWhatWasAcknowledged(t *testing.T) {
	for _, ahead := range [][]uint64{{3}, {7}, {5, 7}, {7, 5}, {7, 7}} {
		k := track(t)
		k.join("a", "1")
		k.join("b", "1")
		for _, seq := range ahead {
			k.Acked(Ack{Edge: "a", Incarnation: "1", Epoch: "e", Seq: seq, ID: "lost"}, k.now)
		}
		k.ack("b", "1", k.join("a", "2"))
		inv := k.entry()
		k.ack("a", "2", inv)
		k.ack("b", "1", inv)
		if !k.Doubtful(k.now) || k.Completed(inv, k.now) {
			t.Errorf("after acknowledgements of %d the log is not doubted", ahead)
		}
		k.now += Timing{}.Wait()
		k.want(inv)
		if len(k.ahead) > 0 {
			t.Error("acknowledgements are kept for ever:", k.ahead)
		}
	}
	k := track(t) // behind the fold it is none
	k.join("a", "1")
	k.ack("a", "1", 3)
	k.entry()
	k.entry()
	k.join("a", "2")
	if k.Doubtful(k.now) {
		t.Error("the log is doubted, for nothing")
	}
}

// An edge that was away may acknowledge what a compaction has not kept: nothing is lost, and nothing is counted.
func TestTracker_AckOfWhatWasCompacted(t *testing.T) {
	k := track(t)
	for _, seq := range []uint64{1, 5, 40} {
		k.Applied(&Entry{Epoch: "e", Seq: seq, ID: idOf(seq), Base: 100, Facts: []Fact{{EdgeJoined: &EdgeJoined{Edge: "a", Incarnation: "1"}}}}, k.now)
	}
	k.seq = 99
	inv := k.entry()
	k.ack("a", "1", 70)
	if k.Doubtful(k.now) || k.Strayed(Position{"e", 70, idOf(70)}) {
		t.Error("the log is doubted, for nothing")
	}
	k.want(40)
	k.ack("a", "1", inv)
	k.want(inv)
}

// What is older than what is remembered is not known to be this log's.
func TestTracker_AckOfWhatIsForgotten(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	inv := k.entry()
	for range 3 * maxRecent {
		k.entry()
	}
	k.ack("a", "1", inv)
	k.want(1)
	if n := len(k.recent); n > 2*maxRecent {
		t.Error(n, "entries are remembered")
	}
	k.ack("a", "1", k.seq-maxRecent+1)
	k.want(k.seq - maxRecent + 1)
}

func TestTracker_Strayed(t *testing.T) {
	k := track(t)
	for range 2*maxRecent + 10 {
		k.entry()
	}
	for _, x := range []struct {
		p       Position
		strayed bool
	}{
		{Position{"e", k.seq, idOf(k.seq)}, false},
		{Position{"e", k.seq, "lost"}, true},
		{Position{"e", k.seq + 1, idOf(k.seq + 1)}, true},
		{Position{"other", k.seq, idOf(k.seq)}, true},
		{Position{"e", 1, "lost"}, false}, // not known
	} {
		if k.Strayed(x.p) != x.strayed {
			t.Errorf("%v: %v", x.p, !x.strayed)
		}
	}
}

func TestTracker_JoinDoesNotUndo(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	inv := k.entry()
	k.ack("a", "1", inv)
	k.want(inv)
	j := k.join("b", "1")
	k.ack("a", "1", j)
	k.want(j)
	// A restarted edge serves nothing before it has applied its new join.
	j = k.join("a", "2")
	k.ack("b", "1", j)
	k.want(j)
	k.ack("a", "1", j+10)
	k.entry()
	k.ack("b", "1", j+1)
	k.want(j)
}

func TestTracker_Leave(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	k.join("b", "1")
	inv := k.entry()
	k.ack("b", "1", inv)
	k.want(1)
	k.leave("a", "0") // not this one
	k.want(1)
	left := k.leave("a", "1")
	k.want(inv)
	k.ack("b", "1", left)
	k.want(left)
	if k.Members() != 1 {
		t.Fatal(k.Members())
	}
}

func TestTracker_SlowPath(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	k.now = 10 * s
	inv := k.entry()
	k.now = 11 * s
	later := k.entry()
	wait := Timing{}.Wait()
	if at, ok := k.Due(inv, k.now); !ok || at != 10*s+wait {
		t.Fatal(at, ok)
	}
	if _, ok := k.Due(later+1, k.now); ok {
		t.Fatal("due without having been seen")
	}
	k.now = 10*s + wait - 1
	k.want(1)
	k.now++
	k.want(inv)
	if _, ok := k.Due(inv, k.now); ok {
		t.Fatal("due though completed")
	}
	k.now = 11*s + wait
	k.want(later)
	k.join("b", "1")
	k.want(later)
}

// Entries that come close together share a mark, and none of them completes too early for it.
func TestTracker_MarksAreBounded(t *testing.T) {
	k := track(t)
	k.join("a", "1")
	seen := map[uint64]time.Duration{}
	wait := Timing{}.Wait()
	for range 20000 {
		k.now += time.Duration(rand.Int64N(int64(10 * time.Millisecond)))
		seen[k.entry()] = k.now
		w := k.Watermark(k.now)
		if w > 1 && k.now-seen[w] < wait {
			t.Fatalf("%d completed after %v", w, k.now-seen[w])
		}
		if next, ok := seen[w+1]; ok && k.now-next > wait+2*markEvery {
			t.Fatalf("%d not completed after %v", w+1, k.now-next)
		}
	}
	if n := len(k.marks); n > int(wait/markEvery)+2 {
		t.Fatalf("%d marks", n)
	}
}

func TestTracker_Rows(t *testing.T) {
	k := track(t)
	k.join("b", "1")
	k.join("a", "1")
	k.now = 1 * s
	inv := k.entry()
	k.ack("a", "1", inv)
	k.now = 2 * s
	k.ack("a", "1", inv+7)
	for range 7 {
		k.entry()
	}
	k.now = 4 * s
	rows := fmt.Sprintf("%+v", k.Rows(inv, k.now))
	want := fmt.Sprintf("%+v", []Row{
		{Edge: "a", Location: "FRA50", Incarnation: "1", Acked: inv + 7, Applied: true, AppliedAt: time.Unix(int64(inv), 0), Silent: 2 * s},
		{Edge: "b", Location: "FRA50", Incarnation: "1", Acked: 1, Lagging: true, Silent: 4 * s},
	})
	if rows != want {
		t.Fatalf("\n%s\n%s", rows, want)
	}
	for range 2 * maxHistory {
		k.ack("a", "1", k.entry())
	}
	if n := len(k.members["a"].history); n != maxHistory {
		t.Fatal(n)
	}
	if r := k.Rows(inv, k.now)[0]; !r.Applied || r.AppliedAt.Before(time.Unix(int64(inv), 0)) {
		t.Fatalf("%+v", r) // at the latest
	}
}

// TestTracker_Oracle compares with the rule P3 spelled out, over random joins, leaves, acks and time.
func TestTracker_Oracle(t *testing.T) {
	wait := Timing{}.Wait()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		k := track(t)
		type state struct {
			inc   string
			acked uint64
		}
		members := map[string]state{}
		var seen []time.Duration // seen[n]: entry n+1
		var done, fast uint64
		for range 300 {
			k.now += time.Duration(rnd.Int64N(int64(2 * s)))
			edge, inc := string('a'+rune(rnd.IntN(3))), fmt.Sprint(rnd.IntN(3))
			switch rnd.IntN(6) {
			case 0:
				members[edge] = state{inc, k.join(edge, inc)}
				seen = append(seen, k.now)
			case 1:
				k.leave(edge, inc)
				seen = append(seen, k.now)
				if members[edge].inc == inc {
					delete(members, edge)
				}
			case 2:
				k.entry()
				seen = append(seen, k.now)
			default:
				seq := rnd.Uint64N(k.seq + 1)
				k.ack(edge, inc, seq)
				if m, ok := members[edge]; ok && m.inc == inc {
					members[edge] = state{inc, max(m.acked, seq)}
				}
			}
			least := k.seq
			for _, m := range members {
				least = min(least, m.acked)
			}
			done, fast = max(done, least), max(fast, least)
			for n := done; n < uint64(len(seen)) && k.now-seen[n] >= wait; n++ {
				done = n + 1
			}
			got := k.Watermark(k.now)
			if got < fast {
				t.Fatalf("seed %d: completed up to %d, acknowledged by all is %d", seed, got, fast)
			}
			// Marks may hold an entry back a little, never let it through early.
			if got > done || got < done && k.now-seen[got] > wait+markEvery {
				t.Fatalf("seed %d: completed up to %d, the rule says %d", seed, got, done)
			}
		}
	}
}

// What an acknowledgement costs the control plane does not depend on how many edges there are.
func BenchmarkTracker_Acked(b *testing.B) {
	for _, edges := range []int{3, 10_000} {
		b.Run(fmt.Sprintf("%d edges", edges), func(b *testing.B) {
			t := NewTracker(TrackerConfig{})
			names := make([]string, edges)
			seq, id := uint64(0), ID("")
			entry := func(facts ...Fact) {
				seq++
				id = idOf(seq)
				t.Applied(&Entry{Epoch: "e", Seq: seq, ID: idOf(seq), Facts: facts}, s)
			}
			for i := range names {
				names[i] = fmt.Sprint("E", i)
				entry(Fact{EdgeJoined: &EdgeJoined{Edge: names[i], Incarnation: "1"}})
			}
			ack := func(n int) {
				if n%edges == 0 {
					entry()
				}
				t.Acked(Ack{Edge: names[n%edges], Incarnation: "1", Epoch: "e", Seq: seq, ID: id}, s)
			}
			for n := range edges {
				ack(n)
			}
			if t.Watermark(s) != seq {
				b.Fatal("not completed")
			}
			for n := 0; b.Loop(); n++ {
				ack(n)
			}
		})
	}
}
