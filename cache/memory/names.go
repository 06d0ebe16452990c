package memory

import (
	"strings"
	"sync"
	"sync/atomic"
)

// names gives strings that many objects share short numbers. Distributions and epochs are few, and are
// remembered for as long as the store is there.
type names struct {
	most int
	mu   sync.Mutex
	has  map[string]uint32 // guarded by mu
	list atomic.Pointer[[]string]
}

func newNames(most int) *names {
	n := &names{most: most, has: map[string]uint32{}}
	n.list.Store(&[]string{})
	return n
}

// number returns s's number; false: there are too many.
func (n *names) number(s string) (uint32, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i, ok := n.has[s]; ok {
		return i, true
	}
	list := *n.list.Load()
	if len(list) == n.most {
		return 0, false
	}
	i, s := uint32(len(list)), strings.Clone(s)
	n.has[s] = i
	list = append(list, s) // those who have the shorter slice do not look beyond its end
	n.list.Store(&list)
	return i, true
}

// name is the reverse.
func (n *names) name(i uint32) string { return (*n.list.Load())[i] }
