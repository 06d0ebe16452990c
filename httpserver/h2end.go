package httpserver

import (
	"errors"

	"github.com/warmfront/warmfront/internal/h2"
)

var errViewerGone = errors.New("httpserver: the viewer has gone, or takes nothing")

// leavePing is the PING by whose answer the reader knows that the first GOAWAY has arrived.
var leavePing = [8]byte{'l', 'e', 'a', 'v', 'i', 'n', 'g'}

// woken finds out why the reader was woken. It reports whether the connection lives on.
func (h *h2conn) woken() bool {
	now := h.e.now.Load()
	if due := h.frameDue; due != 0 && now >= due {
		h.fail(h2.TooSlow)
		h.flush()
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.dead:
		return false
	case h.e.draining.Load() && h.leaving == staying:
		h.leaving, h.leaveDue = leavingSoon, h.e.after(leaveTime)
		h.out = h2.AppendGoAway(h.out, h2.MaxWindow, h2.NoError, "")
		h.out = h2.AppendPing(h.out, 0, leavePing[:])
	case h.leaving == leavingSoon && now >= h.leaveDue, h.idle && h.leaving != leavingNow:
		h.leave()
	}
	h.kick()
	if h.leaving == leavingNow && len(h.streams) == 0 {
		h.c.lingers = true
		return false
	}
	return true
}

// leave says which streams still count. It is called by the reader, with mu.
func (h *h2conn) leave() {
	h.leaving = leavingNow
	h.out = h2.AppendGoAway(h.out, h.last, h2.NoError, "")
}

// look is the warden's round: it ends what takes too long. wake tells that the reader must be woken, cut that
// the connection must be closed. It is called with the gate's lock, and holds mu shortly.
func (h *h2conn) look(now int64) (wake, cut bool) {
	l := &h.e.limits
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing != 0 {
		return false, now >= h.closing+int64(lingerTime)
	}
	if len(h.streams) == 0 && !h.sending && now >= h.seen.Load()+int64(tick) {
		h.out, h.wire = freed(h.out), nil
		if l.IdleTimeout > 0 && now >= h.seen.Load()+int64(l.IdleTimeout) && h.settled && !h.idle {
			h.idle = true
			return true, false
		}
		return false, false
	}
	for _, s := range h.streams {
		if s.readDue != 0 && now >= s.readDue {
			if s.readDue = 0; s.ended {
				h.reset(s, h2.NoError)
				wake = true
				continue
			}
			s.slow = true
			s.cond.Broadcast()
		}
		// A stream that waits for its own window is its viewer's doing; one that waits for its turn is not.
		if l.WriteTimeout > 0 && s.queued && s.win <= 0 && s.pending() > 0 && now >= s.moved+int64(l.WriteTimeout) {
			h.reset(s, h2.Cancel)
			wake = true // to send it
		}
	}
	if l.WriteTimeout > 0 && len(h.queue) > 0 && h.win <= 0 && now >= h.progress+int64(l.WriteTimeout) {
		h.die()
		return true, false
	}
	return wake, false
}

// freed gives an empty buffer back.
func freed(b []byte) []byte {
	if len(b) > 0 {
		return b
	}
	return nil
}

// die ends all that is under way. It is called with mu.
func (h *h2conn) die() {
	if h.dead {
		return
	}
	h.dead = true
	h.queue, h.out = nil, nil
	for _, s := range h.streams {
		s.end(errViewerGone)
		s.cond.Broadcast() // one that was given up before may wait for the round with its head in it
	}
	h.cond.Broadcast()
}

// stop ends the connection, after what is to be sent last has been, or cannot be. The socket is closed after
// it, then wait is called.
func (h *h2conn) stop() {
	h.mu.Lock()
	h.closing = max(1, h.e.now.Load())
	for _, s := range h.streams {
		s.end(errViewerGone)
	}
	if !h.c.lingers {
		h.die()
	}
	for h.sending && !h.dead {
		h.cond.Wait()
	}
	h.die()
	h.c.broken = h.c.broken || h.sending // somebody is stuck at the socket
	h.mu.Unlock()
	h.cancel()
}

// wait waits for the goroutines of the connection, and tells what they have left to tell.
func (h *h2conn) wait() {
	h.writers.Wait()
	h.handlers.Wait()
	h.tellAll(h.told, false)
}
