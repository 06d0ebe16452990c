// Package disktest knows how disks fail: a file for cache/disk that is in memory, and can be killed, cut from its
// power, made to fail, to stall and to be full.
package disktest

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
)

// File is a disk.File. What is written is read back at once, and is lost by a power cut until it has been synced. The
// zero File is empty.
type File struct {
	mu     sync.Mutex
	now    []byte
	synced []byte
	dirty  map[int]bool // sectors in which they differ
	faults Faults
}

// Faults are what a File suffers from. The functions are asked with its lock held; nil: no fault.
type Faults struct {
	Read, Write func(off int64, n int) error // Write is also asked, for nothing at -1, when it is synced
	Stall       <-chan struct{}              // reads and writes wait until it is closed; nil: they do not
	Room        int64                        // octets that there are; 0: as many as anybody likes
	Cold        bool                         // nothing is to be had without waiting for the disk
}

const sector = 512

// ErrIO is what a broken disk says.
var ErrIO = errors.New("input/output error")

// Suffer sets the faults from now on.
func (f *File) Suffer(x Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = x
}

// Octets returns the content as it is read, for looking and for damaging it; nobody else may use the File meanwhile.
func (f *File) Octets() []byte { return f.now }

// Holding returns a File with that content, all of it synced.
func Holding(b []byte) *File { return &File{now: b, synced: slices.Clone(b)} }

func (f *File) wait() {
	f.mu.Lock()
	stall := f.faults.Stall
	f.mu.Unlock()
	if stall != nil {
		<-stall
	}
}

// ReadAt is disk.File's.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults.Read != nil {
		if err := f.faults.Read(off, len(p)); err != nil {
			return 0, err
		}
	}
	if off >= int64(len(f.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.now[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// ReadNow is disk.Quick's. Of a File that stalls or fails to read nothing is to be had at once.
func (f *File) ReadNow(p []byte, off int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := &f.faults; x.Cold || x.Stall != nil || x.Read != nil && x.Read(off, len(p)) != nil {
		return false
	}
	return off+int64(len(p)) <= int64(len(f.now)) && copy(p, f.now[off:]) == len(p)
}

// Resident is disk.Quick's, for what ReadNow can read.
func (f *File) Resident(off, size int64) bool { return f.ReadNow(make([]byte, size), off) }

// Punch is disk.Quick's. A power cut may bring back what was there.
func (f *File) Punch(off, size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := min(off+size, int64(len(f.now)))
	if off >= end {
		return nil
	}
	clear(f.now[off:end])
	if f.dirty == nil {
		f.dirty = map[int]bool{}
	}
	for s := int(off) / sector; s*sector < int(end); s++ {
		f.dirty[s] = true
	}
	return nil
}

// Descriptor is disk.Quick's: there is none.
func (f *File) Descriptor() (fd uintptr, ok bool) { return 0, false }

// Prompt is disk.Quick's: it sends nothing.
func (f *File) Prompt() bool { return false }

// WriteAt is disk.File's.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	n = len(p)
	if f.faults.Write != nil {
		if err = f.faults.Write(off, n); err != nil {
			n = rand.IntN(n + 1) // what a failed write has written nobody knows
		}
	}
	if end := off + int64(n); f.faults.Room > 0 && end > f.faults.Room {
		n, err = int(max(0, f.faults.Room-off)), errors.New("no space left on device")
	}
	if end := off + int64(n); end > int64(len(f.now)) {
		f.now = append(f.now, make([]byte, int(end)-len(f.now))...)
	}
	copy(f.now[off:], p[:n])
	if f.dirty == nil {
		f.dirty = map[int]bool{}
	}
	for s := int(off) / sector; s*sector < int(off)+n; s++ {
		f.dirty[s] = true
	}
	return n, err
}

// Truncate is disk.File's.
func (f *File) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Lengths are durable at once here; that what was cut off is not there again is not relied on either.
	f.now = append(f.now[:min(size, int64(len(f.now)))], make([]byte, max(0, int(size)-len(f.now)))...)
	f.synced = append(f.synced[:min(size, int64(len(f.synced)))], make([]byte, max(0, int(size)-len(f.synced)))...)
	return nil
}

// Sync is disk.File's.
func (f *File) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults.Write != nil {
		if err := f.faults.Write(-1, 0); err != nil {
			return err
		}
	}
	f.synced = append(f.synced, make([]byte, max(0, len(f.now)-len(f.synced)))...)
	for s := range f.dirty {
		copy(f.synced[s*sector:], f.now[s*sector:min((s+1)*sector, len(f.now))])
	}
	f.dirty = nil
	return nil
}

// Close does nothing.
func (f *File) Close() error { return nil }

// Killed is the file as another process finds it after kill -9: the kernel has everything that was written.
func (f *File) Killed() *File {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &File{now: slices.Clone(f.now), synced: slices.Clone(f.synced), dirty: map[int]bool{}}
}

// Cut is the file after a power cut: of the sectors that were not synced any may be there and any not, and one
// may be there in part.
func (f *File) Cut(r *rand.Rand) *File {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := slices.Clone(f.now)
	likely := r.IntN(100)
	for s := range f.dirty {
		end := min((s+1)*sector, len(after))
		switch from := s * sector; {
		case r.IntN(100) < likely:
		case r.IntN(50) == 0:
			f.restore(after, from+r.IntN(end-from), end)
		default:
			f.restore(after, from, end)
		}
	}
	return &File{now: after, synced: slices.Clone(after)}
}

func (f *File) restore(after []byte, from, end int) {
	clear(after[from:end])
	if from < len(f.synced) {
		copy(after[from:end], f.synced[from:])
	}
}
