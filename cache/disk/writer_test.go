package disk

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// What is put while others wait is written with them, and found meanwhile; a batch waits for nobody, and nor does the end.
func TestWriter_FewWaitForCompany(t *testing.T) {
	c := Config{File: new(disktest.File), Capacity: slotsAt + 4*(4<<20), slot: 4 << 20, Queue: 8 << 20, Linger: time.Hour}
	s := start(t, c)
	s.Use(testLife)
	s.At(Mark{Seq: 1})
	wrote := make(chan int, 100)
	s.file.Suffer(disktest.Faults{Write: func(_ int64, n int) error { wrote <- n; return nil }})
	const size = batch / 8
	put := func(from, to int) {
		for i := from; i < to; i++ {
			o := object(fmt.Sprint(i), 1, size)
			mustPut(t, s, o)
			if !equal(s.Get([]byte(o.Key)), o) {
				t.Fatalf("%d is not found", i)
			}
		}
	}
	put(0, batch/size)
	for _, whole := range []bool{false, true} { // the segment's header, and the batch
		if n := <-wrote; n >= batch != whole {
			t.Fatalf("%d octets were written at once", n)
		}
	}
	put(20, 23)
	s.stop()
	if n := <-wrote; n < 3*size || n >= 4*size {
		t.Errorf("at the end %d octets were written at once, want those of three objects", n)
	}
	c.File = s.file
	s.file.Suffer(disktest.Faults{})
	again := start(t, c)
	again.Use(testLife)
	for i := 20; i < 23; i++ {
		if key := fmt.Sprint(i); !equal(again.Get([]byte(key)), object(key, 1, size)) {
			t.Errorf("%s is lost", key)
		}
	}
}
