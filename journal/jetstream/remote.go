package jetstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// RemoteConfig says where the journal of an edge is. Addresses, TLS and Edge are required.
type RemoteConfig struct {
	Addresses []string    // host:port of control nodes; any will do
	TLS       *tls.Config // with the edge's certificate, and the authority of the control nodes'
	Edge      string      // as in the certificate
	Version   string
	Logger    *slog.Logger

	// Relays, host:port, are asked to bring what is pushed, and to carry the connection to a control node; any will do, and without one
	// the control nodes are asked themselves. With RelayTLS, which is TLS for a relay, and Pushed, which tells whether an entry has the
	// authority's signature.
	Relays   []string
	RelayTLS *tls.Config
	Pushed   func(entry, signature []byte) bool

	// Serial is the number of the edge's certificate, which may be another one in time. Not required.
	Serial func() string

	// Moved is told where the control nodes are, when one says. Not required.
	Moved func(addresses []string)
}

// Remote is the journal as an edge on another machine sees it: it reads, hears, acknowledges and probes, and never
// appends. Without a connection every call fails, and the connection is tried again for ever; what had been subscribed
// goes on then. Make it with Dial; all methods may be called concurrently.
type Remote struct {
	session
	c      RemoteConfig
	failed atomic.Int32 // probes, in a row
	skewed atomic.Bool  // the clocks were found to differ, and it was said
	said   atomic.Value // string: why there is no connection, as the log has it already; "": there is one

	routes  *routes // nil: there are no relays
	relayed relayed
	strayed int                      // probes in a row that were not answered through a relay, while one passes on; the prober's
	moving  sync.Mutex               // held while known changes
	known   atomic.Pointer[[]string] // addresses of control nodes, as one has said; nil: none has
}

var _ journal.Log = (*Remote)(nil)

// How soon an edge notices that a connection is dead which does not say so, and how often it tries for a new one.
const (
	remotePing    = 2 * time.Second
	remotePings   = 2
	remoteConnect = 3 * time.Second
)

// answerParts is how many messages an answer to a read may be that nobody has looked at yet: more than it has, since any two in a row
// are more than answerBytes. The default would allocate half a megabyte for each read.
const answerParts = 64

// Dial returns at once, whether or not a control node can be reached; Connected tells.
func Dial(c RemoteConfig) (*Remote, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Remote{c: c, session: session{log: c.Logger, name: c.Edge, remote: true}}
	o := l.options(
		nats.CustomInboxPrefix(inbox+"_"+token(c.Edge)), nats.Secure(c.TLS), nats.Timeout(remoteConnect),
		nats.SyncQueueLen(answerParts),
		nats.RetryOnFailedConnect(true), nats.CustomReconnectDelay(again),
		nats.IgnoreAuthErrorAbort(), // the node may not know its edges yet
		nats.PingInterval(remotePing), nats.MaxPingsOutstanding(remotePings),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if !l.closed.Load() {
				l.log.Warn("journal connection lost", "err", err)
			}
		}),
		nats.ErrorHandler(l.complain),
		nats.ConnectHandler(func(*nats.Conn) { l.settled() }),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			l.settled()
			l.log.Info("journal connected", "to", nc.ConnectedAddr())
		}),
	)
	at := c.Addresses
	if len(c.Relays) > 0 {
		l.routes = newRoutes(c.Relays, c.Addresses)
		at, o = []string{anywhere}, append(o, l.routes.options()...)
	} else {
		o = append(o, nats.SetCustomDialer(&gathering{net.Dialer{Timeout: remoteConnect}}))
	}
	nc, err := nats.Connect(strings.Join(urls(at), ","), o...)
	if err != nil {
		return nil, explain(c.Addresses, err)
	}
	l.nc = nc
	return l, nil
}

// complain logs an error of the engine's client. Why there is no connection is said once: a machine that was removed is refused at each attempt, for ever.
func (l *Remote) complain(nc *nats.Conn, sub *nats.Subscription, err error) {
	if sub != nil {
		l.log.Warn("journal subscription", "subject", sub.Subject, "err", err)
		return
	}
	why := explain(l.Addresses(), err).Error()
	if nc != nil && nc.IsConnected() { // l.nc may not be set yet
		l.log.Warn("journal connection", "err", err)
	} else if l.said.Swap(why) != why {
		l.log.Warn("journal connection", "err", why)
	}
}

