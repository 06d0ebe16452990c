package httpserver

import (
	"errors"
	"syscall"
	"time"
)

// tick is how often the warden goes round. With ten thousand idle connections a round takes about a
// millisecond.
const tick = 250 * time.Millisecond

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

// after is the engine's time in d from now, 0 for never.
func (e *engine) after(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return e.now.Load() + int64(d)
}

// watch is the warden: it advances the engine's clock, wakes what is overdue and looks after the viewers
// of running handlers. It ends with stop.
func (e *engine) watch(stop <-chan struct{}) {
	began := time.Now()
	t := time.NewTicker(e.limits.tick())
	defer t.Stop()
	var readers, writers, handling, overdue []*conn
	for {
		select {
		case <-stop:
			return
		case <-t.C:
		}
		now := int64(time.Since(began))
		e.now.Store(now)
		readers, writers, handling, overdue = readers[:0], writers[:0], handling[:0], overdue[:0]
		e.gate.each(func(c *conn) {
			if due := c.readDue.Load(); due != 0 && now >= due {
				readers = append(readers, c)
			}
			if due := c.writeDue.Load(); due != 0 && now >= due {
				writers = append(writers, c)
			}
			if h := c.h2.Load(); h != nil {
				wake, cut := h.look(now)
				if wake {
					readers = append(readers, c)
				}
				if cut {
					overdue = append(overdue, c)
				}
			}
			if c.handling.Load() {
				handling = append(handling, c)
			}
		})
		// Whoever has gone on meanwhile notices that it was not meant, and goes on again.
		for _, c := range readers {
			c.nc.SetReadDeadline(past)
		}
		for _, c := range writers {
			c.nc.SetWriteDeadline(past)
		}
		for _, c := range handling {
			c.look()
		}
		for _, c := range overdue {
			c.nc.Close()
		}
		clear(readers)
		clear(writers)
		clear(handling)
		clear(overdue)
	}
}

// look ends the context of a handler whose viewer has hung up. A viewer that has only closed its own
// direction counts as gone: the two cannot be told apart before something is sent to it.
func (c *conn) look() {
	if c.raw == nil || c.gone.Load() {
		return
	}
	gone := false
	c.raw.Control(func(fd uintptr) {
		if c.wire == nil {
			gone = hungUp(fd)
		} else {
			gone = halfClosed(fd)
		}
	})
	if gone && c.handling.Load() {
		c.gone.Store(true)
		c.cancel()
	}
}

// tick is shorter where times are, which is for tests.
func (l *Limits) tick() time.Duration {
	t := tick
	for _, d := range []time.Duration{l.ReadHeaderTimeout, l.ReadBodyTimeout, l.WriteTimeout, l.IdleTimeout} {
		if d > 0 {
			t = min(t, max(d/8, time.Millisecond))
		}
	}
	return t
}

// backoff waits between attempts to accept when descriptors or memory run out.
type backoff time.Duration

// retry waits and reports true when the error is one that passes.
func (b *backoff) retry(err error, stop <-chan struct{}) bool {
	var no syscall.Errno
	if !errors.As(err, &no) || !no.Temporary() && no != syscall.ENOBUFS && no != syscall.ENOMEM {
		return false
	}
	*b = min(max(2**b, backoff(5*time.Millisecond)), backoff(time.Second))
	t := time.NewTimer(time.Duration(*b))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
