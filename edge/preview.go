package edge

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/invalidation"
)

// Tally counts stored objects.
type Tally struct {
	Objects, Bytes int64
	Hits           float64 // that they had within Preview.Within, estimated where there were many: see recent
}

func (t *Tally) add(o *cache.Sight, hits float64) {
	t.Bytes += o.Size
	if o.Status == sliceStatus {
		return // its map counts for all of them
	}
	t.Objects++
	t.Hits += hits
}

// Preview is what an invalidation would drop on this edge. What it counts, the receipt will count, if nothing is
// stored or dropped in between.
type Preview struct {
	Items  []Previewed // as they were asked
	Total  Tally       // what several items match counts once
	All    Tally       // everything that is stored of the distribution
	Within time.Duration
}

// Previewed is what one item would drop.
type Previewed struct {
	Tally
	Sample []string // some of the paths, with queries that are in their keys
}

const maxSample = 10

// Selection is what a preview of a distribution is of. Make one with NewSelection; it may be asked about at several edges, also at once.
type Selection struct {
	Items []invalidation.Item
	Where *invalidation.Where // what narrows them; nil: nothing

	// sieve is made by the first edge that needs it, for all: with thousands of items that takes longer than to look through a small cache. A
	// control node that asks edges on other machines alone makes none.
	sieve func() *sieve

	telling sync.Once
	told    []byte
	untold  error
}

// Told is how edges on other machines are asked, in the words of who asks: made once, for all of them.
func (s *Selection) Told(words func() ([]byte, error)) ([]byte, error) {
	s.telling.Do(func() { s.told, s.untold = words() })
	return s.told, s.untold
}

// NewSelection keeps items, which are not changed any more.
func NewSelection(items []invalidation.Item, where *invalidation.Where) *Selection {
	return &Selection{Items: items, Where: where, sieve: sync.OnceValue(func() *sieve { return newSieve(items, 0) })}
}

// Preview looks at what is stored and changes nothing. It fails with ErrNoDistribution and ctx's error.
func (e *Edge) Preview(ctx context.Context, distribution string, of *Selection) (*Preview, error) {
	p := &Preview{Items: make([]Previewed, len(of.Items))}
	s := of.sieve()
	hits := e.recent.read(e.now())
	p.Within = hits.within
	err := e.living(ctx, distribution, func(o *cache.Sight) {
		n := hits.of(o.Key)
		p.All.add(o, n)
		if !of.Where.Matches(&o.Subject) {
			return
		}
		hit := false
		s.each(&o.Subject, func(i int) {
			hit = true
			p.Items[i].add(o, n)
			p.Items[i].show(o)
		})
		if hit {
			p.Total.add(o, n)
		}
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Previewed) show(o *cache.Sight) {
	if len(p.Sample) == maxSample {
		return
	}
	if u := uri(&o.Subject); !slices.Contains(p.Sample, u) {
		p.Sample = append(p.Sample, u)
	}
}

// sieve finds all items that match an object, where an Index tells only that some do: it has an index of
// all, one of each half, and so on, and asks below only where there is something. An object that nothing
// matches costs one question, another some for each item that matches it, not one for each item there is.
type sieve struct {
	first  int // number of items[0]
	items  []invalidation.Item
	index  *invalidation.Index
	halves [2]*sieve // nil when the items are few: then each is asked
}

const fewItems = 16

func newSieve(items []invalidation.Item, first int) *sieve {
	s := &sieve{first: first, items: items}
	s.index = s.index.Add(1, items...)
	if len(items) > fewItems {
		m := len(items) / 2
		s.halves = [2]*sieve{newSieve(items[:m], first), newSieve(items[m:], first+m)}
	}
	return s
}

func (s *sieve) each(subject *invalidation.Subject, found func(i int)) {
	if s.index.Match(subject, 0) == 0 {
		return
	}
	if s.halves[0] != nil {
		s.halves[0].each(subject, found)
		s.halves[1].each(subject, found)
		return
	}
	for i := range s.items {
		if s.items[i].Matches(subject) {
			found(s.first + i)
		}
	}
}
