package guarantee

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plain is the simplest caches that keep the promise, as many as there are edges: they are told what is invalidated, and answer nothing that was asked for before.
type plain struct {
	h   *history
	rnd func(n int) int

	mu     sync.Mutex
	edges  []map[*Object]kept // guarded by mu
	rules  []int              // that an edge has applied; guarded by mu
	last   []map[*Object]int  // the newest of these that means an object; guarded by mu
	marked []map[*Object]bool // what is to be asked for again, and may be shown until that has come; guarded by mu
}

// kept is what an edge has of an object.
type kept struct {
	version, fill uint64
	left, had     Instant
}

func newPlain(h *history, edges int, rnd func(int) int) *plain {
	p := &plain{h: h, rnd: rnd, rules: make([]int, edges)}
	for range edges {
		p.edges, p.last, p.marked = append(p.edges, map[*Object]kept{}), append(p.last, map[*Object]int{}), append(p.marked, map[*Object]bool{})
	}
	return p
}

func (p *plain) pause(most time.Duration) { time.Sleep(time.Duration(p.rnd(int(most)) + 1)) }

func via(edge int) string { return fmt.Sprint("e", edge) }

// apply has one edge know an invalidation.
func (p *plain) apply(edge int, b *Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules[edge]++
	for _, o := range b.Objects {
		p.last[edge][o] = p.rules[edge]
		if _, there := p.edges[edge][o]; b.Soft && there && !o.strictly() {
			p.marked[edge][o] = true
		} else {
			delete(p.edges[edge], o)
		}
	}
}

// ask answers a request: from the cache, or from the origin, again and again until nothing has come meanwhile that means it.
func (p *plain) ask(edge int, o *Object) (x kept, hit bool) {
	for {
		p.mu.Lock()
		began := p.rules[edge]
		x, hit = p.edges[edge][o]
		if hit && p.marked[edge][o] {
			delete(p.marked[edge], o)
			go p.fetch(edge, o, began)
		}
		p.mu.Unlock()
		if hit {
			return x, true
		}
		if x, ok := p.fetch(edge, o, began); ok {
			return x, false
		}
	}
}

// fetch asks the origin, and stores what comes unless an invalidation that the edge did not know then means it.
func (p *plain) fetch(edge int, o *Object, began int) (x kept, ok bool) {
	ended := o.log.asked([]string{via(edge)}, p.h.now)
	x = kept{version: o.version.Load(), fill: p.h.fills.Add(1)}
	asked := p.h.now()
	p.pause(80 * time.Millisecond)
	x.left = p.h.now()
	o.log.sent(&Fill{Number: x.fill, Version: x.version, Asked: asked, Sent: x.left, By: []string{via(edge)}})
	p.pause(5 * time.Millisecond)
	x.had = p.h.now()
	p.mu.Lock()
	if ok = p.last[edge][o] <= began; ok {
		p.edges[edge][o] = x
	} else {
		delete(p.edges[edge], o) // what was marked has not been renewed by that
	}
	p.mu.Unlock()
	ended(true)
	return x, ok
}

// history lets viewers ask and writers publish for a while. judged gets each answer, and by when what is demanded of it for certain was: the newest version that an
// invalidation without conditions demands which was Completed before it was asked for.
func randomHistory(seed uint64, judged func(o *Object, a *Answer, certain uint64)) {
	const edges, readers, writers, steps = 3, 12, 3, 50
	var drawing sync.Mutex
	source := rand.New(rand.NewPCG(seed, 0))
	rnd := func(n int) int {
		drawing.Lock()
		defer drawing.Unlock()
		return source.IntN(n)
	}
	h := &history{began: time.Now(), objects: newObjects(turns, 0)}
	p := newPlain(h, edges, rnd)
	var mu sync.Mutex
	certain := map[*Object]uint64{} // guarded by mu
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range steps {
				b := &Batch{Soft: rnd(4) == 0}
				if rnd(8) == 0 {
					b.Where = &Where{Status: "2xx"}
				}
				for range 1 + rnd(3) {
					drawing.Lock()
					b.Items = append(b.Items, pick(source, h.objects[source.IntN(len(h.objects))]))
					drawing.Unlock()
				}
				b.Objects = h.matched(b.Items)
				for _, o := range b.Objects {
					if rnd(4) > 0 {
						h.write(o)
					}
				}
				d := h.create(1, b)
				for edge := range edges {
					p.pause(10 * time.Millisecond)
					p.apply(edge, b)
				}
				p.pause(10 * time.Millisecond)
				h.complete(d, Outcome{})
				mu.Lock()
				for i, o := range d.objects {
					if !b.Soft && b.Where == nil && d.of[i] == nil {
						certain[o] = max(certain[o], d.floors[i])
					}
				}
				mu.Unlock()
				p.pause(60 * time.Millisecond)
			}
		})
	}
	for reader := range readers {
		all.Go(func() {
			for range steps * 4 {
				o, edge := h.objects[rnd(len(h.objects))], rnd(edges)
				mu.Lock()
				demanded := certain[o]
				mu.Unlock()
				a := &Answer{Reader: reader, Edge: edge, Method: "GET", Via: via(edge), Cache: "Miss", Age: -1, Sent: h.now() + 1}
				p.pause(time.Millisecond)
				x, hit := p.ask(edge, o)
				if hit {
					a.Cache, a.Age = "Hit", int64((h.now()-x.had)/time.Second)
				}
				p.pause(2 * time.Millisecond)
				a.Head, a.Version, a.Fill, a.Left, a.Status = h.now(), x.version, x.fill, x.left, o.status(x.version)
				a.Begun = max(a.Sent, a.Left)
				p.pause(2 * time.Millisecond)
				a.End = h.now()
				judged(o, a, demanded)
				p.pause(20 * time.Millisecond)
			}
		})
	}
	all.Wait()
}

// Caches that keep the promise are never accused, and one answer of theirs always is that is made older than what was demanded when it was asked for.
func TestJudge_RandomHistories(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			answers, hits, made := 0, 0, 0
			randomHistory(seed, func(o *Object, a *Answer, certain uint64) {
				old := *a
				if v := o.judge(a); v != nil {
					t.Errorf("seed %d: accused: %v", seed, v)
				}
				mu.Lock()
				defer mu.Unlock()
				if answers++; a.Cache == "Hit" {
					hits++
				}
				if certain < 2 {
					return
				}
				made++
				old.Version = certain - 1 - uint64(answers)%min(certain-1, 3)
				if v := o.judge(&old); v == nil || v.Class != Old {
					t.Errorf("seed %d: version %d of %s, of which %d was demanded: %v", seed, old.Version, o, certain, v)
				}
			})
			if hits < answers/10 || made < answers/10 {
				t.Errorf("seed %d: of %d answers %d were hits, and %d could be made older: this has tested nothing", seed, answers, hits, made)
			}
		})
	}
}
