package journaltest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

func testLive(t *testing.T, s Subject) {
	e := fill(t, s.Log, genesis(t, s.Log), 3)
	pushed, second := make(chan *journal.Entry, 100), make(chan *journal.Entry, 100)
	stop, err := s.Log.Live(func(e *journal.Entry) { pushed <- e })
	if err != nil {
		t.Fatal(err)
	}
	stop2, err := s.Log.Live(func(e *journal.Entry) { second <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer stop2()
	for range 10 {
		e = after(e, invalidated("live"))
		if err := s.Log.Append(within(t), e); err != nil {
			t.Fatal(err)
		}
		same(t, receive(t, pushed, "push"), e)
		same(t, receive(t, second, "push to the second"), e)
	}
	stop()
	e = fill(t, s.Log, e, 1)
	same(t, receive(t, second, "push to the second"), e)
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
