package jetstream

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

// pki is an authority and what it has signed.
type pki struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

const controlHost = "control.test"

func newPKI(t testing.TB) *pki {
	p := &pki{pool: x509.NewCertPool()}
	c := p.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	p.root, p.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	p.pool.AddCert(p.root)
	return p
}

func (p *pki) sign(t testing.TB, c *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, by := p.root, p.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (p *pki) network(t testing.TB) *Network {
	return &Network{
		Address: "127.0.0.1:0",
		TLS: &tls.Config{ClientCAs: p.pool, Certificates: []tls.Certificate{p.sign(t, &x509.Certificate{
			DNSNames: []string{controlHost}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})}},
		Admit: func(c *tls.ConnectionState, token string) *Peer {
			switch {
			case len(c.VerifiedChains) > 0:
				return &Peer{Edge: c.PeerCertificates[0].Subject.CommonName}
			case token == "known":
				return &Peer{Token: token}
			}
			return nil
		},
	}
}

// edge is how an edge shows itself.
func (p *pki) edge(t testing.TB, name string) *tls.Config {
	return &tls.Config{RootCAs: p.pool, ServerName: controlHost, Certificates: []tls.Certificate{p.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})}}
}

func (p *pki) dial(t testing.TB, address, name string) *Remote {
	t.Helper()
	r, err := Dial(RemoteConfig{Addresses: []string{address}, TLS: p.edge(t, name), Edge: name, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// unhurried is how long a client of a test waits for a connection: the default can be missed on a busy machine.
var unhurried = nats.Timeout(time.Minute)

// connected waits until r has a connection.
func connected(t testing.TB, r *Remote) {
	t.Helper()
	eventually(t, "a connection", func() bool { return r.Connected() == nil })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// both is a log of which edges' part goes over the network, and the control plane's does not.
type both struct {
	*Remote
	control *Log
	pki     *pki
	t       *testing.T

	mu    sync.Mutex
	edges map[string]*Remote // by name: each acknowledges for itself
}

func (b *both) Append(ctx context.Context, e *journal.Entry) error { return b.control.Append(ctx, e) }
func (b *both) Acks(f func(journal.Ack)) (func(), error)           { return b.control.Acks(f) }
func (b *both) ServeProbes(f func(context.Context) (uint64, error)) (func(), error) {
	return b.control.ServeProbes(f)
}
func (b *both) Ack(ctx context.Context, a journal.Ack) error {
	if b.closed.Load() {
		return b.Remote.Ack(ctx, a)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.edges[a.Edge] == nil {
		b.edges[a.Edge] = b.pki.dial(b.t, b.control.Addr(), a.Edge)
		connected(b.t, b.edges[a.Edge])
	}
	return b.edges[a.Edge].Ack(ctx, a)
}
func (b *both) Close() error { return errors.Join(b.Remote.Close(), b.control.Close()) }

// desk answers edges until the test ends.
func desk(t testing.TB, l *Log, d Desk) {
	t.Helper()
	stop, err := l.ServeEdges(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}

// subjectIn is a log in *dir, which reopen opens anew after something that happens meanwhile.
func subjectIn(dir *string, log journal.Log, reopen func(t *testing.T, meanwhile func()) journal.Log) journaltest.Subject {
	return journaltest.Subject{
		Log: log,
		Reopen: func(t *testing.T, crash bool) journal.Log {
			if crash {
				image := t.TempDir()
				copyTree(t, image, *dir)
				*dir = image
			}
			return reopen(t, func() {})
		},
		Compact: func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log {
			return reopen(t, func() { compact(t, *dir, tail, kept) })
		},
	}
}

// The suite of all logs, with TCP, TLS and permissions between the edges' part and the control plane's.
func TestLog_OverTheNetwork(t *testing.T) {
	p := newPKI(t)
	journaltest.Run(t, func(t *testing.T) journaltest.Subject {
		dir, network := t.TempDir(), p.network(t)
		network.Address = lasting.Address()
		b := &both{control: open(t, Config{Dir: dir, Network: network}), pki: p, t: t, edges: map[string]*Remote{}}
		desk(t, b.control, Desk{})
		b.Remote = p.dial(t, b.control.Addr(), "FRA50-1")
		connected(t, b.Remote)
		reopen := func(t *testing.T, meanwhile func()) journal.Log {
			again := make(chan struct{}, 1)
			b.nc.SetReconnectHandler(func(*nats.Conn) { again <- struct{}{} })
			b.control.Close()
			meanwhile()
			b.control = open(t, Config{Dir: dir, Network: network})
			desk(t, b.control, Desk{})
			select {
			case <-again: // the edge has come back by itself
			case <-time.After(2 * time.Minute):
				t.Fatal("no new connection")
			}
			return b
		}
		return subjectIn(&dir, b, reopen)
	})
}

// What an edge may not do, the engine refuses, whatever the edge's program is.
func TestNetwork_AnEdgeMayDoNothingElse(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	desk(t, l, Desk{})
	stop, err := l.ServeProbes(func(context.Context) (uint64, error) { return 7, nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	refused := make(chan error, 100)
	nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(p.edge(t, "FRA50-1")), nats.CustomInboxPrefix(inbox+"_FRA50-1"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	wait := func(what string) {
		t.Helper()
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(2 * time.Minute):
			t.Errorf("%s was not refused", what)
		}
	}
	for _, subject := range []string{
		logSubject, pushSubject, ackPrefix + "IAD89-1", probePrefix + "IAD89-1", readPrefix + "IAD89-1", partPrefix + "IAD89-1", application,
		askPrefix + "IAD89-1", directGet, "$JS.API.STREAM.DELETE." + streamName, "$JS.API.STREAM.INFO." + streamName,
		"$JS.API.CONSUMER.CREATE." + streamName, "$JS.API.STREAM.PURGE." + streamName, inbox + "_IAD89-1.x", "$SYS.REQ.SERVER.PING",
		inbox + ".x", askInbox + ".x", askInbox + ".IAD89-1.x",
	} {
		nc.Publish(subject, nil)
		wait("publish to " + subject)
	}
	for _, subject := range []string{">", ackPrefix + "*", logSubject, inbox + ".>", inbox + "_IAD89-1.>", askPrefix + "*", askInbox + ".>", askInbox + ".FRA50-1.>", "$JS.>"} {
		nc.SubscribeSync(subject)
		wait("subscribe to " + subject)
	}
	other, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(p.edge(t, "IAD89-1")), nats.CustomInboxPrefix(inbox+"_IAD89-1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	others, err := other.SubscribeSync(inbox + "_IAD89-1.>")
	if err = errors.Join(err, other.Flush()); err != nil {
		t.Fatal(err)
	}
	// An answer that is wanted on another's subject is not given.
	for _, subject := range []string{probePrefix + "FRA50-1", readPrefix + "FRA50-1", partPrefix + "FRA50-1"} {
		for _, reply := range []string{logSubject, pushSubject, ackPrefix + "IAD89-1", inbox + "_IAD89-1.x", inbox + ".x", askInbox + ".IAD89-1.x"} {
			nc.PublishRequest(subject, reply, []byte(`{"From":1,"Max":10}`))
		}
	}
	if m, err := nc.Request(probePrefix+"FRA50-1", nil, time.Minute); err != nil || !strings.Contains(string(m.Data), "7") {
		t.Errorf("a probe of its own: %v", err)
	}
	stop() // all that will be answered has been
	if err := errors.Join(l.nc.Flush(), other.Flush()); err != nil {
		t.Error(err)
	}
	if n, _, err := others.Pending(); n != 0 || err != nil {
		t.Errorf("another edge got %d answers to what it has not asked, %v", n, err)
	}
	if got, err := l.Read(t.Context(), 1, 100); err != nil || len(got) != 1 {
		t.Errorf("the log has %d entries, %v", len(got), err)
	}
}

func TestNetwork_WhoMayConnect(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	anonymous := &tls.Config{RootCAs: p.pool, ServerName: controlHost}
	stranger := other.edge(t, "FRA50-1")
	stranger.RootCAs = p.pool
	old := p.edge(t, "FRA50-1")
	old.MaxVersion = tls.VersionTLS12
	for _, c := range []struct {
		name string
		ok   bool
		o    []nats.Option
	}{
		{"an edge", true, []nats.Option{nats.Secure(p.edge(t, "FRA50-1"))}},
		{"a token", true, []nats.Option{nats.Secure(anonymous), nats.Token("known")}},
		{"a wrong token", false, []nats.Option{nats.Secure(anonymous), nats.Token("unknown")}},
		{"nobody", false, []nats.Option{nats.Secure(anonymous)}},
		{"an edge of another authority", false, []nats.Option{nats.Secure(stranger)}},
		{"TLS 1.2", false, []nats.Option{nats.Secure(old)}},
		{"without TLS, with the token of the process itself", false, []nats.Option{nats.Token(l.guard.own)}},
	} {
		nc, err := nats.Connect(l.Addr(), append(c.o, unhurried, nats.CustomInboxPrefix(inbox+"_x"))...)
		if err == nil { // TLS 1.3: a refusal may come after the client's half
			_, err = nc.RTT()
			nc.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNetwork_JoinsAndLeaves(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	var did []string
	desk(t, l, Desk{
		Join: func(_ context.Context, j journal.EdgeJoined, serial string) error {
			did = append(did, "join "+j.Edge+" "+j.Incarnation+" by "+serial)
			return nil
		},
		Leave:   func(_ context.Context, j journal.EdgeLeft) error { return errors.New("not now") },
		Version: "v2",
	})
	r := p.dial(t, l.Addr(), "FRA50-1")
	connected(t, r)
	r.c.Serial = func() string { return "7" }
	if err := r.Join(t.Context(), journal.EdgeJoined{Edge: "FRA50-1", Incarnation: "i"}); err != nil || len(did) != 1 || did[0] != "join FRA50-1 i by 7" {
		t.Errorf("%v, %v", did, err)
	}
	if err := r.Leave(t.Context(), journal.EdgeLeft{Edge: "FRA50-1"}); err == nil || err.Error() != "not now" {
		t.Errorf("leave: %v", err)
	}
	if err := r.Join(t.Context(), journal.EdgeJoined{Edge: "IAD89-1"}); !errors.Is(err, ErrRefused) {
		t.Errorf("join of another: %v", err)
	}
	if err := r.Join(t.Context(), journal.EdgeJoined{Edge: "FRA50-1", Address: strings.Repeat("a", mostPart)}); !errors.Is(err, ErrRefused) {
		t.Errorf("join with too much: %v", err)
	}
	b, _ := json.Marshal(part{Protocol: Protocol + 1, Version: "v9", Join: &journal.EdgeJoined{Edge: "FRA50-1"}})
	m, err := r.nc.Request(partPrefix+"FRA50-1", b, time.Minute)
	var a partAnswer
	if err == nil {
		err = json.Unmarshal(m.Data, &a)
	}
	if e := a.err(); err != nil || !errors.Is(e, ErrVersion) || !strings.Contains(e.Error(), "v9") || !strings.Contains(e.Error(), "v2") {
		t.Errorf("another protocol: %v, %v", e, err)
	}
	if len(did) != 1 {
		t.Errorf("did %v", did)
	}
}

func TestNetwork_Applications(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	now := time.Now()
	desk(t, l, Desk{Version: "v2", Admit: func(_ context.Context, token string, a Application) (*Admission, error) {
		if token != "known-secret" {
			return nil, errors.New("the token is used up")
		}
		return &Admission{Protocol: Protocol, Now: now, Edge: "FRA50-1", Certificate: a.Request}, nil
	}})
	c := &tls.Config{RootCAs: p.pool, ServerName: controlHost}
	apply := func(key, token string) (*Admission, error) {
		return Apply(t.Context(), []string{l.Addr()}, nil, c, key, Application{Token: token, Request: []byte("please")})
	}
	if a, err := apply("known", "known-secret"); err != nil || a.Edge != "FRA50-1" || string(a.Certificate) != "please" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := apply("known", "other"); err == nil || err.Error() != "the token is used up" {
		t.Errorf("used up: %v", err)
	}
	if _, err := apply("unknown", "x"); !errors.Is(err, ErrRefused) {
		t.Errorf("unknown: %v", err)
	}
	now = now.Add(-time.Hour)
	if _, err := apply("known", "known-secret"); err == nil || !strings.Contains(err.Error(), "clocks") {
		t.Errorf("an hour apart: %v", err)
	}
	l.Close()
	if _, err := apply("known", "known-secret"); !errors.Is(err, ErrAway) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestNetwork_AsksEdges(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	r := p.dial(t, l.Addr(), "FRA50-1")
	connected(t, r)
	stop, err := r.Answer(func(_ context.Context, q []byte) []byte { return append([]byte("you ask "), q...) })
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Ask(t.Context(), "FRA50-1", []byte("how")); err != nil || string(got) != "you ask how" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := l.Ask(t.Context(), "IAD89-1", nil); !errors.Is(err, ErrAway) {
		t.Errorf("nobody there: %v", err)
	}
	stop()
	r.nc.Flush()
	if _, err := l.Ask(t.Context(), "FRA50-1", nil); !errors.Is(err, ErrAway) {
		t.Errorf("it has stopped: %v", err)
	}
}

// An edge learns nothing of where others answer: the next question to it wants its answer elsewhere, and below its own name.
func TestNetwork_AnswersAreAnEdgesOwn(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(p.edge(t, "FRA50-1")), nats.CustomInboxPrefix(inbox+"_FRA50-1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	wanted := make(chan string, 2)
	_, err = nc.Subscribe(askPrefix+"FRA50-1", func(m *nats.Msg) {
		wanted <- m.Reply
		m.Respond(nil)
		m.Respond(nil) // the second is heard by nobody
	})
	if err = errors.Join(err, nc.Flush()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.Ask(t.Context(), "FRA50-1", nil); err != nil {
			t.Fatal(err)
		}
	}
	const own = askInbox + ".FRA50-1."
	a, b := <-wanted, <-wanted
	for _, x := range []string{a, b} {
		if tail, ok := strings.CutPrefix(x, own); !ok || len(tail) < 26 || strings.Contains(tail, ".") {
			t.Errorf("the answer is wanted at %s", x)
		}
	}
	if a[:len(own)+8] == b[:len(own)+8] {
		t.Errorf("%s and %s begin alike", a, b)
	}
}

// An edge whose admission has ended is cut, and does not come back.
func TestNetwork_Disconnect(t *testing.T) {
	p, n := newPKI(t), (*Network)(nil)
	var gone atomic.Bool
	n = p.network(t)
	admit := n.Admit
	n.Admit = func(c *tls.ConnectionState, token string) *Peer {
		if gone.Load() {
			return nil
		}
		return admit(c, token)
	}
	l := open(t, Config{Dir: t.TempDir(), Network: n})
	r := p.dial(t, l.Addr(), "FRA50-1")
	connected(t, r)
	gone.Store(true)
	l.Disconnect("FRA50-1")
	eventually(t, "refused", func() bool { return errors.Is(r.Connected(), ErrRefused) })
	gone.Store(false)
	connected(t, r)
}

// A machine that was removed is refused at each attempt; its log says so once, and again when it had been let in meanwhile.
func TestRemote_RefusalIsSaidOnce(t *testing.T) {
	var said bytes.Buffer
	l := &Remote{c: RemoteConfig{Addresses: []string{"control.test:4443"}}, session: session{log: slog.New(slog.NewTextHandler(&said, nil))}}
	for _, c := range []struct {
		err  error
		want int
	}{{nats.ErrAuthorization, 1}, {nats.ErrAuthorization, 1}, {nats.ErrConnectionClosed, 2}, {nats.ErrAuthorization, 3}, {nats.ErrAuthorization, 3}, {nil, 3}, {nats.ErrAuthorization, 4}} {
		if c.err == nil {
			l.settled()
		} else {
			l.complain(nil, nil, c.err)
		}
		if n := strings.Count(said.String(), "\n"); n != c.want {
			t.Errorf("%v: %d lines, not %d", c.err, n, c.want)
		}
	}
	if !strings.Contains(said.String(), "warmfront relay token") {
		t.Errorf("it does not say what to do: %s", &said)
	}
}

// An edge starts before the control plane, and follows as soon as that is there.
func TestRemote_BeforeTheControlPlane(t *testing.T) {
	p := newPKI(t)
	n := p.network(t)
	n.Address = lasting.Address()
	dir := t.TempDir()
	open(t, Config{Dir: dir, Network: n}).Close()

	r := p.dial(t, n.Address, "FRA50-1")
	if err := r.Connected(); !errors.Is(err, ErrAway) {
		t.Fatalf("connected to nobody: %v", err)
	}
	if _, err := r.Read(t.Context(), 1, 1); err == nil {
		t.Error("read from nobody")
	}
	applied := make(chan uint64, 10)
	f := journal.NewFollower(journal.FollowerConfig{Log: r, Apply: journaltest.Each(func(e *journal.Entry) { applied <- e.Seq })})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	defer func() { cancel(); <-done }()

	desk(t, open(t, Config{Dir: dir, Network: n}), Desk{})
	select {
	case seq := <-applied:
		if seq != 1 {
			t.Errorf("applied %d", seq)
		}
	case <-time.After(2 * time.Minute):
		t.Error("nothing was applied")
	}
}

// An edge that asks without end gets its share, and others theirs. What is beyond its share is refused at once.
func TestNetwork_NoEdgeStarvesOthers(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	entered, refused, hold := make(chan string, 2*mostWants.all), make(chan error, 2*mostWants.all), make(chan struct{})
	desk(t, l, Desk{Answer: func(ctx context.Context, edge string, question []byte) ([]byte, error) {
		entered <- edge
		if string(question) == "hold" {
			<-hold
		}
		return append([]byte("to "+edge+": "), question...), nil
	}})
	greedy, modest := p.dial(t, l.Addr(), "FRA50-1"), p.dial(t, l.Addr(), "FRA50-2")
	connected(t, greedy)
	connected(t, modest)
	ctx, enough := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 2 * mostWants.all {
		asking.Go(func() {
			_, err := greedy.Ask(ctx, []byte("hold"))
			refused <- err
		})
	}
	for range mostWants.each {
		if who := <-entered; who != "FRA50-1" {
			t.Fatalf("%s is served", who)
		}
	}
	for range 2*mostWants.all - mostWants.each {
		if err := <-refused; !errors.Is(err, journal.ErrBusy) {
			t.Fatalf("beyond its share: %v", err)
		}
	}
	got, err := modest.Ask(t.Context(), []byte("a word"))
	if err != nil || string(got) != "to FRA50-2: a word" {
		t.Errorf("%q, %v", got, err)
	}
	enough()
	asking.Wait()
	close(hold)
	if who := <-entered; who != "FRA50-2" || len(entered) > 0 {
		t.Errorf("%s is served, and %d more", who, len(entered))
	}
	// Nobody asks in another's name.
	b, _ := json.Marshal(want{"FRA50-1", []byte("a word")})
	m, err := modest.nc.RequestWithContext(t.Context(), wantPrefix+token("FRA50-2"), b)
	if err != nil || !strings.Contains(string(m.Data), "does not speak for itself") {
		t.Errorf("%v, %v", m, err)
	}
}