func (l *Remote) settled() {
	l.said.Store("")
	if l.routes != nil {
		l.routes.settled()
	}
}

// Live implements journal.Log: from a relay, if there is one, else from the control node.
func (l *Remote) Live(deliver func(*journal.Entry)) (stop func(), err error) {
	if l.routes == nil {
		return l.session.Live(deliver)
	}
	return l.hear(deliver)
}

// Addresses are where the control nodes are, as far as it is known.
func (l *Remote) Addresses() []string {
	if told := l.known.Load(); told != nil {
		return *told
	}
	return l.c.Addresses
}

// again is the pause before all control nodes are tried once more: long where it is in vain, and not the same for all
// edges of a control plane that is back.
func again(attempts int) time.Duration {
	most := min(250*time.Millisecond<<min(attempts, 10), 4*time.Second)
	return most/2 + rand.N(most/2)
}

func urls(addresses []string) (all []string) {
	for _, a := range addresses {
		all = append(all, "tls://"+a)
	}
	return all
}

// Connected returns nil while there is a connection, else why not.
func (l *Remote) Connected() error {
	switch {
	case l.closed.Load():
		return journal.ErrClosed
	case l.nc.IsConnected():
		return nil
	}
	return explain(l.c.Addresses, l.nc.LastError())
}

// explain says of an error of the connection what an operator can do.
func explain(addresses []string, err error) error {
	at := strings.Join(addresses, ", ")
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s", ErrAway, at)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), strings.Contains(err.Error(), "uthorization"):
		return fmt.Errorf("%w at %s: it was removed, or another machine has its name now; with a token (warmfront edge token, or warmfront relay token) it is one again. Or that node has just started, and does not know its edges yet", ErrRefused, at)
	case strings.Contains(err.Error(), "expired certificate"):
		return fmt.Errorf("%w at %s: its certificate has expired; with a token (warmfront edge token, or warmfront relay token) it gets another", ErrRefused, at)
	case strings.Contains(err.Error(), "x509: certificate has expired or is not yet valid"):
		return fmt.Errorf("%w: %s: %w. Do the clocks of both machines agree?", ErrAway, at, err)
	case strings.Contains(err.Error(), "x509:"):
		return fmt.Errorf("%w: %s: %w. Is that address another Warmfront's?", ErrAway, at, err)
	}
	return fmt.Errorf("%w: %s: %w. Is warmfront control running there, and is the way to it open?", ErrAway, at, err)
}

// Append implements journal.Log: an edge never writes.
func (l *Remote) Append(context.Context, *journal.Entry) error {
	if l.closed.Load() {
		return journal.ErrClosed
	}
	return fmt.Errorf("journal: append by an edge: %w", errors.ErrUnsupported)
}

// Acks implements journal.Log: that is the control plane's.
func (l *Remote) Acks(func(journal.Ack)) (stop func(), err error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	return nil, fmt.Errorf("journal: acknowledgements heard by an edge: %w", errors.ErrUnsupported)
}

// ServeProbes implements journal.Log: that is the control plane's.
func (l *Remote) ServeProbes(func(context.Context) (uint64, error)) (stop func(), err error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	return nil, fmt.Errorf("journal: probes answered by an edge: %w", errors.ErrUnsupported)
}

// Ack implements journal.Log. Without a connection it is lost, as it may be; it is repeated.
func (l *Remote) Ack(ctx context.Context, a journal.Ack) error {
	if l.away() && !l.closed.Load() {
		return ctx.Err()
	}
	return l.session.Ack(ctx, a)
}

// Probe implements journal.Log. After two failures in a row it looks for another control node: a connection to one
// that is cut off from the others stays up.
func (l *Remote) Probe(ctx context.Context) (uint64, error) {
	z, err := l.session.Probe(ctx)
	switch {
	case err == nil:
		l.failed.Store(0)
		if l.routes != nil {
			l.relayed.judge(z)
			l.back()
		}
	case ctx.Err() != nil && l.failed.Add(1)%2 == 0 && l.nc.IsConnected():
		l.log.Warn("journal connection gives no answers; connecting anew", "to", l.nc.ConnectedAddr())
		l.nc.ForceReconnect()
	}
	return z, err
}

// back goes back to a relay, where one passes on and the connection has not gone through one for some probes. The prober calls it.
func (l *Remote) back() {
	if l.strayed++; l.routes.relayed() || !l.relayed.on.Load() {
		l.strayed = 0
	}
	if l.strayed >= mostStrayed {
		l.strayed = 0
		l.log.Info("a relay is there; connecting through it", "from", l.nc.ConnectedAddr())
		l.nc.ForceReconnect()
	}
}

