package node

import (
	"errors"
	"sync/atomic"
)

// health is what /readyz says of the journal: it is asked from before there is one until after that. Any goroutine may ask and set it.
type health struct{ of atomic.Pointer[func() error] }

func newHealth() *health {
	h := &health{}
	h.waits(starting)
	return h
}

// is has f asked from now on.
func (h *health) is(f func() error) { h.of.Store(&f) }

// waits says what is waited for.
func (h *health) waits(why string) {
	err := errors.New(why)
	h.is(func() error { return err })
}

func (h *health) ask() error { return (*h.of.Load())() }
