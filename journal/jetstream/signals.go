package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// Live implements journal.Log for an edge on another machine: a plain subscription to what the engine publishes for each stored entry.
func (l *session) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return l.live(pushSubject, journal.DecodeForEdge, deliver)
}

func (l *session) live(subject string, decode func([]byte) (*journal.Entry, error), deliver func(*journal.Entry)) (stop func(), err error) {
	return l.subscribe(subject, "", func(m *nats.Msg) {
		e, err := decode(m.Data)
		if err != nil {
			l.log.Warn("journal push unreadable", "err", err) // a read will tell
			return
		}
		deliver(e)
	})
}

// Live implements journal.Log.
func (l *Log) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return l.engine.live(l.c.names().push, journal.Decode, func(e *journal.Entry) {
		l.known.atLeast(e.Seq)
		deliver(e)
	})
}

// Ack implements journal.Log.
func (l *session) Ack(ctx context.Context, a journal.Ack) error { return l.ack(ctx, ackPrefix, a) }

// Ack implements journal.Log.
func (l *Log) Ack(ctx context.Context, a journal.Ack) error {
	return l.engine.ack(ctx, l.c.names().ack, a)
}

func (l *session) ack(ctx context.Context, prefix string, a journal.Ack) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return l.wrap("ack", l.nc.Publish(prefix+token(a.Edge), b))
}

// Acks implements journal.Log.
func (l *Log) Acks(deliver func(journal.Ack)) (stop func(), err error) {
	prefix := l.c.names().ack
	return l.engine.subscribe(prefix+"*", "", func(m *nats.Msg) {
		// The subject is what an edge is permitted to speak for, the body is what it says.
		a, err := journal.DecodeAck(m.Data)
		if err != nil || m.Subject != prefix+token(a.Edge) {
			l.log.Warn("journal acknowledgement ignored", "subject", m.Subject, "err", err)
			return
		}
		deliver(a)
	})
}

// probeAnswer is the answer to a probe.
type probeAnswer struct {
	Seq   uint64 `json:",omitempty"`
	Error string `json:",omitempty"`
}

// Probe implements journal.Log.
func (l *session) Probe(ctx context.Context) (uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	m, err := l.nc.RequestWithContext(ctx, probePrefix+token(l.name), nil)
	if err != nil {
		return 0, l.wrap("probe", err)
	}
	var a probeAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return 0, l.wrap("probe", err)
	}
	if a.Error != "" {
		return 0, fmt.Errorf("journal: probe: %s", a.Error)
	}
	return a.Seq, nil
}

// probesApart is how much time this process leaves between two of its own probes.
const probesApart = 20 * time.Millisecond

// Probe implements journal.Log. Who come soon after another in this process, as hundreds of edges that start do, send one together: the entry that
// answers it is appended after each of them has come (P1).
func (l *Log) Probe(ctx context.Context) (uint64, error) {
	turn := func(ctx context.Context) error { return l.probes.turn(ctx, probesApart) }
	z, err := l.probing.do(ctx, struct{}{}, turn, l.session.Probe)
	if err != nil && err == ctx.Err() { // nobody has asked
		err = l.wrap("probe", err)
	}
	return z, err
}

// mostProbes bounds those that are being answered at once (L9), of all edges and of one. What is beyond gets no answer: its edge
// times out and probes again.
var mostProbes = bound{4096, 256}

// ServeProbes implements journal.Log. Several servers, here or on other nodes, share the probes.
func (l *Log) ServeProbes(answer func(ctx context.Context) (uint64, error)) (stop func(), err error) {
	return l.serve(probePrefix+"*", "freshness", mostProbes, func(ctx context.Context, m *nats.Msg) {
		var a probeAnswer
		if seq, err := answer(ctx); err != nil {
			a.Error = err.Error()
		} else {
			a.Seq = seq
		}
		l.respond(m, a)
	})
}
