package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// world is a store that is killed, cut from its power and damaged, and what it has been told.
type world struct {
	t    *testing.T
	r    *rand.Rand
	s    *running
	seq  uint64
	life int

	flips bool                      // octets are hit, too
	sent  int                       // how often something was sent from the file
	put   map[string]map[uint64]int // sizes of all versions of a key, of any life, by stamp
	of    map[uint64]int            // the life in which a stamp was given
	gone  map[string]uint64         // forgotten, and that is in the file: nothing up to this stamp may come back
}

func (w *world) name() string { return fmt.Sprintf("%s%d", testLife, w.life) }

func (w *world) use() {
	w.s.Use(w.name())
	w.s.At(Mark{Seq: w.seq})
}

func (w *world) key() string { return fmt.Sprint("key", w.r.IntN(40)) }

func (w *world) store() {
	w.seq++
	w.s.At(Mark{Seq: w.seq})
	key, size := w.key(), w.r.IntN(2000)
	if w.r.IntN(10) == 0 {
		size = w.r.IntN(61_000) // as much as a segment takes
	}
	o := object(key, int(w.seq), size)
	o.Epoch = w.name()
	if w.put[key] == nil {
		w.put[key] = map[uint64]int{}
	}
	w.put[key][w.seq], w.of[w.seq] = size, w.life
	if !w.s.Put(o) {
		w.s.Forget([]byte(key)) // as an edge does: an older one must not be found where a younger one was
	}
}

// look checks what is found under a key: it is something that was put there, in this life, and not more than the
// store said it had.
func (w *world) look(key string) *cache.Object {
	o := w.s.Get([]byte(key))
	if o == nil {
		return nil
	}
	size, ok := w.put[key][o.Stamp]
	want := object(key, int(o.Stamp), size)
	switch {
	case !ok || !equal(o, want):
		w.t.Fatalf("%s: found octets that nobody has put", key)
	case w.of[o.Stamp] != w.life:
		w.t.Fatalf("%s: found an object of another life", key)
	case o.Stamp <= w.gone[key]:
		w.t.Fatalf("%s: what was forgotten is back", key)
	}
	return o
}

// send is look for what is sent from the file, by viewers who may take longer than the process lives.
func (w *world) send(key string) {
	o, ref := w.s.Find([]byte(key))
	if o == nil {
		return
	}
	var proved atomic.Int64
	p, ok := w.s.lend(ref, key, len(o.Body), &proved, noon)
	if !ok {
		return
	}
	if got := make([]byte, len(o.Body)); p.Hold() {
		if n, _ := p.ReadAt(got, 0); !bytes.Equal(got[:n], o.Body) {
			w.t.Fatalf("%s: other octets are sent than are found", key)
		}
		p.Release()
		w.sent++
	}
	if w.r.IntN(3) > 0 {
		p.Return()
	}
}

// reopen goes on with what is left of the file. With a new life now and then; one that was interrupted is what is
// kept, or what was before.
func (w *world) reopen(file *disktest.File, reliable bool) {
	w.s.stop()
	if w.r.IntN(3) == 0 { // one that ends before it knows whose life it has found
		s := start(w.t, small(file))
		s.stop()
		file = file.Killed()
	}
	w.s = start(w.t, small(file))
	if !reliable {
		clear(w.gone)
	}
	kept, latest := w.s.Kept()
	if latest.Seq > w.seq {
		w.t.Fatalf("kept up to %d, and there was nothing above %d", latest.Seq, w.seq)
	}
	if kept != "" && kept != w.name() {
		// The life that was there before, whose mark its records are judged by: then it goes on.
		fmt.Sscanf(kept, testLife+"%d", &w.life)
		clear(w.gone)
	}
	w.use()
	for key := range w.put {
		if o := w.look(key); o != nil && o.Stamp > latest.Seq {
			w.t.Fatalf("%s has stamp %d, and nothing kept should be above %d", key, o.Stamp, latest.Seq)
		}
	}
	var n int64
	w.s.Range(func(o *cache.Sight) bool {
		n++
		if want, ok := w.put[o.Key][o.Stamp]; !ok || int64(want) != o.Size || w.of[o.Stamp] != w.life {
			w.t.Fatalf("%s: visited an object that nobody has put", o.Key)
		}
		return true
	}, nil)
	if got := w.s.Stats().Objects; n != got {
		w.t.Fatalf("visited %d of %d objects", n, got)
	}
}

func (w *world) step() {
	switch w.r.IntN(100) {
	default:
		w.store()
	case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14:
		w.look(w.key())
	case 15, 16, 17:
		w.s.settle(w.t)
	case 18, 19:
		key := w.key()
		w.s.Forget([]byte(key))
		w.s.settle(w.t)
		if w.s.Get([]byte(key)) != nil {
			w.t.Fatalf("%s is there after Forget", key)
		}
		if !w.flips { // a tombstone in a segment whose header has been hit is lost
			w.gone[key] = w.seq
		}
	case 20:
		w.reopen(w.s.file.Killed(), true)
	case 21:
		file := w.s.file.Cut(w.r)
		w.reopen(file, false)
	case 22:
		w.s.stop()
		w.reopen(w.s.file.Cut(w.r), true) // Run has synced
	case 23:
		if w.flips {
			w.flip()
		}
	case 25, 26:
		w.send(w.key())
	case 24:
		if w.r.IntN(4) == 0 {
			w.life++
			w.use()
			clear(w.gone)
		}
	}
}

