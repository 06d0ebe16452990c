package memory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/cachetest"
)

// away is an object whose body is left in the tier below.
func away(key string, size int, n uint64) *cache.Object {
	o := cachetest.Object(key, size)
	o.Block, o.Far = []byte("HTTP/1.1 200 OK\r\n"), cache.Far{Place: n, Time: n + 1}
	return o
}

// All but the body is there, however often the entry is moved, and it weighs as much as a head.
func TestFar_TheHeadIsKeptWithoutTheBody(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	for _, size := range []int{1, 5000, 100_000} {
		s.Clear()
		before := s.Stats().Bytes
		want := away("a", size, 77)
		s.Put(want)
		if n := s.Stats().Bytes - before; n > 400 {
			t.Errorf("a head of a body of %d octets weighs %d", size, n)
		}
		for i := range 3000 { // it is moved on, as it is asked for
			s.Put(cachetest.Object(fmt.Sprint(i), 1000))
			o := s.Get([]byte("a"))
			if o == nil {
				t.Fatal("it is gone, although it is asked for")
			}
			if !o.Away() || o.Far != want.Far || o.Status != 200 || string(o.Block) != string(want.Block) {
				t.Fatalf("%+v", o)
			}
		}
		var v cache.View
		if !s.Lend(0, []byte("a"), &v) {
			t.Fatal("not lent")
		}
		if v.Far != want.Far || v.Size != int64(size) || len(v.Body) != 0 || v.Kept || v.Proved.Load() != 0 {
			t.Errorf("lent: %+v", v)
		}
		v.Proved.Store(5)
		s.Return(&v)
		s.Range(func(o *cache.Sight) bool {
			if o.Key == "a" && o.Size != int64(size) {
				t.Errorf("seen as %d octets", o.Size)
			}
			return true
		})
		whole := cachetest.Object("a", size)
		s.Put(whole)
		if got := s.Get([]byte("a")); got == nil || got.Away() || !cachetest.Same(got, whole) {
			t.Errorf("with its body: %+v", got)
		}
		if s.Lend(0, []byte("a"), &v); v.Far != (cache.Far{}) || v.Proved != nil || v.Size != int64(size) {
			t.Errorf("lent with its body: %+v", v)
		}
		s.Return(&v)
	}
	checkBooks(t, s)
}

// What was noted of a body stays noted when its entry is moved, and is not another's.
func TestFar_WhatWasProvedMovesAlong(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	r := rand.New(rand.NewPCG(5, 1))
	var v cache.View
	kept := 0
	for i := range 20_000 {
		n := uint64(r.IntN(500) + 1)
		key := fmt.Sprint(n)
		if i%3 == 0 {
			s.Put(cachetest.Object(fmt.Sprint("other", i), r.IntN(3000)))
		}
		if !s.Lend(0, []byte(key), &v) {
			s.Put(away(key, 5000, n))
			continue
		}
		if v.Far.Place != n || v.Proved.Load() != 0 && v.Proved.Load() != int64(n) {
			t.Fatalf("%s: %+v, %d", key, v.Far, v.Proved.Load())
		}
		if v.Proved.Load() != 0 {
			kept++
		}
		v.Proved.Store(int64(n))
		s.Return(&v)
	}
	if kept < 1000 {
		t.Errorf("kept %d times", kept)
	}
	checkBooks(t, s)
}

// What whoever puts it has seen of a body is known of it, and a body that lies elsewhere need not be at hand to be put.
func TestFar_WithoutTheBody(t *testing.T) {
	s := open(t, Config{Capacity: 1 << 20})
	o := away("a", 5000, 7)
	o.Body, o.Length, o.Proved = nil, 5000, 99
	s.Put(o)
	var v cache.View
	if !s.Lend(0, []byte("a"), &v) || v.Size != 5000 || v.Far.Place != 7 || v.Proved.Load() != 99 {
		t.Errorf("lent: %+v", v)
	}
	s.Return(&v)
	if got := s.Get([]byte("a")); got == nil || !got.Away() || got.Length != 5000 || got.Size() != 5000 {
		t.Errorf("%+v", got)
	}
	checkBooks(t, s)
}
