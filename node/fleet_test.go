package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/control"
	edges "github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/ownapi"
)

// Edges that do not answer are waited for side by side, and not more of them than may be asked at once.
func TestFleet_AsksManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		done := map[int]bool{}
		began := time.Now()
		atMost(3, 10, func(i int) {
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			done[i] = true
		})
		if took := time.Since(began); took != 4*time.Second || len(done) != 10 {
			t.Errorf("%d done in %v, want 10 in 4 s: three at once", len(done), took)
		}
	})
}

// far is edges that are far away, some of which never answer.
type far struct {
	away   time.Duration
	silent func(edge string) bool
}

func (w far) Ask(ctx context.Context, edge string, _ []byte) ([]byte, error) {
	answers := time.After(w.away)
	if w.silent(edge) {
		answers = nil
	}
	select {
	case <-answers:
		return json.Marshal(&answer{State: &edgeState{}})
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// However many there are, and however many of them are silent, whoever answers within its time is there.
func TestFleet_WhoAnswersIsThere(t *testing.T) {
	for name, silent := range map[string]func(string) bool{
		"all answer":      func(string) bool { return false },
		"half are silent": func(edge string) bool { return edge[len(edge)-1]%2 == 0 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := make([]control.Admitted, 10000)
				for i := range all {
					all[i].Edge = fmt.Sprint("FRA50-", i)
				}
				var there atomic.Int64
				f := &fleet{edges: far{300 * time.Millisecond, silent}}
				f.askAll(all, func(_ int, a *answer) {
					if a.State != nil {
						there.Add(1)
					}
				})
				want := int64(0)
				for _, a := range all {
					if !silent(a.Edge) {
						want++
					}
				}
				if there.Load() != want {
					t.Errorf("%d are there, %d have answered", there.Load(), want)
				}
			})
		})
	}
}

// overheard is edges that note which octets they are asked with.
type overheard struct {
	asked map[string]*byte
}

func (o *overheard) Ask(_ context.Context, edge string, question []byte) ([]byte, error) {
	o.asked[edge] = &question[0]
	return answer{Preview: &edges.Preview{Items: make([]edges.Previewed, 1)}}.encode(), nil
}

// A question of thousands of items is encoded once, however many edges are asked.
func TestFleet_APreviewIsEncodedOnce(t *testing.T) {
	item, err := invalidation.Parse("/images/*", invalidation.Anywhere)
	if err != nil {
		t.Fatal(err)
	}
	there := &overheard{map[string]*byte{}}
	f, of := &fleet{edges: there}, edges.NewSelection([]invalidation.Item{item}, nil)
	for _, name := range []string{"a", "b", "c"} {
		if _, err := (&distant{fleet: f, name: name}).Preview(t.Context(), "D1", of); err != nil {
			t.Fatal(err)
		}
	}
	if a := there.asked; len(a) != 3 || a["a"] != a["b"] || a["b"] != a["c"] {
		t.Errorf("asked with %v: not with the same octets", a)
	}
}

// What an edge had counted before it was heard is no news, nor what has been told.
func TestTraffic_News(t *testing.T) {
	var x traffic
	heard := func(edge string, bytes uint64) uint64 {
		return x.news(edge, map[string]ownapi.Counts{"E1": {Bytes: bytes}})["E1"].Bytes
	}
	for i, c := range []struct {
		edge        string
		bytes, want uint64
	}{{"a", 100, 0}, {"a", 130, 30}, {"b", 7, 0}, {"a", 130, 0}, {"b", 8, 1}} {
		if got := heard(c.edge, c.bytes); got != c.want {
			t.Errorf("%d: %s has %d news, want %d", i, c.edge, got, c.want)
		}
	}
	x.keep([]control.Admitted{{Edge: "b"}})
	if heard("a", 200) != 0 || heard("b", 10) != 2 {
		t.Error("who was removed is remembered, or who is there is not")
	}
}
