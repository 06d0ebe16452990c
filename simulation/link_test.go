package simulation

import (
	"context"
	"sync"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// link is the journal as one process sees it: a journal.Log. It is made for a process and goes with it.
type link struct {
	w    *world
	node string

	// Each kind of message has a luck of its own.
	appends, reads, pushes, acks, probes, parts *luck

	mu       sync.Mutex
	down     bool   // the process is gone
	known    uint64 // the greatest number that was confirmed or delivered
	live     func(*journal.Entry)
	hear     func(journal.Ack)
	answer   func(context.Context) (uint64, error)
	mistaken mistaken
}

func (w *world) link(node string) *link {
	l := &link{w: w, node: node}
	for name, r := range map[string]**luck{"appends": &l.appends, "reads": &l.reads, "pushes": &l.pushes, "acks": &l.acks, "probes": &l.probes, "parts": &l.parts} {
		*r = w.luckOf(node + " " + name)
	}
	w.record.add(l)
	return l
}

// cut ends the link: the process has been killed.
func (l *link) cut() {
	l.w.record.remove(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
}

func (l *link) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}

// ask sends a question to the journal and waits for its answer, which act makes there.
func ask[T any](ctx context.Context, l *link, r *luck, limit time.Duration, act func(reply func(T))) (v T, err error) {
	if l.isDown() {
		return v, journal.ErrClosed
	}
	l.w.stands(l.node)
	answers := make(chan T, 2)
	l.w.send(r, l.node, outgoing, func() {
		act(func(v T) { l.w.send(r, l.node, incoming, func() { answers <- v }) })
	})
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case v = <-answers:
	case <-late.C:
		err = errLost
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.w.stands(l.node)
	if l.isDown() {
		err = journal.ErrClosed
	}
	return v, err
}

func (l *link) knows(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = max(l.known, seq)
}

// Append implements journal.Log.
func (l *link) Append(ctx context.Context, e *journal.Entry) error {
	life := l.w.record.lives()
	said, err := ask(ctx, l, l.appends, 10*time.Second, func(reply func(error)) { reply(l.w.record.append(life, l.node, e)) })
	if err == nil {
		err = said
	}
	if err == nil {
		l.knows(e.Seq)
	}
	return err
}

// Read implements journal.Log.
func (l *link) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	entries, err := ask(ctx, l, l.reads, 2*time.Second, func(reply func([]*journal.Entry)) {
		l.mu.Lock()
		known := l.known
		l.mu.Unlock()
		reply(l.w.record.read(from, max, known, l.node))
	})
	if err != nil {
		return nil, err
	}
	if n := len(entries); n > 0 {
		l.knows(entries[n-1].Seq)
	}
	return l.shown(from, entries), nil
}

// Live implements journal.Log.
func (l *link) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live = deliver
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.live = nil
	}, nil
}

// push has an entry travel to the node: some are doubled, and they overtake each other.
func (l *link) push(e *journal.Entry) {
	arrive := func() {
		l.w.stands(l.node)
		l.mu.Lock()
		deliver := l.live
		if l.down {
			deliver = nil
		}
		l.mu.Unlock()
		if deliver != nil {
			l.knows(e.Seq)
			deliver(l.shownPush(e))
		}
	}
	l.w.send(l.pushes, l.node, incoming, arrive)
	if l.pushes.one(20) {
		l.w.send(l.pushes, l.node, incoming, arrive)
	}
}

// Ack implements journal.Log.
func (l *link) Ack(_ context.Context, a journal.Ack) error {
	if l.isDown() {
		return journal.ErrClosed
	}
	l.w.stands(l.node)
	l.w.check.acknowledged(a)
	l.mu.Lock()
	l.mistaken.said = a
	l.mu.Unlock()
	l.w.record.acknowledge(l, a)
	return nil
}

// acknowledge has an acknowledgement travel to all who hear them: some are doubled, and they overtake each other.
func (r *record) acknowledge(l *link, a journal.Ack) {
	for _, c := range r.hears(func(x *link) bool { return x.hears() != nil }) {
		for range 1 + l.acks.n(20)/19 {
			l.w.send(l.acks, l.node, outgoing, func() {
				l.w.send(c.acks, c.node, incoming, func() {
					l.w.stands(c.node)
					if hear := c.hears(); hear != nil {
						said := a
						if l.w.mistake == ackByNumber {
							said = r.named(a)
						}
						hear(said)
					}
				})
			})
		}
	}
}

func (l *link) hears() func(journal.Ack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil
	}
	return l.hear
}

// Acks implements journal.Log.
func (l *link) Acks(deliver func(journal.Ack)) (stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hear = deliver
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hear = nil
	}, nil
}

// Probe implements journal.Log: any control node answers.
func (l *link) Probe(ctx context.Context) (uint64, error) {
	return ask(ctx, l, l.probes, 10*time.Second, func(reply func(uint64)) {
		if z, misled := l.w.record.hearsay(l.node); misled && l.w.mistake == probeRead {
			reply(z)
			return
		}
		servers := l.w.record.hears(func(x *link) bool { return x.serves() != nil })
		if len(servers) == 0 {
			return
		}
		s := servers[l.probes.n(len(servers))]
		l.w.send(s.probes, s.node, incoming, func() {
			answer := s.serves()
			if answer == nil {
				return
			}
			l.w.stands(s.node)
			within, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			z, err := answer(within)
			if err != nil || s.isDown() {
				return
			}
			l.w.stands(s.node)
			l.w.send(s.probes, s.node, outgoing, func() { reply(z) })
		})
	})
}

func (l *link) serves() func(context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil
	}
	return l.answer
}

// ServeProbes implements journal.Log.
func (l *link) ServeProbes(answer func(context.Context) (uint64, error)) (stop func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.answer = nil
	}, nil
}

// Doubt implements journal.Doubtful.
func (l *link) Doubt() bool {
	return l.w.mistake != unknownMembers && l.w.mistake != ackByNumber && l.w.record.doubted()
}

// Doubted implements journal.Doubtful.
func (l *link) Doubted() error {
	l.w.record.doubts()
	return nil
}

// Settled implements journal.Doubtful.
func (l *link) Settled() error {
	l.w.record.settled()
	return nil
}

// Close implements journal.Log.
func (l *link) Close() error { return nil }
