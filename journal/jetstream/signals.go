package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// Live implements journal.Log: a plain subscription to what the engine publishes for each stored entry.
func (l *Log) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	return l.subscribe(pushSubject, "", func(m *nats.Msg) {
		e, err := journal.Decode(m.Data)
		if err != nil {
			l.log.Warn("journal push unreadable", "err", err) // a read will tell
			return
		}
		deliver(e)
	})
}

// Ack implements journal.Log.
func (l *Log) Ack(ctx context.Context, a journal.Ack) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return l.wrap("ack", l.nc.Publish(ackPrefix+token(a.Edge), b))
}

// Acks implements journal.Log.
func (l *Log) Acks(deliver func(journal.Ack)) (stop func(), err error) {
	return l.subscribe(ackPrefix+"*", "", func(m *nats.Msg) {
		var a journal.Ack
		// The subject is what an edge is permitted to speak for, the body is what it says.
		if err := json.Unmarshal(m.Data, &a); err != nil || m.Subject != ackPrefix+token(a.Edge) {
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
func (l *Log) Probe(ctx context.Context) (uint64, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	m, err := l.nc.RequestWithContext(ctx, probe, nil)
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

// maxProbes bounds the probes that are being answered at once (L9). What is beyond gets no answer: its edge
// times out and probes again.
const maxProbes = 4096

// ServeProbes implements journal.Log. Several servers, here or on other nodes, share the probes.
func (l *Log) ServeProbes(answer func(ctx context.Context) (uint64, error)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	slots := make(chan struct{}, maxProbes)
	unsubscribe, err := l.subscribe(probe, "freshness", func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			return
		}
		// One goroutine each, waited for in stop: answers share an append, so most of them just wait.
		running.Go(func() {
			defer func() { <-slots }()
			var a probeAnswer
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			if seq, err := answer(ctx); err != nil {
				a.Error = err.Error()
			} else {
				a.Seq = seq
			}
			b, _ := json.Marshal(a) // two plain fields
			if err := m.Respond(b); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				l.log.Warn("journal probe not answered", "err", err)
			}
		})
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return func() {
		unsubscribe()
		cancel()
		running.Wait()
	}, nil
}

// subscribe returns when the engine knows the subscription; after stop has returned, f is not called any more.
func (l *Log) subscribe(subject, queue string, f func(*nats.Msg)) (stop func(), err error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	var mu sync.Mutex // held while f runs
	stopped := false
	sub, err := l.nc.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			f(m)
		}
	})
	if err != nil {
		return nil, l.wrap("subscribe", err)
	}
	if err := errors.Join(sub.SetPendingLimits(4096, 16<<20), l.nc.FlushTimeout(readTimeout)); err != nil {
		sub.Unsubscribe()
		return nil, l.wrap("subscribe", err)
	}
	return func() {
		sub.Unsubscribe()
		mu.Lock()
		stopped = true
		mu.Unlock()
	}, nil
}

// token makes a subject token of an edge's name: what is neither letter, digit nor dash is written in hex.
func token(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '-', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}
