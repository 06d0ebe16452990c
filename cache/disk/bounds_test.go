package disk

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// What outlives its segment goes first into the next one, and what that is begun for comes behind it: both have to find room, or
// the last one runs over the end of its slot, into what lies in the next.
func TestWriter_NothingRunsIntoTheNextSlot(t *testing.T) {
	for _, size := range []int{30_000, 48_000, 55_000, 61_000} {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		s.At(Mark{Seq: 1})
		var keys []string
		for i := 0; !s.Full(); i++ {
			o := object(fmt.Sprint("small ", i), 1, 2000)
			keys = append(keys, o.Key)
			mustPut(t, s, o)
			s.settle(t)
		}
		last := int64(slotsAt + len(s.slots)*int(s.super.slot))
		for round := range 2 * len(s.slots) {
			for _, key := range keys {
				s.Get([]byte(key)) // so all are kept for which there is room
			}
			before := slices.Clone(s.file.Octets())
			o := object(fmt.Sprint("large ", round), 1, size)
			s.Earns([]byte(o.Key))
			at := put1(t, s, o).at
			if end := at.off() + frameSize + int64(size); end > s.super.slot {
				t.Fatalf("%d octets end at %d of a slot of %d", size, end, s.super.slot)
			}
			if !equal(s.Get([]byte(o.Key)), o) {
				t.Fatalf("%d octets are lost", size)
			}
			from := s.base((at.slot() + 1) % len(s.slots))
			if !bytes.Equal(before[from:from+s.super.slot], s.file.Octets()[from:from+s.super.slot]) {
				t.Fatalf("%d octets in slot %d have changed the next one", size, at.slot())
			}
			if n := int64(len(s.file.Octets())); n > last {
				t.Fatalf("the file has %d octets, and should have %d", n, last)
			}
		}
		if n := s.Stats().Damaged; n > 0 {
			t.Errorf("%d octets: %d records are damaged", size, n)
		}
		s.stop()
	}
}

// A process that ends before it has read the journal, and so before it knows whose life it has found, leaves the file's greatest mark as
// it was: by that the next one finds out whether the journal is still the same (E1).
func TestOpen_KeepsTheMarkOfALifeThatNobodyUsed(t *testing.T) {
	for _, objects := range []int{3, 60} { // of one segment, and of several
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		want := Mark{}
		for i := range objects {
			want = Mark{Seq: 100 + uint64(i), ID: [16]byte{byte(i)}}
			s.At(want)
			mustPut(t, s, object(fmt.Sprint(i), 1, 3000))
			s.settle(t)
		}
		s.stop()
		for again := range 3 {
			s = start(t, small(s.file.Killed()))
			if life, mark := s.Kept(); life != testLife || mark != want {
				t.Errorf("%d objects, %d starts for nothing: kept %q up to %d, want %d", objects, again, life, mark.Seq, want.Seq)
			}
			s.stop()
		}
	}
}

// overtaken is a file with which something happens when much is written to it.
type overtaken struct {
	*disktest.File
	by func()
}

func (f *overtaken) WriteAt(b []byte, off int64) (int, error) {
	if by := f.by; by != nil && len(b) >= batch {
		f.by = nil
		by()
	}
	return f.File.WriteAt(b, off)
}

// What the writer has in hand when another life begins gets no mark of that: the process that comes after it would find that in the
// journal of the next life, and go on with the last (E1).
func TestUse_OvertakesTheWriter(t *testing.T) {
	f := &overtaken{File: new(disktest.File)}
	c := Config{File: f, Capacity: slotsAt + 3*(8<<20), slot: 8 << 20, Queue: 32 << 20}
	s := start(t, c)
	s.Use(testLife)
	s.At(Mark{Seq: 5})
	large := func(i int) *cache.Object { return object(fmt.Sprint(i), 1, 1200<<10) }
	for i := range 18 {
		mustPut(t, s, large(i))
		s.settle(t)
	}
	if s.Get([]byte("0")) == nil || s.Full() {
		t.Fatal("not as many as there is room for")
	}
	changed := make(chan struct{})
	f.by = func() { // what outlives its segment is being written
		defer close(changed)
		s.Clear()
		s.Use("epoch/other")
		s.At(Mark{Seq: 1000})
	}
	mustPut(t, s, large(18))
	<-changed
	s.settle(t)
	c.File = f.Killed()
	s = start(t, c)
	if life, mark := s.Kept(); life != testLife || mark.Seq != 5 {
		t.Errorf("kept %q up to %d", life, mark.Seq)
	}
}
