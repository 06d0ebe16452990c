package disk

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
)

// testFile is a File in memory, with a disk's faults. What is written is read back at once, and is lost by a power
// cut until it has been synced.
type testFile struct {
	mu     sync.Mutex
	now    []byte
	synced []byte
	dirty  map[int]bool // sectors in which they differ
	closed bool

	// Faults; nil: none. They are asked with mu.
	failRead, failWrite func(off int64, n int) error
	stall               chan struct{} // reads and writes wait until it is closed; nil: they do not
	room                int64         // octets that there are; 0: as many as anybody likes
}

const sector = 512

var errIO = errors.New("input/output error")

func (f *testFile) wait() {
	f.mu.Lock()
	stall := f.stall
	f.mu.Unlock()
	if stall != nil {
		<-stall
	}
}

func (f *testFile) ReadAt(p []byte, off int64) (int, error) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failRead != nil {
		if err := f.failRead(off, len(p)); err != nil {
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

func (f *testFile) WriteAt(p []byte, off int64) (n int, err error) {
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	n = len(p)
	if f.failWrite != nil {
		if err = f.failWrite(off, n); err != nil {
			n = rand.IntN(n + 1) // what a failed write has written nobody knows
		}
	}
	if end := off + int64(n); f.room > 0 && end > f.room {
		n, err = int(max(0, f.room-off)), errors.New("no space left on device")
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

func (f *testFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// Lengths are durable at once here; that what was cut off is not there again is not relied on either.
	f.now = append(f.now[:min(size, int64(len(f.now)))], make([]byte, max(0, int(size)-len(f.now)))...)
	f.synced = append(f.synced[:min(size, int64(len(f.synced)))], make([]byte, max(0, int(size)-len(f.synced)))...)
	return nil
}

func (f *testFile) Sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWrite != nil {
		if err := f.failWrite(-1, 0); err != nil {
			return err
		}
	}
	f.synced, f.dirty = slices.Clone(f.now), nil
	return nil
}

func (f *testFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// killed is the file as another process finds it after kill -9: the kernel has everything that was written.
func (f *testFile) killed() *testFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &testFile{now: slices.Clone(f.now), synced: slices.Clone(f.synced), dirty: map[int]bool{}}
}

// cut is the file after a power cut: of the sectors that were not synced any may be there and any not, and one
// may be there in part.
func (f *testFile) cut(r *rand.Rand) *testFile {
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
	return &testFile{now: after, synced: slices.Clone(after)}
}

func (f *testFile) restore(after []byte, from, end int) {
	clear(after[from:end])
	if from < len(f.synced) {
		copy(after[from:end], f.synced[from:])
	}
}
