package disk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// onDisk is a store in a real file.
func onDisk(b *testing.B, path string, capacity int64) (s *Store, stop func()) {
	b.Helper()
	f, err := OpenFile(path)
	if err != nil {
		b.Fatal(err)
	}
	if s, err = Open(Config{File: f, Capacity: capacity}); err != nil {
		b.Fatal(err)
	}
	s.Use(testLife)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	return s, sync.OnceFunc(func() { cancel(); wg.Wait(); s.Close() })
}

func fill(b *testing.B, s *Store, n, size int) {
	b.Helper()
	for i := range n {
		o := object(fmt.Sprintf("/some/path/of/usual/length/%d.jpg", i), 1, size)
		for !s.Put(o) {
			runtime.Gosched() // the queue is full
		}
	}
	for s.queued.Load() > 0 {
		runtime.Gosched()
	}
}

// A hit of the disk tier, from the kernel's page cache: what it costs beside the disk itself.
func BenchmarkGet(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			n := (256 << 20) / size / 2
			n = min(n, 20_000)
			s, stop := onDisk(b, filepath.Join(b.TempDir(), "cache"), 512<<20)
			defer stop()
			fill(b, s, n, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if s.Get(fmt.Appendf(nil, "/some/path/of/usual/length/%d.jpg", i%n)) == nil {
					b.Fatal("not found")
				}
				i += 7919
			}
		})
	}
}

// Objects that are put as fast as they are taken, and how many octets are written for each of theirs.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, stop := onDisk(b, filepath.Join(b.TempDir(), "cache"), 256<<20)
			defer stop()
			o := object("x", 1, size)
			b.SetBytes(int64(size))
			i := 0
			for b.Loop() {
				c := *object("x", 1, 0)
				c.Key, c.Body = fmt.Sprintf("/some/path/of/usual/length/%d.jpg", i), o.Body
				i++
				s.seen.again(s.hash([]byte(c.Key)))
				for !s.Put(&c) {
					runtime.Gosched()
				}
			}
			st := s.Stats()
			b.ReportMetric(float64(st.Written)/float64(st.Stored+1), "written/stored")
		})
	}
}

// What a start takes for each object: the tables of all segments are read.
func BenchmarkOpen(b *testing.B) {
	const n = 200_000
	path := filepath.Join(b.TempDir(), "cache")
	s, stop := onDisk(b, path, 1<<30)
	fill(b, s, n, 1000)
	stop()
	for b.Loop() {
		f, err := OpenFile(path)
		if err != nil {
			b.Fatal(err)
		}
		s, err := Open(Config{File: f, Capacity: 1 << 30})
		if err != nil || s.Stats().Objects != n {
			b.Fatal(err, s.Stats())
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/object")
	b.ReportMetric(float64(s.Stats().Bytes)/n, "octets/object")
}

// hundredGB makes the file of a cache of 100 GB that is full of objects of so many octets: all that a start reads of it is there,
// and the objects are holes.
func hundredGB(b *testing.B, size int64) (path string, objects int64) {
	b.Helper()
	const capacity = 100e9
	path = filepath.Join(b.TempDir(), "cache")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	write := func(p []byte, off int64) {
		if _, err := f.WriteAt(p, off); err != nil {
			b.Fatal(err)
		}
	}
	slot := slotSize(capacity)
	write(slices.Concat((&superblock{slot: slot}).encode(), noStains()), 0)
	r := rand.New(rand.NewPCG(100, 1))
	record := padded(frameSize + 400 + size)
	view := int64(viewSize + 200)
	each := (slot - headerSize - trailerSize) / (record + view + entrySize)
	for at := range (int64(capacity) - slotsAt) / slot {
		number, base := uint64(at+1), slotsAt+at*slot
		seed := seedOf(testLife, number)
		t := trailer{mark: Mark{Seq: number}, end: headerSize + each*record, views: each * view, size: each * entrySize}
		var table []byte
		for i := range each {
			table = entry{r.Uint64(), headerSize + i*record, record}.append(table)
		}
		t.tabSum = sum(seed, table)
		write(encodeHeader(testLife, number), base)
		write(table, base+t.end+t.views)
		write(t.encode(number, seed), base+slot-trailerSize)
		objects += each
	}
	if err := f.Truncate(capacity); err != nil {
		b.Fatal(err)
	}
	return path, objects
}

// What a start takes of a cache of 100 GB, with the tables in the kernel's memory: processors' time and by the clock.
func BenchmarkOpen_HundredGB(b *testing.B) {
	for _, size := range []int64{16 << 10, 100 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			path, objects := hundredGB(b, size)
			spent := func() time.Duration {
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				return time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			before := spent()
			for b.Loop() {
				f, err := OpenFile(path)
				if err != nil {
					b.Fatal(err)
				}
				s, err := Open(Config{File: f, Capacity: 100e9})
				if err != nil || s.Stats().Objects != objects {
					b.Fatal(err, s.Stats())
				}
				s.Close()
			}
			b.ReportMetric(float64(objects), "objects")
			b.ReportMetric(float64((spent()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// What the tier keeps in memory of each object that is on disk, with all that goes with it. The index doubles: 500,000 have it a little less
// than half full, 800,000 three quarters.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{500_000, 800_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				before := live()
				s, stop := onDisk(b, filepath.Join(b.TempDir(), "cache"), 4<<30)
				fill(b, s, n, 1<<10)
				b.ReportMetric(float64(live()-before)/float64(s.Stats().Objects), "octets/object")
				stop()
			}
		})
	}
}

// live is what the heap holds.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
