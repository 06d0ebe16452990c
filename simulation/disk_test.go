package simulation

import (
	"io"
	"maps"
	"sync"

	"github.com/warmfront/warmfront/cache/disk"
)

const page = 4096

// diskFile is what an edge's machine keeps: in pages, so that what is never written takes no room. What has been written
// survives the process, and the power only when it has been synced.
type diskFile struct {
	mu     sync.Mutex
	size   int64
	now    map[int64]*[page]byte // by number; a page is not changed once it is here
	synced map[int64]*[page]byte
	user   *handle // who has it open
}

func newDiskFile() *diskFile {
	return &diskFile{now: map[int64]*[page]byte{}, synced: map[int64]*[page]byte{}}
}

// handle is the file as one process has it open: a disk.File. When the process is gone it changes nothing any more.
type handle struct{ f *diskFile }

func (f *diskFile) open() *handle {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.user = &handle{f}
	return f.user
}

// killed says that the process is gone; with power, that the machine has lost it: of each page that was not
// synced chance decides which of its two states is there.
func (f *diskFile) killed(power bool, r *luck) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.user = nil
	if !power {
		return
	}
	was := f.synced
	f.synced = maps.Clone(f.now)
	for n := int64(0); n < (f.size+page-1)/page; n++ {
		if f.now[n] == was[n] || r.one(2) {
			continue
		}
		if old := was[n]; old != nil {
			f.synced[n] = old
		} else {
			delete(f.synced, n)
		}
	}
	f.now = maps.Clone(f.synced)
}

func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	for n < len(p) && off < h.f.size {
		at := off % page
		end := min(page, at+int64(len(p)-n), at+h.f.size-off)
		if b := h.f.now[off/page]; b != nil {
			copy(p[n:], b[at:end])
		} else {
			clear(p[n : n+int(end-at)])
		}
		n, off = n+int(end-at), off+end-at
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.user != h {
		return len(p), nil
	}
	h.f.size = max(h.f.size, off+int64(len(p)))
	for n < len(p) {
		b := new([page]byte)
		if old := h.f.now[off/page]; old != nil {
			*b = *old
		}
		c := copy(b[off%page:], p[n:])
		h.f.now[off/page] = b
		n, off = n+c, off+int64(c)
	}
	return n, nil
}

func (h *handle) Truncate(size int64) error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.user == h {
		h.f.size = size
		maps.DeleteFunc(h.f.now, func(n int64, _ *[page]byte) bool { return n*page >= size })
	}
	return nil
}

func (h *handle) Sync() error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	if h.f.user == h {
		h.f.synced = maps.Clone(h.f.now)
	}
	return nil
}

func (h *handle) Close() error { return nil }

var _ disk.File = (*handle)(nil)
