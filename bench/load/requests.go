package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Requests are the octets that a load sends, made before it begins: each unit is what is written at once,
// Depth requests. Units come in the given order and then again from the first. The order is cyclic and
// shared by all connections of a load. Not for concurrent use; [Requests.From] gives another reader.
type Requests struct {
	Depth int // answers that a unit brings

	octets []byte
	ends   []uint32 // of unit i; it begins where the one before ends
	order  []uint32 // indexes of units; nil: one after the other
	next   int
}

// Get makes a plain HTTP/1.1 request, as a browser's library would send it, without anything that
// changes the answer.
func Get(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
}

// One is one request over and over; depth of them are written at once.
func One(request []byte, depth int) *Requests {
	r := &Requests{Depth: depth}
	r.add(slices.Repeat(request, depth))
	return r
}

// Many are requests in the given order of their indexes; nil means each once, one after the other.
func Many(requests [][]byte, order []uint32) *Requests {
	r := &Requests{Depth: 1, order: order}
	for _, q := range requests {
		r.add(q)
	}
	return r
}

func (r *Requests) add(unit []byte) {
	r.octets = append(r.octets, unit...)
	r.ends = append(r.ends, uint32(len(r.octets)))
}

// Next is the next unit. It must not be changed.
func (r *Requests) Next() []byte {
	i := uint32(r.next)
	if r.order != nil {
		i = r.order[r.next]
	}
	if r.next++; r.next == r.Len() {
		r.next = 0
	}
	begin := uint32(0)
	if i > 0 {
		begin = r.ends[i-1]
	}
	return r.octets[begin:r.ends[i]]
}

// Len is after how many units the first comes again.
func (r *Requests) Len() int {
	if r.order != nil {
		return len(r.order)
	}
	return len(r.ends)
}

// From is a reader of its own of the same units, which begins at part of the order: 0 ≤ part < 1.
func (r *Requests) From(part float64) *Requests {
	other := *r
	other.next = int(part * float64(r.Len()))
	return &other
}

// Keys are the paths /k/0, /k/1, … of n objects.
func Keys(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "/k/" + strconv.Itoa(i)
	}
	return paths
}

// Zipf is an order of length draws of n keys: the key of rank i is drawn 1/i as often as the first
// (exponent 1). Which key has which rank is shuffled, so that neighbours in popularity are none in
// memory. The same arguments give the same order.
func Zipf(n, length int) []uint32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	sum, sums := 0.0, make([]float64, n)
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	ranks := r.Perm(n)
	order := make([]uint32, length)
	for i := range order {
		at, _ := slices.BinarySearch(sums, r.Float64()*sum)
		order[i] = uint32(ranks[min(at, n-1)])
	}
	return order
}

// Shuffled is an order of n keys in which each comes once. The same n gives the same order.
func Shuffled(n int) []uint32 {
	order := make([]uint32, n)
	for i, k := range rand.New(rand.NewPCG(3, uint64(n))).Perm(n) {
		order[i] = uint32(k)
	}
	return order
}

// arrivals are n times in seconds between requests that come independently of each other (Poisson), one
// a second on average; n of them last exactly n seconds.
func arrivals(n int) []float64 {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	gaps := make([]float64, n)
	sum := 0.0
	for i := range gaps {
		gaps[i] = -math.Log(1 - r.Float64())
		sum += gaps[i]
	}
	for i := range gaps {
		gaps[i] *= float64(n) / sum
	}
	return gaps
}
