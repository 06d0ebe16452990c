package jetstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// hearing is how an edge hears what is pushed: from a relay, or, while there is none, from the control node that it is connected to.
//
// A relay is believed nothing: each entry has the signature of the authority, which the relay cannot make, and counts only as the next link
// of the chain. It can keep entries back. Probes do not ask it, and they tell where the log ends: what is missing is read, and a
// relay that was silent about some in a row is left alone for a while (judge).
type hearing struct {
	l       *Remote
	deliver func(*journal.Entry)

	mu     sync.Mutex
	end    func()              // of the subscription at the control node; nil: there is none. Guarded by mu
	recent map[journal.ID]bool // what came last, from whichever side, so that it comes once; guarded by mu
	order  []journal.ID        // the same, oldest first; guarded by mu
	shun   map[string]time.Time
}

// relayed is what probes need to know of it.
type relayed struct {
	on     atomic.Bool   // a relay passes on
	seq    atomic.Uint64 // the newest entry that it has
	leave  atomic.Bool   // it was silent about too many
	asked  uint64        // the answer of the probe before; the prober's
	silent int           // how many times in a row it was not there yet at the next; the prober's
}

const (
	relayBeat    = 2 * time.Second
	relayPatient = 3 * relayBeat // without a sign it is gone
	relayShunned = time.Minute
	mostRecent   = 256
	mostSilent   = 3
)

// judge takes the answer of a probe. What the one before has found, some seconds ago, has been pushed since.
func (r *relayed) judge(z uint64) {
	if r.on.Load() && r.asked > r.seq.Load() {
		r.silent++
	} else {
		r.silent = 0
	}
	r.asked = z
	if r.silent >= mostSilent {
		r.silent = 0
		r.leave.Store(true)
	}
}

// Relayed tells whether a relay passes on what is pushed.
func (l *Remote) Relayed() bool { return l.relayed.on.Load() }

// hear is Remote.Live with relays.
func (l *Remote) hear(deliver func(*journal.Entry)) (stop func(), err error) {
	h := &hearing{l: l, deliver: deliver, recent: map[journal.ID]bool{}, shun: map[string]time.Time{}}
	if err := h.direct(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.run(ctx) })
	return func() {
		cancel()
		running.Wait()
		h.indirect()
	}, nil
}

// run goes from relay to relay until ctx ends.
func (h *hearing) run(ctx context.Context) {
	for attempts := 0; ctx.Err() == nil; attempts++ {
		if err := h.direct(); err != nil && !h.l.closed.Load() {
			h.l.log.Warn("journal pushes are not heard; they are read", "err", err)
		}
		at, pause := h.pick(time.Now()), relayBeat
		if at != "" {
			heard, err := h.from(ctx, at)
			h.l.relayed.on.Store(false)
			switch {
			case ctx.Err() != nil:
				return
			case heard:
				h.l.log.Warn("relay lost", "relay", at, "err", err)
			default:
				h.l.log.Debug("relay does not pass pushes on", "relay", at, "err", err)
			}
			if heard {
				attempts = 0
				continue // at once from the control node, and then from another relay
			}
			pause = again(attempts)
		}
		wait(ctx, pause)
	}
}

// wait waits for that long, or less when ctx ends: then it reports false.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// pick is the relay to try next; "": none.
func (h *hearing) pick(now time.Time) string {
	for _, i := range rand.Perm(len(h.l.c.Relays)) {
		if at := h.l.c.Relays[i]; now.After(h.shun[at]) {
			return at
		}
	}
	return ""
}

// from hears from one relay until something fails. heard: it has passed on.
func (h *hearing) from(ctx context.Context, at string) (heard bool, err error) {
	d := net.Dialer{Timeout: remoteConnect}
	raw, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return false, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	if err := hello(raw, wantsPushes); err != nil {
		return false, err
	}
	c := tls.Client(gather(raw), h.l.c.RelayTLS)
	c.SetDeadline(time.Now().Add(relayPatient))
	if err := c.HandshakeContext(ctx); err != nil {
		return false, err
	}
	h.l.relayed.leave.Store(false)
	h.l.relayed.seq.Store(0)
	for in := bufio.NewReader(c); ; {
		c.SetDeadline(time.Now().Add(relayPatient))
		signature, entry, err := readFrame(in)
		if err != nil {
			return heard, err
		}
		if !heard {
			heard = true
			h.l.relayed.on.Store(true)
			h.indirect()
			h.l.log.Info("relay passes pushes on", "relay", at)
		}
		if entry != nil {
			err = h.passed(signature, entry)
		}
		if err == nil && h.l.relayed.leave.Load() {
			err = errSilent
		}
		if err != nil {
			h.shun[at] = time.Now().Add(relayShunned)
			return heard, err
		}
	}
}

// passed takes what a relay has passed on.
func (h *hearing) passed(signature, entry []byte) error {
	if !h.l.c.Pushed(entry, signature) {
		return errForged
	}
	e, err := journal.DecodeForEdge(entry)
	if err != nil {
		h.l.log.Warn("journal push unreadable", "err", err) // a read will tell
		return nil
	}
	h.l.relayed.seq.Store(e.Seq)
	h.once(e)
	return nil
}

// Why a relay is left alone for a while.
var (
	errForged = errors.New("what it has passed on is not signed by the control plane's authority, as far as this edge knows that")
	errSilent = errors.New("it has kept entries back")
)

// once delivers what has not been delivered.
func (h *hearing) once(e *journal.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.recent[e.ID] {
		return
	}
	h.recent[e.ID], h.order = true, append(h.order, e.ID)
	if len(h.order) > mostRecent {
		delete(h.recent, h.order[0])
		h.order = h.order[1:]
	}
	h.deliver(e)
}

// direct hears from the control node.
func (h *hearing) direct() error {
	h.mu.Lock()
	have := h.end != nil
	h.mu.Unlock()
	if have {
		return nil
	}
	end, err := h.l.session.Live(h.once)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end = end
	return err
}

// indirect does not any more.
func (h *hearing) indirect() {
	h.mu.Lock()
	end := h.end
	h.end = nil
	h.mu.Unlock()
	if end != nil {
		end() // which waits for once
	}
}
