// Package stripe knows which of several counters to use so that cores do not meet at one. A counter that
// all cores add to costs each of them the way of a cache line from another core, a hundred times the
// addition; so what every request counts is kept several times over, and added up by who asks.
package stripe

import (
	"sync"
	"sync/atomic"
)

type token struct{ n uint32 }

var (
	made atomic.Uint32
	// A pool keeps what it is given for the core that gave it. That it may forget its tokens does no
	// harm: new ones are made.
	tokens = sync.Pool{New: func() any { return &token{made.Add(1)} }}
)

// Here returns a number that the present core has mostly for itself, for as long as there are not more
// cores than the caller has counters: it takes the number modulo those. It is a hint: another core may
// get the same one, so counters are atomic nevertheless.
func Here() uint32 {
	t := tokens.Get().(*token)
	n := t.n
	tokens.Put(t)
	return n
}
