package node

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/control"
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
