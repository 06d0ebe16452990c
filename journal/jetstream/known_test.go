package jetstream

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// A read that was cut off has told of entries all the same. The next one may be answered by a replica that does not have them yet, which is not the log's end:
// who follows would find that the log is another one.
func TestReadReplica_CutOffAndThenByOneThatIsBehind(t *testing.T) {
	t.Parallel()
	c, lock, err := hold(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	l := newLog(c)
	defer l.Close()
	if err := l.start(); err != nil { // without a stream: the replicas are this test's
		t.Fatal(err)
	}
	l.c.Cluster = &Cluster{}
	l.slots.are(1, 0, "")

	chain := []*journal.Entry{journal.Genesis(time.Now())}
	var encoded [][]byte
	for i := range 4 {
		last := chain[i]
		chain = append(chain, &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: last.Time, Facts: []journal.Fact{{Tick: &journal.Tick{}}}})
		b, err := journal.Encode(chain[i+1])
		if err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, b)
	}
	status := func(m *nats.Msg, code string) {
		end := nats.NewMsg(m.Reply)
		end.Header.Set("Status", code)
		end.Header.Set("Nats-Num-Pending", "0")
		l.nc.PublishMsg(end)
	}
	var behind atomic.Bool
	sub, err := l.nc.Subscribe(directGet, func(m *nats.Msg) {
		var ask batchRequest
		json.Unmarshal(m.Data, &ask)
		switch {
		case ask.Seq == 2: // entry 4 cannot be read by this one
			l.nc.Publish(m.Reply, encoded[0])
			l.nc.Publish(m.Reply, encoded[1])
			l.nc.Publish(m.Reply, encoded[3])
		case behind.CompareAndSwap(false, true): // this one has none of them yet
			status(m, "404")
		default:
			for _, b := range encoded[ask.Seq-2:] {
				l.nc.Publish(m.Reply, b)
			}
			status(m, "204")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	some, err := l.Read(t.Context(), 2, 10)
	if err != nil || len(some) == 0 {
		t.Fatal(some, err)
	}
	last := some[len(some)-1].Seq
	more, err := l.Read(t.Context(), last, 10)
	if err != nil || len(more) == 0 || more[0].Seq != last || more[len(more)-1].Seq != 5 {
		t.Fatalf("behind entry %d: %d more, %v", last, len(more), err)
	}
}