const mostStrayed = 6

// Read implements journal.Log, by way of a control node's desk.
func (l *Remote) Read(ctx context.Context, from uint64, max int) ([]*journal.Entry, error) {
	if l.closed.Load() {
		return nil, journal.ErrClosed
	}
	if max <= 0 {
		return nil, nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	sub, err := l.question(readPrefix+token(l.name), readQuestion{from, max})
	if err != nil {
		return nil, l.wrap("read", err)
	}
	defer sub.Unsubscribe()
	var entries []*journal.Entry
	for part := 0; ; part++ {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, l.wrap("read", err)
		}
		head, rest, some := bytes.Cut(m.Data, []byte{'\n'})
		var a readAnswer
		if err := json.Unmarshal(head, &a); err != nil {
			return nil, l.wrap("read", err)
		}
		if err := a.err(); err != nil {
			return nil, l.wrap("read", err)
		}
		if a.Part != part { // the connection was another one for a moment
			return nil, fmt.Errorf("journal: read: part %d of the answer was lost", part)
		}
		for some {
			var b []byte
			b, rest, some = bytes.Cut(rest, []byte{'\n'})
			e, err := journal.DecodeForEdge(b)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
		if !a.More {
			return entries, nil
		}
	}
}

// question asks something that is answered in several messages.
func (l *Remote) question(subject string, q any) (*nats.Subscription, error) {
	b, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	reply := l.nc.NewInbox()
	sub, err := l.nc.SubscribeSync(reply)
	if err != nil {
		return nil, err
	}
	if err := l.nc.PublishRequest(subject, reply, b); err != nil {
		sub.Unsubscribe()
		return nil, err
	}
	return sub, nil
}

// Join has the control plane append the fact (P2).
func (l *Remote) Join(ctx context.Context, j journal.EdgeJoined) error {
	p := part{Join: &j}
	if l.c.Serial != nil {
		p.Serial = l.c.Serial()
	}
	_, err := l.part(ctx, p)
	return err
}

// Leave is the same for the end of the membership.
func (l *Remote) Leave(ctx context.Context, j journal.EdgeLeft) error {
	_, err := l.part(ctx, part{Leave: &j})
	return err
}

// Renew asks the control plane for another certificate.
func (l *Remote) Renew(ctx context.Context, r Renewal) (*Renewed, error) {
	a, err := l.part(ctx, part{Renew: &r})
	if err == nil && a.Renewed == nil {
		err = fmt.Errorf("%w: it gives no certificates anew", ErrVersion)
	}
	if err != nil {
		return nil, err
	}
	return a.Renewed, nil
}

func (l *Remote) part(ctx context.Context, p part) (a partAnswer, err error) {
	if err := l.Connected(); err != nil {
		return a, err
	}
	p.Protocol, p.Version = Protocol, l.c.Version
	b, err := json.Marshal(p)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	sent := time.Now()
	m, err := l.nc.RequestWithContext(ctx, partPrefix+token(l.name), b)
	if err != nil {
		return a, l.wrap(p.what(), err)
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return a, l.wrap(p.what(), err)
	}
	l.compare(sent, a.Now)
	if len(a.Addresses) > 0 {
		l.moved(a.Addresses)
	}
	return a, a.err()
}

// moved takes where the control nodes are, as one of them says. Those that were known before stay, behind them: who is away just now is not
// told of, and may be the only one that is there when this connection ends.
func (l *Remote) moved(told []string) {
	l.moving.Lock()
	defer l.moving.Unlock()
	before := l.Addresses()
	addresses := slices.Clone(told)
	for _, a := range before {
		if len(addresses) < mostKnown && !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	if slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(addresses))) {
		return
	}
	l.known.Store(&addresses)
	if l.routes != nil {
		l.routes.moved(addresses)
	} else if err := l.nc.SetServerPool(urls(addresses)); err != nil && !l.closed.Load() {
		l.log.Warn("where the control nodes are is not understood; they are tried where they were", "err", err)
	}
	if l.c.Moved != nil {
		l.c.Moved(addresses)
	}
}

// mostKnown is how many addresses are kept that nobody tells of any more, with those that somebody does.
const mostKnown = 8

