package disk

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// gated is a file whose writer can be stopped before it begins a segment.
type gated struct {
	*disktest.File
	shut          atomic.Bool
	stopped, gone chan struct{}
}

func (g *gated) WriteAt(p []byte, off int64) (int, error) {
	if len(p) == headerSize && g.shut.CompareAndSwap(true, false) {
		close(g.stopped)
		<-g.gone
	}
	return g.File.WriteAt(p, off)
}

// What outlives its segment waits to be written again, and is in neither segment meanwhile. A walk that comes by then
// must see it all the same: or the rule that kills it would be forgotten, and it would be found again (L4).
func TestRange_SeesWhatIsOnItsWayToAnotherSegment(t *testing.T) {
	g := &gated{File: new(disktest.File), stopped: make(chan struct{}), gone: make(chan struct{})}
	c := small(g.File)
	c.File = g
	s := start(t, c)
	s.Use(testLife)
	n := 0
	put := func() {
		o := object(fmt.Sprintf("%04d", n), 1, 3000)
		n++
		s.Put(o)
		s.Put(o) // it has to earn its place once the log has gone round
	}
	room := func() (left int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open == nil {
			return s.super.slot
		}
		return s.super.slot - trailerSize - s.open.end - int64(len(s.open.views)+len(s.open.table))
	}
	for full := false; !full; { // up to the last one that fits into the last slot
		put()
		s.settle(t)
		full = s.after(0) != nil && s.slots[len(s.slots)-1].Load() != nil && room() < 3600
	}
	const wanted = "0003"
	if s.Get([]byte(wanted)) == nil {
		t.Fatal("it is not there")
	}

	seen := map[string]bool{}
	s.Range(func(o *cache.Sight) bool {
		if len(seen) == 0 { // the walk is in the oldest segment, which is now written over
			g.shut.Store(true)
			put()
			<-g.stopped
		}
		seen[o.Key] = true
		return true
	}, &Sweep{Life: testLife, To: 9, Since: func(string, uint64) bool { return true }})
	close(g.gone)
	s.settle(t)
	if s.Peek([]byte(wanted)) == nil {
		t.Fatal("it has not outlived its segment")
	}
	if !seen[wanted] {
		t.Errorf("it was there all the time and not seen; %d others were", len(seen))
	}
}

// A walk that a new life has come into says nothing about that: its numbers are those of another log (E1).
func TestRange_SaysNothingAboutAnotherLife(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	mustPut(t, s, object("old", 1, 100))
	s.settle(t)
	const young = "0000"
	s.Range(func(*cache.Sight) bool {
		s.Use("epoch/other")
		for i := 0; s.after(0) == nil || !s.slots[s.after(0).slot].Load().isComplete(s.Store); i++ {
			o := object(fmt.Sprintf("%04d", i), 1, 3000)
			o.Epoch = "epoch/other"
			mustPut(t, s, o)
			s.settle(t)
		}
		return true
	}, &Sweep{Life: testLife, To: 100, Since: func(string, uint64) bool { return true }})
	if o := s.Peek([]byte(young)); o == nil || o.Checked() != 1 {
		t.Errorf("%v was checked up to %d", o != nil, o.Checked())
	}
}

// Nor does a walk of the life before about one that has begun since the sweep did (E1).
func TestRange_OfTheLifeBefore(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	for i := 0; s.after(0) == nil || !s.after(0).isComplete(s.Store); i++ {
		mustPut(t, s, object(fmt.Sprintf("%04d", i), 1, 3000))
		s.settle(t)
	}
	s.Range(func(o *cache.Sight) bool {
		t.Errorf("%s is visited", o.Key)
		return false
	}, &Sweep{Life: "epoch/before", To: 100, Since: func(string, uint64) bool { return true }})
	if o := s.Peek([]byte("0000")); o == nil || o.Checked() != 1 {
		t.Errorf("%v was checked up to %d", o != nil, o.Checked())
	}
}

func (g *segment) isComplete(s *Store) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.complete
}

