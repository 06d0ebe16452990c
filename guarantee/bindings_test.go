package guarantee

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// seen is what the object's history says of a version that an edge shows.
func (s *story) seen(o *Object, via string, version uint64, sent Instant) Class {
	if v := o.judge(&Answer{Via: via, Method: "GET", Status: 200, Version: version, Sent: sent, Begun: sent, End: sent + 1}); v != nil {
		return v.Class
	}
	return None
}

// An edge for which Completed did not speak is bound from the moment on at which the cache says that it does, and by all that it did not
// speak for; whatever the kind of the invalidation.
func TestBindings_AnEdgeIsBackAndBound(t *testing.T) {
	for name, c := range map[string]struct {
		batch Batch
		want  Class
	}{
		"removes":     {Batch{}, Old},
		"conditional": {Batch{Where: &Where{Type: "text/*"}}, Old},
		"marks":       {Batch{Soft: true}, Lingering},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStory()
			s.began = time.Now()
			o := s.object(Small)
			r := &run{history: &s.history}
			c.batch.Objects = []*Object{o}
			o.version.Store(4)
			d := s.create(1, &c.batch)
			unbound := []string{"cut", "cut too"}
			var still atomic.Pointer[[]string]
			still.Store(&unbound)
			s.complete(d, Outcome{Unbound: unbound})
			r.bindings.add(d, Outcome{Unbound: unbound, Still: func(context.Context) ([]string, error) { return *still.Load(), nil }})
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan bool)
			go func() { r.bindAll(ctx); close(ended) }()
			// show has the edge show version 3, twice where that takes more than once.
			show := func(via string) (got Class) {
				for range 2 {
					time.Sleep(2 * grace)
					got = s.seen(o, via, 3, s.now())
				}
				return got
			}
			for via, want := range map[string]Class{"other": c.want, "cut": None, "cut too": None} {
				if got := show(via); got != want {
					t.Errorf("%s: %s is cut off: %v", name, via, got)
				}
			}
			before := s.now()
			still.Store(&[]string{"cut too"})
			time.Sleep(time.Second)
			for via, want := range map[string]Class{"cut": c.want, "cut too": None} {
				if got := show(via); got != want {
					t.Errorf("%s: the first one is back, %s: %v", name, via, got)
				}
			}
			if got := s.seen(o, "cut", 3, before); got != None {
				t.Errorf("%s: asked before it was back: %v", name, got)
			}
			still.Store(&[]string{})
			time.Sleep(time.Second)
			if got := show("cut too"); got != c.want || r.bound.Load() != 2 || r.bindings.oldest() != nil {
				t.Errorf("%s: both are back: %v, %d", name, got, r.bound.Load())
			}
			end()
			<-ended
		})
	}
}

// What is known no more is asked for no more, and beyond the bound the oldest is not.
func TestBindings_KeepBounds(t *testing.T) {
	s := newStory()
	r := &run{history: &s.history}
	for range bindingsKept + 1 {
		r.bindings.add(s.create(1, &Batch{}), Outcome{Unbound: []string{"cut"}, Still: func(context.Context) ([]string, error) { return nil, errors.New("no such invalidation") }})
	}
	if n := len(r.bindings.left); n != bindingsKept || r.bindings.oldest().Number != 2 {
		t.Errorf("%d are left, the oldest is %d", n, r.bindings.oldest().Number)
	}
	if !r.bindMore(t.Context(), r.bindings.oldest()) || r.bindings.oldest().Number != 3 || r.bound.Load() != 0 {
		t.Errorf("the oldest is %d, %d are bound", r.bindings.oldest().Number, r.bound.Load())
	}
}

// What was withdrawn on the way is demanded of those whose turn has been, and of nobody else.
func TestJudge_WithdrawnOnTheWay(t *testing.T) {
	for name, c := range map[string]struct {
		batch Batch
		want  Class
	}{
		"removes":     {Batch{}, Old},
		"conditional": {Batch{Where: &Where{Type: "text/*"}}, Old},
		"marks":       {Batch{Soft: true}, Lingering},
	} {
		s := newStory()
		s.began = time.Now()
		o := s.object(Small)
		c.batch.Objects = []*Object{o}
		o.version.Store(4)
		d := s.create(1, &c.batch)
		s.complete(d, Outcome{Only: []string{"been"}})
		for via, want := range map[string]Class{"been": c.want, "waits": None, "": None} {
			s.seen(o, via, 3, time.Hour)
			if got := s.seen(o, via, 3, 2*time.Hour); got != want {
				t.Errorf("%s, %q: %v", name, via, got)
			}
		}
		if got := s.seen(o, "been", 4, 3*time.Hour); got != None {
			t.Errorf("%s: the new version: %v", name, got)
		}
		r := run{history: &s.history}
		r.completed(d)
		if r.withdrawn != 1 || len(r.latencies) != 0 {
			t.Errorf("%s: %d withdrawn, %d completed", name, r.withdrawn, len(r.latencies))
		}
	}
}

// A floor that does not bind an edge hides none that does.
func TestFloors_WhatBindsFewerEdgesHidesNothing(t *testing.T) {
	var f floors
	for _, x := range []floor{{after: 10, version: 9, unbound: []string{"cut"}}, {after: 20, version: 7}, {after: 30, version: 8}} {
		f = f.raise(x)
	}
	var got []uint64
	for _, via := range []string{"other", "cut"} {
		for _, at := range []Instant{11, 21, 31} {
			got = append(got, f.demanded(at, via).version)
		}
	}
	if want := []uint64{9, 9, 9, 0, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