// flip changes octets wherever it likes.
func (w *world) flip() {
	w.s.settle(w.t) // nobody else uses the file now
	f := w.s.file
	for range 1 + w.r.IntN(20) {
		f.Octets()[w.r.IntN(len(f.Octets()))] ^= 1 << w.r.IntN(8)
	}
}

// Whatever happens to the process, the power and the octets: what is found under a key is what was put there,
// octet for octet, in this life, and its stamp is covered by the mark that the store found.
func TestFaults_NeverAWrongOctet(t *testing.T) {
	for seed := range uint64(6) {
		w := &world{
			t: t, flips: seed%2 == 1, r: rand.New(rand.NewPCG(seed, 1)), put: map[string]map[uint64]int{}, of: map[uint64]int{}, gone: map[string]uint64{},
		}
		w.s = start(t, small(new(disktest.File)))
		w.use()
		for range 400 {
			w.step()
		}
		w.s.stop()
		t.Logf("sent %d times", w.sent)
	}
}

// What is forgotten while the disk takes nothing, and the queue has no room left, does not come back.
func TestFaults_ForgottenWhileTheQueueIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		s := start(t, small(f))
		s.Use(testLife)
		for _, key := range []string{"forgotten", "anew"} {
			mustPut(t, s, object(key, 1, 100))
		}
		synctest.Wait()
		gate := make(chan struct{})
		f.Suffer(disktest.Faults{Write: func(int64, int) error { <-gate; return nil }})
		mustPut(t, s, object("waits", 1, 100))
		synctest.Wait()
		s.queued.Add(s.cfg.Queue) // as if so much waited
		s.Forget([]byte("forgotten"))
		s.Forget([]byte("anew"))
		s.queued.Add(-s.cfg.Queue)
		mustPut(t, s, object("anew", 2, 100)) // written before the tombstone is, or after it
		close(gate)
		synctest.Wait()
		if s.Get([]byte("forgotten")) != nil {
			t.Error("is there after Forget")
		}
		s.stop()
		s = start(t, small(s.file.Killed()))
		s.Use(testLife)
		if s.Get([]byte("forgotten")) != nil {
			t.Error("what was forgotten is back")
		}
		if !equal(s.Get([]byte("anew")), object("anew", 2, 100)) {
			t.Error("what came afterwards is not there")
		}
		s.stop()
	})
}

// A segment that is dropped because a sweep could not read it is found by the next start again, for which it can be read as a whole:
// without what has been forgotten meanwhile.
func TestFaults_ForgottenWhileItsSegmentIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		mustPut(t, s, object("forgotten", 1, 100))
		for i := range 3 { // the first segment is complete then
			mustPut(t, s, object(fmt.Sprint("filler", i), 1, 50_000))
			synctest.Wait()
		}
		g := s.slots[0].Load()
		if !g.complete {
			t.Fatal("not complete")
		}
		view := &s.file.Octets()[s.base(0)+g.trailer.end+8]
		*view ^= 1
		s.Range(func(*cache.Sight) bool { return true }, nil)
		if s.slots[0].Load() != nil {
			t.Fatal("not dropped")
		}
		s.Forget([]byte("forgotten"))
		synctest.Wait()
		*view ^= 1
		s.stop()
		s = start(t, small(s.file.Killed()))
		s.Use(testLife)
		if s.Get([]byte("filler0")) == nil && s.Get([]byte("filler1")) == nil {
			t.Error("nothing was found again")
		}
		if s.Get([]byte("forgotten")) != nil {
			t.Error("what was forgotten is back")
		}
		s.stop()
	})
}

func TestFaults_FailingWritesAreSaidAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		s := start(t, small(f))
		s.Use(testLife)
		mustPut(t, s, object("before", 1, 100))
		synctest.Wait()
		fail := func(err error) {
			f.Suffer(disktest.Faults{Write: func(int64, int) error { return err }})
		}
		fail(disktest.ErrIO)
		s.Put(object("lost", 1, 100))
		synctest.Wait()
		if st := s.Stats(); !st.Failing || st.Failures != 1 || st.Objects != 1 {
			t.Errorf("%+v", st)
		}
		if s.Put(object("lost", 1, 100)) || s.Get([]byte("lost")) != nil {
			t.Error("stored on a disk that fails")
		}
		if !equal(s.Get([]byte("before")), object("before", 1, 100)) {
			t.Error("what can be read is not found")
		}
		time.Sleep(leastPause)
		s.Put(object("lost", 1, 100))
		synctest.Wait()
		if st := s.Stats(); st.Failures != 2 || !st.Failing {
			t.Errorf("tried again, and failed again: %+v", st)
		}
		fail(nil)
		time.Sleep(2*leastPause - time.Nanosecond)
		if s.Put(object("early", 1, 100)) {
			t.Error("did not wait for twice as long")
		}
		time.Sleep(time.Nanosecond)
		s.Put(object("again", 1, 100))
		synctest.Wait()
		if st := s.Stats(); st.Failing || !equal(s.Get([]byte("again")), object("again", 1, 100)) {
			t.Errorf("not back: %+v", st)
		}
		s.stop()
	})
}