// What a walk leaves marked says that its segment is not checked, and that the next walk must not pass it over.
func TestRange_OfWhatIsMarked(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	marked := ""
	for i := 0; s.after(0) == nil || s.after(s.after(0).number) == nil || !s.after(s.after(0).number).isComplete(s.Store); i++ {
		o := object(fmt.Sprintf("%04d", i), 1, 3000)
		if marked == "" {
			marked = o.Key
		}
		mustPut(t, s, o)
		s.settle(t)
	}
	walk := func(to uint64) (visited int) {
		met := false
		s.Range(func(o *cache.Sight) bool {
			met = met || o.Key == marked
			visited++
			return true
		}, &Sweep{Life: testLife, To: to, Since: func(_ string, swept uint64) bool { return swept < to }, Marked: func() (was bool) {
			was, met = met, false
			return was
		}})
		return visited
	}
	all := walk(5)
	if o := s.Peek([]byte(marked)); o.Checked() != 1 {
		t.Errorf("what is marked was checked up to %d", o.Checked())
	}
	if again := walk(5); again == 0 || again >= all {
		t.Errorf("%d were visited, and then %d: those beside what is marked must be, and no others", all, again)
	}
	marked = ""
	walk(5)
	if o := s.Peek([]byte("0000")); o.Checked() != 5 {
		t.Errorf("nothing is marked, and checked up to %d", o.Checked())
	}
}

// interrupted is a file with which something happens before it is read.
type interrupted struct {
	*disktest.File
	by func()
}

func (f *interrupted) ReadAt(b []byte, off int64) (int, error) {
	f.interrupt()
	return f.File.ReadAt(b, off)
}

func (f *interrupted) ReadNow(b []byte, off int64) bool {
	f.interrupt()
	return f.File.ReadNow(b, off)
}

func (f *interrupted) interrupt() {
	if by := f.by; by != nil {
		f.by = nil
		by()
	}
}

// E4: a sweep takes out what somebody has just found and is still reading. That it has found all that is left to be alive says
// nothing about this one: who has found it must hold it against the rules.
func TestRange_OvertakesWhoReads(t *testing.T) {
	const key = "0000"
	for name, find := range map[string]func(*Store) *cache.Object{
		"Find":    func(s *Store) *cache.Object { o, _ := s.Find([]byte(key)); return o },
		"FindNow": func(s *Store) *cache.Object { o, _, _ := s.FindNow([]byte(key), 1<<20); return o },
		"FindHead": func(s *Store) *cache.Object {
			o, _, _ := s.FindHead([]byte(key), 1, 1<<20)
			return o
		},
	} {
		f := &interrupted{File: new(disktest.File)}
		c := small(f.File)
		c.File = f
		s := start(t, c)
		s.Use(testLife)
		for i := 0; s.after(0) == nil || !s.after(0).isComplete(s.Store); i++ {
			mustPut(t, s, object(fmt.Sprintf("%04d", i), 1, 3000))
			s.settle(t)
		}
		dropped := false
		f.by = func() {
			s.Range(func(o *cache.Sight) bool {
				dropped = dropped || o.Key == key && o.Drop()
				return true
			}, &Sweep{Life: testLife, To: 5, Since: func(string, uint64) bool { return true }})
		}
		if o := find(s.Store); !dropped || o == nil || o.Checked() != 1 {
			t.Errorf("%s: dropped %v, found %v, checked up to %d", name, dropped, o != nil, o.Checked())
		}
		if o := s.Peek([]byte("0001")); o == nil || o.Checked() != 5 {
			t.Errorf("%s: the next one was not swept", name)
		}
	}
}

// A segment whose header could not be read at one start, and can at the next, may have the number of another by then. A walk sees all that
// is found.
func TestRange_SeesAllThatIsFoundAfterNumbersWereGivenTwice(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	for i := range 60 {
		mustPut(t, s, object(fmt.Sprint(i), 1, 3000))
		s.settle(t)
	}
	s.stop()
	f := s.file.Killed()
	copy(f.Octets()[s.base(5):s.base(6)], f.Octets()[s.base(0):s.base(1)])
	s = start(t, small(f))
	s.Use(testLife)
	seen := map[string]bool{}
	s.Range(func(o *cache.Sight) bool {
		seen[o.Key] = true
		return true
	}, nil)
	for i := range 60 {
		if key := fmt.Sprint(i); !seen[key] || s.Peek([]byte(key)) == nil {
			t.Errorf("%s is seen: %v, and found: %v", key, seen[key], s.Peek([]byte(key)) != nil)
		}
	}
}
