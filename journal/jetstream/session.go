package jetstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// session is a connection to the engine, with what its both kinds can do: the one in the engine's process, and an edge's
// from another machine.
type session struct {
	nc     *nats.Conn
	log    *slog.Logger
	name   string // with which it probes and asks
	remote bool   // it comes and goes
	gone   error  // what is said when there is no connection; nil: ErrAway
	inbox  string // where questions of an external NATS want their answers, and nowhere else; "": see mayAnswer
	closed atomic.Bool
	ended  chan struct{} // closed when nc is, for good
}

// options are those of every connection.
func (l *session) options(more ...nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.Name("warmfront"),
		nats.ReconnectBufSize(-1), // a buffered append would be sent later, after its outcome was decided (W3)
		nats.MaxReconnects(-1),
		nats.ErrorHandler(l.complain),
	}, more...)
}

// closes is the option by which ended is closed with the connection.
func (l *session) closes() nats.Option {
	ended := make(chan struct{})
	l.ended = ended
	return nats.ClosedHandler(func(*nats.Conn) { close(ended) })
}

// complain says what the engine remarks on a connection.
func (l *session) complain(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil {
		l.log.Warn("journal subscription", "subject", sub.Subject, "err", err)
	} else {
		l.log.Warn("journal connection", "err", err)
	}
}

// away reports whether there is no connection now, and there will be one.
func (l *session) away() bool { return l.remote && !l.nc.IsConnected() }

// What a subscription holds that is not handled yet (L9); beyond it is lost what comes. All edges may acknowledge at once, and once more.
const (
	mostPending       = 2 * maxConnections
	mostPendingOctets = 16 << 20
)

// subscribe returns when the engine knows the subscription; after stop has returned, f is not called any more.
func (l *session) subscribe(subject, queue string, f func(*nats.Msg)) (stop func(), err error) {
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
	err = sub.SetPendingLimits(mostPending, mostPendingOctets)
	if err == nil && !l.away() { // who is away subscribes when it is back, before it sends anything else
		err = l.nc.FlushTimeout(readTimeout)
	}
	if err != nil && !l.away() {
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

// bound is how much is done at once: of all that ask, and of one of them.
type bound struct{ all, each int }

// shares counts what is being done, by subject: that is what who asks is permitted, and so tells one from another.
type shares struct {
	bound
	mu  sync.Mutex
	all int            // guarded by mu
	of  map[string]int // guarded by mu
}

// enter tells whether one more may be done.
func (s *shares) enter(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= s.bound.all || s.of[subject] >= s.each {
		return false
	}
	s.all++
	s.of[subject]++
	return true
}

func (s *shares) leave(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.of[subject]--; s.of[subject] == 0 {
		delete(s.of, subject)
	}
}

// serve calls answer for requests, each in a goroutine of its own, at most most at once; what is beyond gets no
// answer. stop waits for all of them.
func (l *session) serve(subject, queue string, most bound, answer func(ctx context.Context, m *nats.Msg)) (stop func(), err error) {
	return l.serveOr(subject, queue, most, answer, func(*nats.Msg) {})
}

// serveOr is serve with something that is done with what is beyond, at once; it is not to wait.
func (l *session) serveOr(subject, queue string, most bound, answer func(ctx context.Context, m *nats.Msg), beyond func(m *nats.Msg)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	slots := shares{bound: most, of: map[string]int{}}
	unsubscribe, err := l.subscribe(subject, queue, func(m *nats.Msg) {
		// An answer goes where the question says. If that could be the log's own subject, who may ask could write.
		if !l.mayAnswer(m) {
			l.log.Warn("journal request ignored: it wants its answer elsewhere than in an inbox", "subject", m.Subject, "reply", m.Reply)
			return
		}
		if !slots.enter(m.Subject) {
			beyond(m)
			return
		}
		running.Go(func() {
			defer slots.leave(m.Subject)
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			answer(ctx, m)
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

// mayAnswer tells whether a question wants its answer in an inbox, and an edge's in no other's. Who has a token has no name yet.
func (l *session) mayAnswer(m *nats.Msg) bool {
	if l.inbox != "" {
		return strings.HasPrefix(m.Reply, l.inbox+".")
	}
	if asks, ok := strings.CutPrefix(m.Reply, inbox+"_"); ok {
		asks, _, _ = strings.Cut(asks, ".")
		return m.Subject == application || m.Subject == entering || strings.HasSuffix(m.Subject, "."+asks)
	}
	if strings.HasPrefix(m.Reply, askInbox+".") {
		return strings.HasPrefix(m.Subject, askPrefix)
	}
	return strings.HasPrefix(m.Reply, inbox+".") && m.Subject == probePrefix+ownName // this process, or another control node
}

// inbox is how every inbox's name begins, and no other subject's.
const inbox = "_INBOX"

// respond answers a request with something that JSON can say.
func (l *session) respond(m *nats.Msg, answer any) {
	b, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(b)
	}
	l.responded(m, err)
}

// responded takes what became of an answer.
func (l *session) responded(m *nats.Msg, err error) {
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		l.log.Warn("journal request not answered", "subject", m.Subject, "err", err)
	}
}

// wrap gives an error of the engine's its name: after Close everything is ErrClosed.
func (l *session) wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case l.closed.Load():
		return journal.ErrClosed
	case errors.Is(err, nats.ErrReconnectBufExceeded): // nothing is buffered: there is no connection
		return fmt.Errorf("journal: %s: %w", what, cmp.Or(l.gone, ErrAway))
	}
	return fmt.Errorf("journal: %s: %w", what, err)
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