// What is forgotten while the disk fails does not come back either.
func TestFaults_ForgottenWhileWritesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		s := start(t, small(f))
		s.Use(testLife)
		for _, key := range []string{"first", "second"} {
			mustPut(t, s, object(key, 1, 100))
		}
		synctest.Wait()
		f.Suffer(disktest.Faults{Write: func(int64, int) error { return disktest.ErrIO }})
		s.Forget([]byte("first")) // is tried, and fails
		synctest.Wait()
		if !s.Stats().Failing {
			t.Fatal("does not fail")
		}
		s.Forget([]byte("second")) // the disk is left alone
		synctest.Wait()
		f.Suffer(disktest.Faults{})
		time.Sleep(4 * leastPause)
		synctest.Wait()
		if st := s.Stats(); st.Failing || st.Waiting != 0 {
			t.Errorf("still fails, or waits: %+v", st)
		}
		s.stop()
		s = start(t, small(s.file.Killed()))
		s.Use(testLife)
		for _, key := range []string{"first", "second"} {
			if s.Get([]byte(key)) != nil {
				t.Errorf("%s: what was forgotten is back", key)
			}
		}
		s.stop()
	})
}

func TestFaults_FailingReadsAreMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		s := start(t, small(f))
		s.Use(testLife)
		mustPut(t, s, object("a", 1, 100))
		synctest.Wait()
		reads := 0
		f.Suffer(disktest.Faults{Read: func(int64, int) error { reads++; return disktest.ErrIO }})
		for range 3 {
			if s.Get([]byte("a")) != nil {
				t.Fatal("read from a disk that fails")
			}
		}
		if reads != 1 {
			t.Errorf("asked %d times", reads)
		}
		f.Suffer(disktest.Faults{})
		time.Sleep(leastPause)
		if !equal(s.Get([]byte("a")), object("a", 1, 100)) {
			t.Error("not found on a disk that works again")
		}
		s.stop()
	})
}

// One place that cannot be read does not keep everything else from being read: what lies there is given up the second time.
func TestFaults_OnePlaceThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		s := start(t, small(f))
		s.Use(testLife)
		bad := put1(t, s, object("bad", 1, 100)).at
		mustPut(t, s, object("good", 1, 100))
		synctest.Wait()
		f.Suffer(disktest.Faults{Read: func(off int64, n int) error {
			if at := s.base(bad.slot()) + bad.off(); off <= at && at < off+int64(n) {
				return disktest.ErrIO
			}
			return nil
		}})
		for range 5 {
			s.Get([]byte("bad"))
			time.Sleep(leastPause)
			if s.Get([]byte("good")) == nil {
				t.Error("the other one is not found a second later")
			}
		}
		if st := s.Stats(); s.Has([]byte("bad")) || st.Failures != 2 || st.Objects != 1 {
			t.Errorf("%+v", st)
		}
		s.stop()
	})
}

func TestFaults_FullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		f.Suffer(disktest.Faults{Room: slotsAt + 2*(64<<10) + 1000})
		s := start(t, small(f))
		s.Use(testLife)
		kept := 0
		for i := range 200 {
			s.Put(object(fmt.Sprint(i), 1, 2000))
			synctest.Wait()
		}
		for i := range 200 {
			if o := s.Get([]byte(fmt.Sprint(i))); o != nil {
				if kept++; !equal(o, object(fmt.Sprint(i), 1, 2000)) {
					t.Fatal("a wrong octet")
				}
			}
		}
		if st := s.Stats(); kept < 40 || kept > 65 || !st.Failing {
			t.Errorf("kept %d; %+v", kept, st)
		}
		s.stop()
	})
}

// A disk that takes its time holds nobody up who stores, and what cannot wait is counted.
func TestFaults_SlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(disktest.File)
		c := small(f)
		c.Queue = 20_000
		s := start(t, c)
		s.Use(testLife)
		stall := make(chan struct{})
		f.Suffer(disktest.Faults{Stall: stall})
		taken := 0
		for i := range 100 {
			if s.Put(object(fmt.Sprint(i), 1, 1000)) {
				taken++
			}
		}
		if st := s.Stats(); taken == 0 || taken > 20 || st.Overflow != uint64(100-taken) {
			t.Errorf("took %d; %+v", taken, st)
		}
		f.Suffer(disktest.Faults{})
		close(stall)
		synctest.Wait()
		if st := s.Stats(); st.Objects != int64(taken) || s.queued.Load() != 0 {
			t.Errorf("%+v, %d octets wait", st, s.queued.Load())
		}
		s.stop()
	})
}
