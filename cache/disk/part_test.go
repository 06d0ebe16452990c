package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache/disk/disktest"
)

var noon = time.Unix(43_200, 0)

// lend lends the body of an object that was put, as of a time.
func (r *running) lend(ref Ref, o string, size int, proved *atomic.Int64, now time.Time) (Part, bool) {
	return r.Lend(1, ref.Far(), []byte(o), int64(size), proved, now)
}

func TestLend_IsTheBody(t *testing.T) {
	for _, size := range []int{1, 500, piece - frameSize - 60, piece, piece + 1, 60_000 - 1} {
		c := small(new(disktest.File))
		c.slot, c.Capacity = 128<<10, slotsAt+4*(128<<10)
		s := start(t, c)
		s.Use(testLife)
		a := object("a", 1, size)
		ref := put1(t, s, a)
		var proved atomic.Int64
		p, ok := s.lend(ref, "a", size, &proved, noon)
		if !ok || p.Size() != int64(size) || proved.Load() != Compared(noon) || !p.Hold() {
			t.Fatalf("%d octets: not lent, or not proved", size)
		}
		got := make([]byte, size+100)
		n, err := p.ReadAt(got, 0)
		if !bytes.Equal(got[:n], a.Body) {
			t.Errorf("%d octets: not what was put, %v", size, err)
		}
		p.Release()
		for _, x := range []struct {
			key  string
			size int
		}{{"b", size}, {"a", size + 1}} {
			proved.Store(0)
			if _, ok := s.lend(ref, x.key, x.size, &proved, noon); ok || s.Stats().Damaged != 0 {
				t.Errorf("%q of %d octets is lent", x.key, x.size)
			}
		}
		p.Return()
		if p.Lent() || s.inSlot[ref.at.slot()].Load().lends() || s.inSlot[ref.at.slot()].Load().held() {
			t.Error("it is still lent")
		}
		s.stop()
	}
}

// What has changed since it was written is found by whoever is the first, or the first after a minute. Within it a disk
// that does not have all of it at hand, or fails, is not sent from either.
func TestLend_ProvesOnceInAMinute(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for i := range 100 {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		ref := put1(t, s, object("a", 1, 50_000))
		var proved atomic.Int64
		now := noon
		lent := func() bool {
			p, ok := s.lend(ref, "a", 50_000, &proved, now)
			if ok {
				p.Return()
			}
			return ok
		}
		if !lent() {
			t.Fatal("not lent")
		}
		now = now.Add(proven - time.Second)
		s.file.Suffer(disktest.Faults{Cold: true})
		if lent() {
			t.Fatal("lent from a disk that has to be waited for")
		}
		s.file.Suffer(disktest.Faults{})
		if !lent() || proved.Load()>>32 != noon.Unix() {
			t.Fatal("not lent, or proved anew, within the minute")
		}
		off := s.base(ref.at.slot()) + ref.at.off() + int64(r.IntN(50_000))
		s.file.Octets()[off] ^= 1 << r.IntN(8)
		if now = now.Add(time.Second); i%2 == 0 {
			now = noon.Add(-time.Second) // the clock was set
		}
		for range 2 {
			if lent() {
				t.Fatalf("lent although octet %d has changed", off)
			}
		}
		if _, _, ok := s.FindNow([]byte("a"), 1<<20); !ok || s.Stats().Damaged != 1 || s.Has([]byte("a")) {
			t.Fatalf("%+v", s.Stats())
		}
		s.stop()
	}
}

// looked is a file that counts how often it is asked what is in memory.
type looked struct {
	*disktest.File
	times int
}

func (f *looked) Resident(off, size int64) bool {
	f.times++
	return f.File.Resident(off, size)
}

// What has just been in the kernel's memory is not looked at again, until something is missing there that it had less than a minute
// before; then all is looked at each time, for a minute.
func TestLend_LooksOnceInTwoSeconds(t *testing.T) {
	f := &looked{File: new(disktest.File)}
	c := small(f.File)
	c.File = f
	s := start(t, c)
	defer s.stop()
	s.file = f.File
	s.Use(testLife)
	refs := map[string]Ref{"a": put1(t, s, object("a", 1, 9000)), "b": put1(t, s, object("b", 1, 9000))}
	proved := map[string]*atomic.Int64{"a": new(atomic.Int64), "b": new(atomic.Int64)}
	now := noon
	lend := func(key string, want bool, looks int) {
		t.Helper()
		f.times = 0
		p, ok := s.lend(refs[key], key, 9000, proved[key], now)
		if ok {
			p.Return()
		}
		if ok != want || f.times != looks {
			t.Errorf("%s, %v after the beginning: lent %v after %d looks, want %v after %d", key, now.Sub(noon), ok, f.times, want, looks)
		}
	}
	at := func(d time.Duration, cold bool) {
		now = noon.Add(d)
		f.Suffer(disktest.Faults{Cold: cold})
	}
	lend("a", true, 0) // it is compared
	lend("b", true, 0)
	at(seen-1, false)
	lend("a", true, 0)
	at(seen, false)
	lend("a", true, 1)
	lend("a", true, 0)
	at(2*seen-1, false)
	lend("a", true, 0)
	at(2*seen-1-time.Minute, false) // the clock is set back
	lend("a", true, 0)              // compared anew
	at(2*time.Minute, true)
	lend("a", false, 0) // it was seen long ago: that says nothing
	at(2*time.Minute, false)
	lend("a", true, 0)
	lend("b", true, 0)
	at(2*time.Minute+seen-1, false)
	lend("b", true, 0)
	at(2*time.Minute+30*time.Second, true)
	lend("a", false, 1)
	at(2*time.Minute+30*time.Second, false)
	for range 2 {
		lend("a", true, 1)
		lend("b", true, 1)
	}
	at(3*time.Minute+30*time.Second-1, false)
	lend("a", true, 0) // the minute for which it is sent without being compared is over, too
	lend("a", true, 1)
	at(3*time.Minute+30*time.Second, false)
	lend("a", true, 0)
	lend("b", true, 0)
	lend("b", true, 0)
}

