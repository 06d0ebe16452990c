package memory

import (
	"unsafe"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
)

const (
	// indexBytes is what this package itself needs per object: a slot (16 octets), its cost and queue
	// (9), a place in either ring (8) and in the ghost (8), with the table on average 45 % full.
	indexBytes = 96
	// allocations is what the allocator rounds up for the handful of small pieces an object consists of.
	allocations = 64

	objectBytes = int64(unsafe.Sizeof(cache.Object{})) + indexBytes + allocations
	fieldBytes  = int64(unsafe.Sizeof(message.Field{}))
	stringBytes = int64(unsafe.Sizeof(""))
	pageBytes   = 8 << 10
)

// cost is what an object weighs: its octets, its struct, and the overhead as measured by
// TestCost_MatchesTheHeap. Strings that several objects share are counted for each.
func cost(o *cache.Object) int64 {
	n := objectBytes + heap(cap(o.Block)) + heap(cap(o.Block2)) + int64(len(o.Key))
	if o.Pages != nil {
		n += pages.Rounded(len(o.Body))
	} else {
		n += heap(cap(o.Body))
	}
	n += int64(cap(o.Fields)) * fieldBytes
	for i := range o.Fields {
		n += int64(len(o.Fields[i].Name) + len(o.Fields[i].Value))
	}
	s := &o.Subject
	n += int64(len(s.Path) + len(s.Alias) + len(s.Query))
	n += int64(cap(s.Tags)) * stringBytes
	for _, tag := range s.Tags {
		n += int64(len(tag))
	}
	return n
}

// heap is what the allocator takes for n octets: size classes up to 32 KiB, on average 1/16 more than
// asked for, whole pages above.
func heap(n int) int64 {
	if n > 32<<10 {
		return (int64(n) + pageBytes - 1) / pageBytes * pageBytes
	}
	return int64(n + n/16)
}
