package control

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// held lets the journal stand still, does what is asked for meanwhile, and lets it go on: all of that is then one entry.
func (h *harness) held(meanwhile func()) {
	h.t.Helper()
	hold := make(chan struct{})
	first := true
	h.log.SetFaults(memory.Faults{Append: func(*journal.Entry) memory.AppendFault {
		if first {
			first = false
			<-hold
		}
		return memory.Stored
	}})
	var all sync.WaitGroup
	all.Go(func() { h.writer.Tick(h.t.Context()) })
	synctest.Wait()
	time.Sleep(time.Second) // the window of a tick
	synctest.Wait()
	meanwhile()
	synctest.Wait()
	close(hold)
	all.Wait()
	synctest.Wait()
	h.log.SetFaults(memory.Faults{})
}

// Invalidations of one entry are as many invalidations: each with its own reference, in the history in their order, however
// short its pages.
func TestGroup_InvalidationsOfOneEntry(t *testing.T) {
	bubble(t, func(t *testing.T, h *harness) {
		d, other := h.create("d"), h.create("o")
		var all sync.WaitGroup
		var mu sync.Mutex
		made := map[string]int{} // how often it was said to be new
		h.held(func() {
			for i := range 14 {
				to, reference := d, fmt.Sprint("r", i/2) // each twice
				if i/2%3 == 0 {
					to = other
				}
				all.Go(func() {
					inv, created, err := h.CreateInvalidation(t.Context(), someone, to.ID, batch(reference, "/"+reference))
					mu.Lock()
					defer mu.Unlock()
					if err != nil || inv.CallerReference != reference {
						t.Errorf("%s: %+v, %v", reference, inv, err)
						return
					}
					n := made[inv.ID]
					if created {
						n++
					}
					made[inv.ID] = n
				})
				synctest.Wait()
			}
		})
		all.Wait()
		if len(made) != 7 {
			t.Errorf("%d invalidations for seven references", len(made))
		}
		for id, n := range made {
			if n != 1 {
				t.Errorf("%s was created %d times", id, n)
			}
		}
		want, err := h.History(HistoryFilter{}, "", 0)
		if err != nil || len(want.Items) != 7 {
			t.Fatalf("%d in the history: %v", len(want.Items), err)
		}
		if all, err := h.log.Read(t.Context(), 1, 1000); err != nil || !slices.ContainsFunc(all, func(e *journal.Entry) bool { return len(e.Facts) == 7 }) {
			t.Errorf("they are not in one entry; %v", err)
		}
		for size := range 5 {
			var ids []string
			for marker := ""; ; {
				p, err := h.History(HistoryFilter{}, marker, size+1)
				if err != nil {
					t.Fatal(err)
				}
				for _, inv := range p.Items {
					ids = append(ids, inv.Invalidation.ID)
				}
				if marker = p.NextMarker; !p.Truncated {
					break
				}
			}
			if !slices.EqualFunc(ids, want.Items, func(id string, r *Receipt) bool { return id == r.Invalidation.ID }) {
				t.Errorf("in pages of %d: %v", size+1, ids)
			}
		}
	})
}

// A quota counts those that are before in the same entry.
func TestGroup_QuotasCountTheWholeEntry(t *testing.T) {
	bubbleLimits(t, Limits{WildcardsInProgress: 3, InvalidationsInProgress: 5}, func(t *testing.T, h *harness) {
		h.join("FRA1") // it acknowledges nothing
		d := h.create("d")
		var all sync.WaitGroup
		var mu sync.Mutex
		var accepted, refused int
		h.held(func() {
			for i := range 6 {
				all.Go(func() {
					_, _, err := h.CreateInvalidation(t.Context(), someone, d.ID, batch(fmt.Sprint(i), fmt.Sprint("/", i, "/*")))
					mu.Lock()
					defer mu.Unlock()
					if over := new(Error); errors.As(err, &over) && over.Code == "TooManyInvalidationsInProgress" {
						refused++
					} else if err == nil {
						accepted++
					}
				})
			}
		})
		all.Wait()
		if accepted != 3 || refused != 3 {
			t.Errorf("%d accepted, %d refused", accepted, refused)
		}
	})
}
