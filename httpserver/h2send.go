package httpserver

import "github.com/warmfront/warmfront/internal/h2"

// fullRound is how much is sent in one write: enough that the calls do not count, little enough that what is
// more urgent need not wait long.
const fullRound = fullWire

// leastPiece is how much room a frame of a body must have in a round.
const leastPiece = 1 << 10

// flush sends what the batch has brought, or hands it to who is sending; then the batch's handlers begin. It is
// the reader's. It reports whether the connection lives on.
func (h *h2conn) flush() bool {
	d := h.c.desk
	h.mu.Lock()
	h.noise.Earn(h.earned)
	h.earned = 0
	switch {
	case h.dead:
	case h.sending:
		h.hand()
		for !h.dead && (d.asked && h.done < h.handed || len(h.out) > maxOut) {
			h.cond.Wait()
		}
	default:
		if len(h.out) > 0 {
			d.out = append(h.out, d.out...)
			h.out = nil
		}
		h.promise()
		if d.out = h.fill(d.out); len(d.out) > 0 {
			h.sending = true
			h.round(d.out)
			h.pass()
		}
	}
	alive, told := !h.dead, h.toTell()
	h.mu.Unlock()
	h.tellAll(told, false)
	d.out = d.out[:0]
	d.sent()
	if h.spoiled { // it may be in any state
		d.inline, h.spoiled = h.e.answerer.Inline(), false
	}
	for i, s := range h.starting {
		h.begin(s)
		h.starting[i] = nil
	}
	h.starting = h.starting[:0]
	return alive
}

// hand moves what the batch has brought so far to where its place in the order is fixed. It is called by the
// reader, with mu.
func (h *h2conn) hand() {
	d := h.c.desk
	if len(d.out) > 0 {
		h.handed = h.started + 1
		h.promise()
	}
	h.out = append(h.out, d.out...)
	d.out = d.out[:0]
}

// kick sends what there is to send, unless somebody is at it. It is called with mu, which it gives up while
// it sends.
func (h *h2conn) kick() {
	if h.sending || h.dead || !h.toSend() {
		return
	}
	h.sending = true
	h.nextRound()
	h.pass()
}

// pass ends being the sender: what is left is the writer's.
func (h *h2conn) pass() {
	if !h.dead && h.toSend() {
		h.busy.Store(true)
		h.writers.Go(h.write)
		return
	}
	h.sending = false
	h.cond.Broadcast()
}

// write is the writer: a goroutine that sends until there is nothing to send.
func (h *h2conn) write() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.dead && h.toSend() {
		h.nextRound()
	}
	h.busy.Store(false)
	h.sending = false
	h.cond.Broadcast()
}

func (h *h2conn) toSend() bool { return len(h.out) > 0 || h.next() != nil }

func (h *h2conn) nextRound() {
	h.wire, h.out = h.out, h.wire[:0]
	h.wire = h.fill(h.wire)
	h.round(h.wire)
}

// round writes wire. It is called by the sender, with mu, which it gives up meanwhile.
func (h *h2conn) round(wire []byte) {
	h.started++
	n := h.started
	h.heads.sending, h.heads.waiting = h.heads.waiting, 0
	told := h.toTell()
	h.mu.Unlock()
	_, err := h.c.send(wire, Rest{})
	h.tellAll(told, err != nil)
	h.mu.Lock()
	h.done = n
	h.heads.sending = 0
	if err != nil {
		h.die()
		h.c.nc.SetReadDeadline(past) // the reader has to leave
	}
	h.cond.Broadcast()
	for _, s := range h.streams {
		if s.flushing {
			s.cond.Broadcast()
		}
	}
}

// next is the stream whose turn it is, nil when nothing may be sent.
func (h *h2conn) next() (first *h2stream) {
	for _, s := range h.queue {
		if s.sendable(h.win) && (first == nil || s.rank.Before(&first.rank)) {
			first = s
		}
	}
	return first
}

// fill appends DATA frames as far as windows and a round's size allow.
func (h *h2conn) fill(wire []byte) []byte {
	for len(wire) < fullRound && len(h.queue) > 0 {
		s := h.next()
		room := fullRound - h2.HeaderLen - len(wire)
		if s == nil || room < leastPiece && s.pending() > 0 {
			break
		}
		n := min(s.pending(), h2.MaxSize, room, max(0, int(h.win)), max(0, int(s.win)))
		h.win.Take(n)
		s.win.Take(n)
		wire = h2.Header{Length: n, Type: h2.Data, Stream: s.id}.Append(wire)
		at := len(wire) - h2.HeaderLen
		wire = s.take(wire, n)
		h.turns.Sent(&s.rank)
		s.moved = h.e.now.Load()
		h.progress = s.moved
		h.earned += n / octetsEarned
		if s.pending() > 0 {
			continue
		}
		h.unqueue(s)
		s.cond.Broadcast()
		if s.fin {
			wire[at+4] = byte(h2.EndStream)
			wire = h.ended(s, wire)
		}
	}
	return wire
}

// ended notes that an answer is sent to its end. What is under way of a request is still taken, as with HTTP/1.1;
// one that would go on beyond that is told that nobody reads it (RFC 9113 section 8.1).
func (h *h2conn) ended(s *h2stream, wire []byte) []byte {
	s.ended = true
	h.tell(s, false)
	switch {
	case s.inEnded:
	case s.left > int64(s.credit.Left):
		wire = h2.AppendReset(wire, s.id, h2.NoError)
		h.give(s.id)
		s.end(errAnswered)
	default:
		s.readDue = h.e.after(h.e.limits.ReadBodyTimeout)
	}
	h.drop(s)
	return wire
}

// enqueue gives a stream its place among those that have something to send.
func (h *h2conn) enqueue(s *h2stream) {
	if s.queued || s.gone != nil || h.dead {
		return
	}
	s.queued = true
	s.moved = h.e.now.Load()
	if len(h.queue) == 0 {
		h.progress = s.moved
	}
	h.turns.Queue(&s.rank)
	h.queue = append(h.queue, s)
}

func (h *h2conn) unqueue(s *h2stream) {
	if !s.queued {
		return
	}
	s.queued = false
	for i, q := range h.queue {
		if q == s {
			last := len(h.queue) - 1
			h.queue[i], h.queue[last] = h.queue[last], nil
			h.queue = h.queue[:last]
			return
		}
	}
}
