package e2e

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// chance decides who is hit, in which order, and when. The same number decides the same: CLUSTER_SEED in the environment, or another one each time.
type chance struct{ *rand.Rand }

func newChance(t *testing.T) chance {
	t.Helper()
	seed := rand.Uint64N(1_000_000)
	if s := os.Getenv("CLUSTER_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("CLUSTER_SEED: ", err)
		}
	}
	t.Logf("CLUSTER_SEED=%d lets the same happen again", seed)
	return chance{rand.New(rand.NewPCG(seed, 22))}
}

// within is less than most.
func (c chance) within(most time.Duration) time.Duration { return time.Duration(c.Int64N(int64(most))) }

// one is one of them.
func (c chance) one(of []*node) *node { return of[c.IntN(len(of))] }

// some are so many of them.
func (c chance) some(n int, of []*node) []*node {
	all := slices.Clone(of)
	c.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all[:n]
}

// troubles are faults; each happens once.
type troubles struct {
	chance
	all [][]fault // what has to happen one after another is together
}

// add adds a fault that may happen at any time.
func (a *troubles) add(name string, run func() error) {
	a.all = append(a.all, []fault{{name: name, run: run}})
}

// then adds one that has to happen next after the one that was added last.
func (a *troubles) then(name string, run func() error) {
	last := &a.all[len(a.all)-1]
	*last = append(*last, fault{name: name, run: run})
}

// mixed are all of them, in the order and at the times that chance has for them: there is twice rest between two at most.
func (a *troubles) mixed(rest time.Duration) []fault {
	a.Shuffle(len(a.all), func(i, k int) { a.all[i], a.all[k] = a.all[k], a.all[i] })
	all := slices.Concat(a.all...)
	for i := range all {
		all[i].rest = a.within(2 * rest)
	}
	return all
}
