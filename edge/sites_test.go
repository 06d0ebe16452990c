package edge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// Whatever becomes of a draft's distributions, those of the snapshots before it stay as they were; also while somebody goes
// through them all.
func TestSites_AgreeWithAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 7))
	type moment struct {
		sites sites
		want  map[string]*site
	}
	history := []moment{{}}
	for range 200 {
		last := history[len(history)-1]
		d := (&Snap{sites: last.sites}).draft()
		want := maps.Clone(last.want)
		if want == nil {
			want = map[string]*site{}
		}
		change := func(id string, x *site) {
			d.put(id, x)
			if want[id] = x; x == nil {
				delete(want, id)
			}
		}
		for range random.IntN(6) {
			id := fmt.Sprint("E", random.IntN(300))
			if random.IntN(4) == 0 {
				change(id, nil)
			} else {
				change(id, &site{rev: random.Uint64()})
			}
		}
		if random.IntN(5) == 0 {
			met := map[string]bool{}
			for id, x := range d.sites.all() {
				if met[id] {
					t.Fatalf("%s is met twice", id)
				}
				met[id] = true
				next := *x
				next.rev++
				change(id, &next)
			}
			if len(met) != len(want) {
				t.Fatalf("%d of %d are met", len(met), len(want))
			}
		}
		history = append(history, moment{d.snap().sites, want})
	}
	for i, m := range history {
		if got := maps.Collect(m.sites.all()); !maps.Equal(got, m.want) || m.sites.len() != len(m.want) {
			t.Fatalf("after %d drafts: %d, want %d", i, m.sites.len(), len(m.want))
		}
		for id, x := range m.want {
			if m.sites.of(id) != x {
				t.Fatalf("after %d drafts: %s", i, id)
			}
		}
		if m.sites.of("nobody") != nil {
			t.Fatal("nobody")
		}
	}
}
