package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// put1 puts an object and waits until it can be read from the file.
func put1(t *testing.T, s *running, o *cache.Object) Ref {
	t.Helper()
	mustPut(t, s, o)
	s.settle(t)
	_, ref := s.Find([]byte(o.Key))
	if ref.Far() == (cache.Far{}) {
		t.Fatalf("%s has no place", o.Key)
	}
	return ref
}

func TestReadNow_GivesWhatWasWritten(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	a := object("a", 1, 9000)
	far := put1(t, s, a).Far()
	read := func(far cache.Far, key string, size int) ([]byte, bool) {
		body, _, ok := s.ReadNow(far, []byte(key), int64(size), nil)
		return body, ok
	}
	if body, ok := read(far, "a", 9000); !ok || !bytes.Equal(body, a.Body) {
		t.Error("not what was written")
	}
	for _, x := range []struct {
		key  string
		size int
	}{{"b", 9000}, {"a", 8999}, {"", 9000}} {
		if _, ok := read(far, x.key, x.size); ok {
			t.Errorf("%q of %d octets is there", x.key, x.size)
		}
	}
	if _, ok := read(cache.Far{Place: far.Place, Time: far.Time + 1}, "a", 9000); ok {
		t.Error("read from another segment")
	}
	for name, f := range map[string]disktest.Faults{
		"cold": {Cold: true}, "stalled": {Stall: make(chan struct{})}, "broken": {Read: func(int64, int) error { return disktest.ErrIO }},
	} {
		s.file.Suffer(f)
		if _, ok := read(far, "a", 9000); ok {
			t.Errorf("read from a disk that is %s", name)
		}
		if o, _, ok := s.FindNow([]byte("a"), 1<<20); ok || o != nil {
			t.Errorf("found without waiting on a disk that is %s", name)
		}
	}
	s.file.Suffer(disktest.Faults{})
	if o, _, ok := s.FindNow([]byte("a"), 1000); ok || o != nil {
		t.Error("larger than was allowed")
	}
	if o, ref, ok := s.FindNow([]byte("a"), 1<<20); !ok || !equal(o, a) || ref.Far() != far {
		t.Error("not found without waiting")
	}
	if o, _, ok := s.FindNow([]byte("nothing"), 1<<20); !ok || o != nil {
		t.Error("what is not there has to be waited for")
	}
	s.Clear()
	if _, ok := read(far, "a", 9000); ok {
		t.Error("read after Clear")
	}
}

// A body in which anything has changed since it was written is not given out, is counted once, and is gone.
func TestReadNow_FindsDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	for i := range 200 {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		ref := put1(t, s, object("a", 1, 5000))
		at := s.base(ref.at.slot()) + ref.at.off() + int64(r.IntN(5000))
		s.file.Octets()[at] ^= 1 << r.IntN(8)
		if _, _, ok := s.ReadNow(ref.Far(), []byte("a"), 5000, nil); ok {
			t.Fatalf("%d: octet %d has changed", i, at)
		}
		if st := s.Stats(); st.Damaged != 1 || st.Objects != 0 || s.Has([]byte("a")) {
			t.Fatalf("%+v", st)
		}
		s.stop()
	}
}

// While segments are written over and octets are hit: what is read is what was put under that key, by that number.
func TestReadNow_NeverAnotherOctet(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	type known struct {
		far cache.Far
		o   *cache.Object
	}
	var all [64]atomic.Pointer[known]
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	var read, gone atomic.Int64
	writing.Go(func() {
		defer done.Store(true)
		r := rand.New(rand.NewPCG(8, 1))
		for i := 0; !t.Failed() && (read.Load() < 2000 || gone.Load() < 200); i++ {
			o := object(fmt.Sprint("k", r.IntN(len(all))), i+1, r.IntN(6000))
			s.Earns([]byte(o.Key))
			mustPut(t, s, o)
			if got, ref := s.Find(fmt.Append(nil, "k", r.IntN(len(all)))); got != nil && ref.Far() != (cache.Far{}) {
				all[r.IntN(len(all))].Store(&known{ref.Far(), got})
			}
		}
	})
	for g := range 2 {
		reading.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(g)))
			var buf []byte
			for !done.Load() {
				k := all[r.IntN(len(all))].Load()
				if k == nil {
					continue
				}
				body, grown, ok := s.ReadNow(k.far, []byte(k.o.Key), int64(len(k.o.Body)), buf)
				if buf = grown; !ok {
					gone.Add(1)
				} else if read.Add(1); !bytes.Equal(body, k.o.Body) {
					t.Errorf("%s: other octets", k.o.Key)
					return
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
}
