package httpserver

import "github.com/warmfront/warmfront/internal/h2"

// take lives one complete frame. A fault is the connection's; those of streams are dealt with here.
func (h *h2conn) take(f h2.Header, p []byte) *h2.Fault {
	switch {
	case h.block.open != (f.Type == h2.Continuation), h.block.open && h.block.stream != f.Stream,
		!h.settled && (f.Type != h2.Settings || f.Has(h2.Ack)):
		return h2.Protocol
	}
	switch f.Type {
	case h2.Data:
		return h.onData(f, p)
	case h2.Headers:
		return h.onHeaders(f, p)
	case h2.Continuation:
		return h.onContinuation(f, p)
	case h2.Settings:
		return h.onSettings(f, p)
	case h2.Ping:
		return h.onPing(f, p)
	case h2.WindowUpdate:
		return h.onWindowUpdate(f, p)
	case h2.RSTStream:
		return h.onReset(f)
	case h2.Priority:
		return h.onPriority(f, p)
	case h2.PriorityUpdate:
		return h.onPriorityUpdate(p)
	}
	return h.waste(1) // GOAWAY, and what nobody here knows
}

// waste notes a frame that asks for nothing.
func (h *h2conn) waste(n int) *h2.Fault {
	if !h.noise.Spend(n, h.e.now.Load()) {
		return h2.Calm
	}
	return nil
}

// gaveUp notes a stream that came to nothing.
func (h *h2conn) gaveUp() *h2.Fault {
	if !h.resets.Spend(1, h.e.now.Load()) {
		return h2.ManyResets
	}
	return nil
}

// late judges a frame for a stream that is over, or has never been. What was reset here may still be
// sent to for a while. It is called with mu.
func (h *h2conn) late(id uint32) *h2.Fault {
	switch {
	case id > h.last || id%2 == 0:
		return h2.Protocol
	case h.given[id/2%64] == id:
		return h.waste(1)
	case (h.last-id)/2 < 64 && h.used>>((h.last-id)/2)&1 == 0:
		return h2.Protocol // skipped
	}
	return h2.Closed
}

func (h *h2conn) onData(f h2.Header, p []byte) *h2.Fault {
	data, fault := h2.Unpad(f, p)
	if fault != nil {
		return fault
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.credit.Take(len(p)) {
		return h2.FlowControl
	}
	s := h.streams[f.Stream]
	switch {
	case s == nil || s.closed():
		h.credited(nil, len(p))
		return h.late(f.Stream)
	case s.inEnded:
		h.credited(nil, len(p))
		h.reset(s, h2.StreamClosed)
		return h.gaveUp()
	case !s.credit.Take(len(p)):
		h.reset(s, h2.FlowControlError)
		return h.gaveUp()
	}
	if !s.arrive(data, f.Has(h2.EndStream)) {
		h.credited(nil, len(p))
		h.reset(s, h2.ProtocolError)
		return h.gaveUp()
	}
	h.credited(s, len(p)-len(data))
	if s.ended {
		h.overshot(s)
	}
	if h.noise.Earn(len(data) / octetsEarned); len(data) < 64 && !f.Has(h2.EndStream) {
		return h.waste(1)
	}
	return nil
}

// overshot looks after a request that goes on although it has been answered. With mu.
func (h *h2conn) overshot(s *h2stream) {
	switch {
	case s.inEnded:
		h.drop(s)
	case s.credit.Left <= 0:
		h.reset(s, h2.NoError)
	default:
		s.readDue = h.e.after(h.e.limits.ReadBodyTimeout)
	}
}

func (h *h2conn) onSettings(f h2.Header, p []byte) *h2.Fault {
	if f.Has(h2.Ack) {
		return h.waste(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled = true
	initial := h.initial
	for len(p) > 0 {
		v, rest, fault := h2.NextSetting(p)
		if p = rest; fault != nil {
			return fault
		}
		switch v.Setting {
		case h2.InitialWindowSize:
			initial = int64(v.Value)
		case h2.HeaderTableSize:
			if v.Value < 4096 {
				h.owed.Store(true)
			}
		}
	}
	for _, s := range h.streams {
		if !s.win.Grow(initial - h.initial) {
			return h2.FlowControl
		}
	}
	h.initial = initial
	h.hand() // what is answered before it does not know of it
	h.out = h2.Header{Type: h2.Settings, Flags: h2.Ack}.Append(h.out)
	return h.waste(4)
}

func (h *h2conn) onPing(f h2.Header, p []byte) *h2.Fault {
	if !f.Has(h2.Ack) {
		h.c.desk.out = h2.AppendPing(h.c.desk.out, h2.Ack, p)
		return h.waste(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving == leavingSoon && string(p) == string(leavePing[:]) {
		h.hand()
		h.leave()
		if len(h.streams) == 0 && len(h.starting) == 0 {
			h.over, h.c.lingers = true, true
		}
	}
	return h.waste(1)
}

func (h *h2conn) onWindowUpdate(f h2.Header, p []byte) *h2.Fault {
	n := h2.Uint32(p) & h2.MaxWindow
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.Stream == 0 {
		if n == 0 {
			return h2.Protocol
		}
		if !h.win.Grow(int64(n)) {
			return h2.FlowControl
		}
		return h.waste(1)
	}
	s := h.streams[f.Stream]
	switch {
	case s == nil && (f.Stream > h.last || f.Stream%2 == 0):
		return h2.Protocol
	case s == nil || s.closed(): // it may have crossed the end
	case n == 0:
		h.reset(s, h2.ProtocolError)
		return h.gaveUp()
	case !s.win.Grow(int64(n)):
		h.reset(s, h2.FlowControlError)
		return h.gaveUp()
	}
	return h.waste(1)
}

func (h *h2conn) onReset(f h2.Header) *h2.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[f.Stream]
	switch {
	case s == nil && (f.Stream > h.last || f.Stream%2 == 0):
		return h2.Protocol
	case s == nil || s.closed():
		return h.waste(1)
	}
	s.end(errViewerGone)
	h.drop(s)
	if s.ended {
		return h.waste(1)
	}
	return h.gaveUp()
}

func (h *h2conn) onPriority(f h2.Header, p []byte) *h2.Fault {
	if len(p) == 5 && h2.DependsOn(p) != f.Stream {
		return h.waste(1) // RFC 9113 section 5.3.2: it says nothing any more
	}
	code := h2.FrameSizeError
	if len(p) == 5 {
		code = h2.ProtocolError
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.streams[f.Stream]; s != nil && s.gone == nil {
		h.reset(s, code)
	} else {
		h.out = h2.AppendReset(h.out, f.Stream, code)
	}
	return h.gaveUp()
}

func (h *h2conn) onPriorityUpdate(p []byte) *h2.Fault {
	id := h2.Uint32(p) & h2.MaxWindow
	if id == 0 {
		return h2.Protocol
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.streams[id]; s != nil {
		r := h2.ParsePriority(string(p[4:]))
		s.rank.Urgency, s.rank.Incremental = r.Urgency, r.Incremental
	}
	return h.waste(1)
}