// A slot from which somebody sends is passed over, and if there is no other, it is taken: then a call that is under
// way is waited for, and at the next one the octets are gone.
func TestLend_AndTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		first := object("first", 1, 9000)
		mustPut(t, s, first)
		synctest.Wait()
		_, ref := s.Find([]byte("first"))
		var proved atomic.Int64
		p, ok := s.lend(ref, "first", 9000, &proved, noon)
		if !ok {
			t.Fatal("not lent")
		}
		fill := func(slots int) {
			for i, to := 0, s.number()+uint64(slots); s.number() < to && i < 1000; i++ {
				key := fmt.Sprint(s.number(), "/", i)
				s.Earns([]byte(key))
				s.Put(object(key, 1, 9000))
				synctest.Wait()
			}
		}
		intact := func() bool {
			got := make([]byte, 9000)
			n, _ := p.ReadAt(got, 0)
			return n == 9000 && bytes.Equal(got, first.Body)
		}
		fill(20) // the log goes round more than twice
		if !p.Hold() || !intact() || !equal(s.Get([]byte("first")), first) {
			t.Fatal("written over, although it is being sent")
		}
		p.Release()
		var others []Part
		for i := range s.slots { // somebody sends from all of them
			var there atomic.Int64
			for key, ref := range s.oneIn(i) {
				if o, ok := s.lend(ref, key, 9000, &there, noon); ok {
					others = append(others, o)
				}
			}
		}
		if len(others) < len(s.slots)-1 { // all but the one that is just being written to, perhaps
			t.Fatalf("%d of %d slots are lent from", len(others), len(s.slots))
		}
		held := 0
		for i := range others {
			if others[i].Hold() {
				held++
			}
		}
		next := s.number()
		done := make(chan struct{})
		go func() { defer close(done); fill(3) }()
		time.Sleep(time.Minute)
		if n := s.number() - next; n > 1 {
			t.Errorf("%d segments were begun where somebody was reading", n)
		}
		for i := range others {
			if held > 0 {
				others[i].Release()
			}
		}
		<-done
		fill(10)
		gone := 0
		for i := range others {
			if !others[i].Hold() {
				gone++
			} else {
				others[i].Release()
			}
			others[i].Return()
		}
		p.Return()
		if gone == 0 {
			t.Error("nobody has noticed")
		}
		s.stop()
	})
}

// oneIn is a key that lies in a slot.
func (r *running) oneIn(slot int) map[string]Ref {
	found := map[string]Ref{}
	for i := range r.shards {
		for _, x := range r.shards[i].index.slots {
			if x.at == 0 || x.at.slot() != slot || len(found) > 0 {
				continue
			}
			if o, _ := r.read(r.segmentOf(x.at), x.hash, x.at, false); o != nil && len(o.Body) == 9000 {
				if _, ref := r.Find([]byte(o.Key)); ref.at.same(x.at) {
					found[o.Key] = ref
				}
			}
		}
	}
	return found
}

// unpunched is a file in which no holes can be made.
type unpunched struct{ *disktest.File }

func (unpunched) Punch(int64, int64) error { return errors.New("not supported") }

func TestLend_NotWherePagesCannotBeLetGo(t *testing.T) {
	f := new(disktest.File)
	c := small(f)
	c.File = unpunched{f}
	s := start(t, c)
	s.file = f
	s.Use(testLife)
	ref := put1(t, s, object("a", 1, 5000))
	var proved atomic.Int64
	if _, ok := s.lend(ref, "a", 5000, &proved, noon); ok {
		t.Error("lent")
	}
	if _, _, ok := s.ReadNow(ref.Far(), []byte("a"), 5000, nil); !ok {
		t.Error("not read")
	}
}

// While segments are written over: what is read under Hold is what was put.
func TestLend_NeverAnotherOctet(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	var done atomic.Bool
	var sent atomic.Int64
	var writing, reading sync.WaitGroup
	writing.Go(func() {
		defer done.Store(true)
		r := rand.New(rand.NewPCG(1, 1))
		for i := 0; !t.Failed() && sent.Load() < 500; i++ {
			key := fmt.Sprint("k", r.IntN(100))
			s.Earns([]byte(key))
			mustPut(t, s, object(key, i+1, 1000+r.IntN(9000)))
		}
	})
	for g := range 3 {
		reading.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(g)))
			buf := make([]byte, 10_000)
			for !done.Load() {
				o, ref := s.Find(fmt.Append(nil, "k", r.IntN(100)))
				if o == nil || ref.it != nil {
					continue
				}
				var proved atomic.Int64
				p, ok := s.lend(ref, o.Key, len(o.Body), &proved, noon)
				if !ok {
					continue
				}
				for range 1 + r.IntN(20) { // a viewer who takes a while
					if !p.Hold() {
						break
					}
					if n, err := p.ReadAt(buf, 0); !bytes.Equal(buf[:n], o.Body) {
						t.Errorf("%s: other octets, %v", o.Key, err)
					}
					p.Release()
				}
				sent.Add(1)
				p.Return()
			}
		})
	}
	writing.Wait()
	reading.Wait()
}

// number of the next segment.
func (r *running) number() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}
