package journaltest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// testLive allows for a push that is lost, or comes from before, as Live does: what comes was appended, in its order, and it goes on coming.
func testLive(t *testing.T, s Subject) {
	e := fill(t, s.Log, genesis(t, s.Log), 3)
	pushed, second := make(chan *journal.Entry, 1000), make(chan *journal.Entry, 1000)
	stop, err := s.Log.Live(func(e *journal.Entry) { pushed <- e })
	if err != nil {
		t.Fatal(err)
	}
	stop2, err := s.Log.Live(func(e *journal.Entry) { second <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer stop2()
	before, sent := e.Seq, map[uint64]*journal.Entry{}
	hear := func(c <-chan *journal.Entry, what string) (seq uint64) {
		t.Helper()
		for ctx := within(t); ; {
			e = after(e, invalidated("live"))
			if err := s.Log.Append(ctx, e); err != nil {
				t.Fatalf("%s: nothing came: %v", what, err)
			}
			sent[e.Seq] = e
			select {
			case got := <-c:
				if got.Seq <= before {
					continue
				}
				same(t, got, sent[got.Seq])
				return got.Seq
			case <-time.After(time.Second): // lost, or late
			}
		}
	}
	for last, last2, n := uint64(0), uint64(0), 0; n < 10; n++ {
		seq, seq2 := hear(pushed, "push"), hear(second, "push to the second")
		if seq <= last || seq2 <= last2 {
			t.Fatalf("entries %d and %d come after %d and %d", seq, seq2, last, last2)
		}
		last, last2 = seq, seq2
	}
	stop()
	for len(pushed) > 0 {
		<-pushed
	}
	for upTo := e.Seq; hear(second, "push to the second") <= upTo; {
	}
	if len(pushed) != 0 {
		t.Fatal("a push came after stop had returned")
	}
}

func testAcks(t *testing.T, s Subject) {
	came := make(chan journal.Ack, 10)
	stop, err := s.Log.Acks(func(a journal.Ack) { came <- a })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for i, edge := range []string{"FRA50-1", "with.dots and *", "é>"} {
		a := journal.Ack{Edge: edge, Incarnation: "i", Epoch: "e", Seq: uint64(i), ID: "id", At: time.Now().UTC().Round(0)}
		if err := s.Log.Ack(within(t), a); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, came, "ack"); got != a {
			t.Fatalf("got %+v, want %+v", got, a)
		}
	}
}

func testProbes(t *testing.T, s Subject) {
	if _, err := s.Log.Probe(within(t)); err == nil {
		t.Fatal("a probe was answered with nobody there")
	}
	var n atomic.Uint64
	stop, err := s.Log.ServeProbes(func(context.Context) (uint64, error) {
		if n.Add(1) == 2 {
			return 0, errors.New("not now")
		}
		return 40 + n.Load(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if z, err := s.Log.Probe(within(t)); z != 41 || err != nil {
		t.Fatalf("first: %d, %v", z, err)
	}
	if z, err := s.Log.Probe(within(t)); z != 0 || err == nil {
		t.Fatalf("second: %d, %v", z, err)
	}
	if z, err := s.Log.Probe(within(t)); z != 43 || err != nil {
		t.Fatalf("third: %d, %v", z, err)
	}
	stop()
	if _, err := s.Log.Probe(within(t)); err == nil {
		t.Fatal("a probe was answered after the server had stopped")
	}
}
