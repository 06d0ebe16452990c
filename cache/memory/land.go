package memory

import (
	"sync"
	"unsafe"

	"github.com/warmfront/warmfront/internal/pages"
)

// land is what a store has outside of the heap. It goes with the store.
type land struct {
	mu  sync.Mutex
	all map[*byte][]byte
}

// reserve returns n octets, nil where there is nothing outside of the heap: on other systems than Linux,
// when the address space is not to be had, and under the race detector, which sees only the heap.
func (l *land) reserve(n int) []byte {
	if raced {
		return nil
	}
	b, err := pages.Reserve(n)
	if err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[unsafe.SliceData(b)] = b
	return b
}

func (l *land) release(b []byte) {
	l.mu.Lock()
	delete(l.all, unsafe.SliceData(b))
	l.mu.Unlock()
	pages.Release(b)
}

func (l *land) releaseAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.all {
		pages.Release(b)
	}
	clear(l.all)
}
