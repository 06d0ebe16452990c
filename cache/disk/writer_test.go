package disk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/cache/record"
)

// Large bodies begin with pages, small records stand one behind the other, and whatever is left free in between is no obstacle for
// who reads a segment that was not completed.
func TestWriter_LargeBodiesBeginWithPages(t *testing.T) {
	c := Config{File: new(disktest.File), Capacity: slotsAt + 4*(1<<20), slot: 1 << 20, Queue: 8 << 20}
	s := start(t, c)
	s.Use(testLife)
	s.At(Mark{Seq: 1})
	sizes := map[string]int{}
	end, slot := int64(headerSize), 0
	for i, size := range []int{10, leastPaged, leastPaged + 1, 3000, leastPaged - 1, 100 << 10, 100 << 10, 100<<10 - 3, 17, 100 << 10, leastPaged, leastPaged, leastPaged} {
		key := fmt.Sprint(strings.Repeat("k", i), size)
		sizes[key] = size
		ref := put1(t, s, object(key, 1, size))
		if end == headerSize {
			slot = ref.at.slot()
		} else if ref.at.slot() != slot {
			t.Fatal("the segment is too small for the test")
		}
		body := ref.at.off() + frameSize + int64(record.HeadSize+len(key))
		gap := ref.at.off() - end
		if size >= leastPaged && (body%paged >= unit || gap >= paged) || size < leastPaged && gap != 0 {
			t.Errorf("%d octets behind a key of %d begin at %d, behind a gap of %d", size, len(key), body, gap)
		}
		end = s.open.end
	}
	killed := s.file.Killed()
	s.stop()
	for what, file := range map[string]*disktest.File{"killed": killed, "closed": s.file} {
		c.File = file
		s := start(t, c)
		s.Use(testLife)
		for key, size := range sizes {
			if !equal(s.Get([]byte(key)), object(key, 1, size)) {
				t.Errorf("%s: %d octets are lost", what, size)
			}
		}
		if n := s.Stats().Objects; int(n) != len(sizes) {
			t.Errorf("%s: %d objects, want %d", what, n, len(sizes))
		}
		s.stop()
	}
}

// What has room without a gap only is stored without one.
func TestWriter_NothingIsRefusedForAGap(t *testing.T) {
	c := Config{File: new(disktest.File), Capacity: slotsAt + 4*(72<<10), slot: 72 << 10, Queue: 1 << 20}
	s := start(t, c)
	s.Use(testLife)
	s.At(Mark{Seq: 1})
	with, without := 0, 0
	for n := 1; n < 1400; n += 77 {
		o := object(strings.Repeat("k", n), 1, 66_000)
		s.Earns([]byte(o.Key))
		if ref := put1(t, s, o); ref.at.off() > headerSize {
			with++
		} else {
			without++
		}
		if !equal(s.Get([]byte(o.Key)), o) {
			t.Errorf("a key of %d octets is lost", n)
		}
	}
	if with == 0 || without == 0 {
		t.Errorf("%d with a gap, %d without", with, without)
	}
}
