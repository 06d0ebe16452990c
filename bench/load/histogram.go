package load

import (
	"math/bits"
	"time"
)

const (
	subBits = 5 // 32 buckets per power of two: a value is known to 3 %
	buckets = 40 << subBits
)

// Histogram counts durations from 1 ns to 9 minutes in buckets that are 3 % wide. The zero value is empty.
type Histogram struct {
	counts [buckets]uint32
	n      int
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.n++
}

// Merge counts all of other too.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.n += other.n
}

// Count is how many durations were added.
func (h *Histogram) Count() int { return h.n }

// Quantile is the duration that the part q (0 to 1) of all does not exceed, to 3 %; 0 when empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := int(q * float64(h.n))
	seen := 0
	for i, n := range h.counts {
		seen += int(n)
		if n > 0 && seen > want || seen == h.n && h.n > 0 {
			return time.Duration(upper(i))
		}
	}
	return 0
}

func bucket(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	exp := bits.Len64(v) - subBits - 1
	return min(buckets-1, exp<<subBits+int(v>>exp))
}

// upper is the greatest value of a bucket.
func upper(i int) uint64 {
	if i < 2<<subBits {
		return uint64(i)
	}
	exp := i>>subBits - 1
	return uint64(i-exp<<subBits+1)<<exp - 1
}
