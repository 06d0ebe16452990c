package jetstream

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// Edges read all the time: what a read takes for its answer is not made anew.
func TestRead_UsesTheQueueOfTheReadBefore(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	appendNext(t, l)
	for range 20 {
		if all, err := l.Read(t.Context(), 2, maxBatch); err != nil || len(all) != 1 {
			t.Fatalf("%d entries, %v", len(all), err)
		}
	}
	if n := len(l.queues); n != 1 {
		t.Errorf("%d queues for reads one after the other", n)
	}
}

// A queue that is used again has nothing of the answer before in it, and there are never more than may be in use at once.
func TestQueues_AreEmptyAndBounded(t *testing.T) {
	s := make(queues, 2)
	all := []queue{s.take(), s.take(), s.take()}
	for _, q := range all {
		q <- &nats.Msg{}
		q <- &nats.Msg{}
		s.back(q)
	}
	if len(s) != 2 {
		t.Errorf("%d are kept", len(s))
	}
	for range 3 {
		if q := s.take(); len(q) != 0 || cap(q) != maxBatch+1 {
			t.Errorf("%d messages in a queue for %d", len(q), cap(q))
		}
	}
}

// A read that waits for its answer ends with the log, not with its patience.
func TestClose_EndsReadsThatWait(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	asked := make(chan struct{})
	if _, err := l.engine.nc.Subscribe("silent", func(*nats.Msg) { close(asked) }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := l.receive(ctx, "silent", 1, 1, false)
		ended <- err
	}()
	<-asked
	l.Close()
	if err := <-ended; !errors.Is(err, journal.ErrClosed) {
		t.Error(err)
	}
}

// A question that nobody hears is answered so at once.
func TestReceive_NobodyAnswers(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	if _, _, err := l.receive(t.Context(), "nobody", 1, 1, false); !errors.Is(err, nats.ErrNoResponders) {
		t.Error(err)
	}
}