// Clocks that differ by more than the first are spoken of. No decision of the protocol uses a wall clock (C4), but ages and dates
// of answers do. With more than the second nobody becomes an edge: certificates would be refused before long.
const (
	skewTold  = 2 * time.Second
	skewMost  = 5 * time.Minute
	skewWords = "the clocks of this machine and of the control plane differ; set both by NTP"
)

func (l *Remote) compare(sent, theirs time.Time) {
	if d := skew(sent, time.Now(), theirs); d > skewTold && l.skewed.CompareAndSwap(false, true) {
		l.log.Warn(skewWords, "by", d.Round(time.Millisecond))
	}
}

// skew is how far a clock that was read somewhere between the two is off, at least.
func skew(sent, received, theirs time.Time) time.Duration {
	return max(sent.Round(0).Sub(theirs), theirs.Sub(received.Round(0)), 0)
}

// MaxAnswer is how long an answer may be. A longer one is not sent.
const MaxAnswer = maxPayload

// Answer answers what the control plane asks of this edge until stop.
func (l *Remote) Answer(answer func(ctx context.Context, question []byte) []byte) (stop func(), err error) {
	return l.serve(askPrefix+token(l.name), "", mostAsked, func(ctx context.Context, m *nats.Msg) {
		if err := m.Respond(answer(ctx, m.Data)); err != nil && !l.away() {
			l.log.Warn("question not answered", "err", err)
		}
	})
}

// mostAsked bounds the questions that an edge answers at once (L9); beyond it there is no answer.
var mostAsked = bound{16, 16}

// Ask asks any control node (Desk.Answer), for as long as ctx allows. ErrAway: none has been asked; journal.ErrBusy: the one that
// was has done nothing.
func (l *Remote) Ask(ctx context.Context, question []byte) ([]byte, error) {
	if err := l.Connected(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(want{l.name, question})
	if err != nil {
		return nil, err
	}
	m, err := l.nc.RequestWithContext(ctx, wantPrefix+token(l.name), b)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("%w: no control node answers now", ErrAway)
	}
	if err != nil {
		return nil, l.wrap("ask", err)
	}
	var a wantAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return nil, l.wrap("ask", err)
	}
	return a.Answer, a.err()
}

// Close ends the connection.
func (l *Remote) Close() error {
	l.closed.Store(true)
	l.nc.Close()
	return nil
}

// Knock connects once with an edge's certificate, and says whether it is let in: ErrRefused, ErrAway.
func Knock(addresses, relays []string, c *tls.Config, edge string) error {
	nc, err := connectOnce(addresses, relays, nats.Secure(c), nats.CustomInboxPrefix(inbox+"_"+token(edge)))
	if err != nil {
		return explain(addresses, err)
	}
	nc.Close()
	return nil
}

// connectOnce connects to a control node, through a relay if there is one, and tries each way once.
func connectOnce(addresses, relays []string, o ...nats.Option) (nc *nats.Conn, err error) {
	o = append(o, nats.Name("warmfront"), nats.Timeout(remoteConnect), nats.NoReconnect())
	if len(relays) == 0 {
		return nats.Connect(strings.Join(urls(addresses), ","), o...)
	}
	r := newRoutes(relays, addresses)
	for range r.many() {
		if nc, err = nats.Connect("tls://"+anywhere, append(o, r.options()...)...); err == nil {
			break
		}
	}
	return nc, err
}

// Apply asks a control node to be made an edge. The config needs no certificate; key is the token's public half.
func Apply(ctx context.Context, addresses, relays []string, c *tls.Config, key string, a Application) (*Admission, error) {
	a.Protocol = Protocol
	nc, err := connectOnce(addresses, relays, nats.Secure(c), nats.Token(key), nats.CustomInboxPrefix(inbox+"_"+token(key)))
	if err != nil {
		return nil, explain(addresses, err)
	}
	defer nc.Close()
	b, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	sent := time.Now()
	m, err := nc.RequestWithContext(ctx, application, b)
	if err != nil {
		return nil, explain(addresses, err)
	}
	var answer applicationAnswer
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return nil, err
	}
	if err := answer.err(); err != nil {
		return nil, err
	}
	if err := fits("the control plane's", answer.Admission.Protocol, answer.Admission.Version, a.Version); err != nil {
		return nil, err
	}
	if d := skew(sent, time.Now(), answer.Admission.Now); d > skewMost {
		return nil, fmt.Errorf("%s: they are %v apart", skewWords, d.Round(time.Second))
	}
	return answer.Admission, nil
}
