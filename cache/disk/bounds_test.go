package disk

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

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
