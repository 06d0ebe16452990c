package fleet

import (
	"container/heap"
	"time"
)

// parcel is what has come on a line at once, or its end.
type parcel struct {
	due time.Time
	n   uint64 // of two that are due at the same time the lesser came first
	to  *end
	b   []byte
	end bool // nothing comes behind
}

// transit is what is under way on all lines. It is long and not narrow: what is under way holds up nothing that comes behind. The zero value
// is empty; not safe for concurrent use.
type transit struct {
	under parcels
	n     uint64
	free  []*parcel // delivered: hundreds of lines that make garbage have the machine collect it, which is in the way of what is measured
}

// send takes a copy of what has come now, as long before it is due.
func (t *transit) send(now time.Time, way time.Duration, to *end, b []byte, last bool) {
	p := &parcel{}
	if n := len(t.free); n > 0 {
		p, t.free = t.free[n-1], t.free[:n-1]
	}
	t.n++
	*p = parcel{now.Add(way), t.n, to, append(p.b[:0], b...), last}
	heap.Push(&t.under, p)
}

// arrived is the next parcel that is due; nil: there is none. It is back's when it has been delivered.
func (t *transit) arrived(now time.Time) *parcel {
	if len(t.under) == 0 || now.Before(t.under[0].due) {
		return nil
	}
	return heap.Pop(&t.under).(*parcel)
}

func (t *transit) back(p *parcel) { t.free = append(t.free, p) }

// next is when the next one is due; false: nothing is under way.
func (t *transit) next() (due time.Time, some bool) {
	if len(t.under) == 0 {
		return due, false
	}
	return t.under[0].due, true
}

// parcels are a heap.
type parcels []*parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, j int) bool {
	return p[i].due.Before(p[j].due) || p[i].due.Equal(p[j].due) && p[i].n < p[j].n
}
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *parcels) Push(x any)   { *p = append(*p, x.(*parcel)) }
func (p *parcels) Pop() (x any) {
	last := len(*p) - 1
	x, *p = (*p)[last], (*p)[:last]
	return x
}
