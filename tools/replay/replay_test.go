package main

import (
	"sync"
	"testing"
)

// A seed and an order are a history, octet by octet, and different ones are different histories.
func TestReplay_IsExact(t *testing.T) {
	s, err := build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	all := map[string]uint64{}
	inParallel(1, 12, func(seed uint64) {
		h, err := s.history(t.Context(), seed, seed%2)
		if err == nil {
			err = h.again(t.Context(), s)
		}
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, h.told)
		}
		mu.Lock()
		defer mu.Unlock()
		if other, ok := all[string(h.digest())]; ok {
			t.Errorf("seeds %d and %d are the same history", seed, other)
		}
		all[string(h.digest())] = seed
	})
}

func TestSeeds(t *testing.T) {
	for s, want := range map[string][2]uint64{"7": {7, 7}, "1-300": {1, 300}, "5-5": {5, 5}} {
		if from, to, err := seeds(s); err != nil || from != want[0] || to != want[1] {
			t.Errorf("%s: %d, %d, %v", s, from, to, err)
		}
	}
	for _, s := range []string{"", "a", "1-", "-2", "5-3"} {
		if _, _, err := seeds(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
