package jetstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

const relayHost = "relay.test"

// signed is a network whose pushes are signed by the pki's root, and whose relays are known by their name.
func (p *pki) signed(t *testing.T) *Network {
	n := p.network(t)
	n.Sign = func(entry []byte) ([]byte, error) {
		sum := sha256.Sum256(entry)
		return ecdsa.SignASN1(rand.Reader, p.key, sum[:])
	}
	admit := n.Admit
	n.Admit = func(c *tls.ConnectionState, token string) *Peer {
		peer := admit(c, token)
		if peer != nil && peer.Edge == "relay.1" {
			peer.Relay = true
		}
		return peer
	}
	return n
}

func (p *pki) pushed(entry, signature []byte) bool {
	sum := sha256.Sum256(entry)
	return ecdsa.VerifyASN1(&p.key.PublicKey, sum[:], signature)
}

// relay starts one that goes to that control node.
func (p *pki) relay(t *testing.T, control string) (r *Relay, address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := p.dial(t, control, "relay.1")
	connected(t, up)
	r = NewRelay(RelayConfig{
		Listener: l, Up: up,
		TLS: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool, Certificates: []tls.Certificate{p.sign(t, &x509.Certificate{
			DNSNames: []string{relayHost}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})}},
		Who: func(c *tls.ConnectionState) (edge, serial string, ok bool) {
			leaf := c.PeerCertificates[0]
			return leaf.Subject.CommonName, leaf.SerialNumber.Text(16), true
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the relay ended: %v", err)
		}
		up.Close()
	})
	t.Cleanup(stop)
	return r, l.Addr().String(), stop
}

// through dials by way of relays.
func (p *pki) through(t *testing.T, relays []string, control, name string) *Remote {
	t.Helper()
	way := p.edge(t, name)
	to := way.Clone()
	to.ServerName = relayHost
	r, err := Dial(RemoteConfig{Addresses: []string{control}, TLS: way, Edge: name, Version: "test", Relays: relays, RelayTLS: to, Pushed: p.pushed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// carried waits until a relay carries the edge's connection. On a machine that is busy for seconds it may have gone to a control node, and would
// come back with its probes.
func carried(t *testing.T, edge *Remote, by *Relay) {
	t.Helper()
	eventually(t, "a relay carries the connection", func() bool {
		switch {
		case edge.Connected() != nil:
			return false
		case !edge.routes.relayed():
			edge.nc.ForceReconnect()
			return false
		}
		return by.Stats().Tunnels == 1
	})
}

func everybody(Shown) bool { return true }

// heard collects what a log hears live.
type heard struct {
	mu  sync.Mutex
	all []*journal.Entry
}

func (h *heard) take(e *journal.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, e)
}

func (h *heard) has(id journal.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.all, func(e *journal.Entry) bool { return e.ID == id })
}

func live(t *testing.T, l journal.Log) *heard {
	t.Helper()
	h := &heard{}
	stop, err := l.Live(h.take)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return h
}

// appendNext appends an entry behind the last one.
func appendNext(t *testing.T, l *Log) *journal.Entry {
	t.Helper()
	var last *journal.Entry
	for from := uint64(1); ; from = last.Seq + 1 {
		got, err := l.Read(t.Context(), from, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
		last = got[len(got)-1]
	}
	e := &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Now().UTC(), Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
	if err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// hears waits until one that was appended just now has been heard: a push may be lost while an edge goes elsewhere.
func hears(t *testing.T, what string, l *Log, h *heard) {
	t.Helper()
	var all []journal.ID
	eventually(t, what, func() bool {
		if slices.ContainsFunc(all, h.has) {
			return true
		}
		all = append(all, appendNext(t, l).ID)
		return false
	})
}

// The suite of all logs, with a relay between the edges' part and the control plane.
func TestLog_ThroughARelay(t *testing.T) {
	p := newPKI(t)
	journaltest.Run(t, func(t *testing.T) journaltest.Subject {
		dir, network := t.TempDir(), p.signed(t)
		network.Address = lasting.Address()
		b := &both{control: open(t, Config{Dir: dir, Network: network}), pki: p, t: t, edges: map[string]*Remote{}}
		desk(t, b.control, Desk{Shown: everybody})
		r, at, _ := p.relay(t, network.Address)
		b.Remote = p.through(t, []string{at}, network.Address, "FRA50-1")
		carried(t, b.Remote, r)
		reopen := func(t *testing.T, meanwhile func()) journal.Log {
			before := b.nc.Stats().Reconnects
			b.control.Close()
			meanwhile()
			b.control = open(t, Config{Dir: dir, Network: network})
			desk(t, b.control, Desk{Shown: everybody})
			eventually(t, "a new connection", func() bool { return b.nc.Stats().Reconnects > before && b.Connected() == nil })
			return b
		}
		return subjectIn(&dir, b, reopen)
	})
}

// A control node writes what is pushed to the relay alone; when that is lost, to its edges, until there is another.
func TestRelay_LostAndBack(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.signed(t)})
	desk(t, l, Desk{Shown: everybody})
	r, first, stop := p.relay(t, l.Addr())
	s, second, _ := p.relay(t, l.Addr())
	edge := p.through(t, []string{first, second}, l.Addr(), "FRA50-1")
	connected(t, edge)
	h := live(t, edge)
	eventually(t, "a relay passes on", func() bool { return r.Stats().Edges+s.Stats().Edges == 1 && edge.relayed.on.Load() })
	hears(t, "through a relay", l, h)
	stop()
	carried(t, edge, s)
	eventually(t, "the second relay passes on", func() bool { return s.Stats().Edges == 1 })
	hears(t, "through the other one", l, h)
}

// Without any relay, an edge goes to the control nodes themselves.
func TestRelay_NoneIsThere(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.signed(t)})
	desk(t, l, Desk{Shown: everybody})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	edge := p.through(t, []string{gone.Addr().String()}, l.Addr(), "FRA50-1")
	connected(t, edge)
	h := live(t, edge)
	hears(t, "a push", l, h)
	if err := Knock([]string{l.Addr()}, []string{gone.Addr().String()}, p.edge(t, "FRA50-1"), "FRA50-1"); err != nil {
		t.Errorf("it is not let in: %v", err)
	}
}

// Who is no edge any more hears nothing from a relay, from then on.
func TestRelay_WhoIsRemovedHearsNothing(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.signed(t)})
	var mu sync.Mutex
	removed := ""
	desk(t, l, Desk{Shown: func(s Shown) bool {
		mu.Lock()
		defer mu.Unlock()
		return s.Edge != removed
	}})
	r, at, _ := p.relay(t, l.Addr())
	edge, other := p.through(t, []string{at}, l.Addr(), "FRA50-1"), p.through(t, []string{at}, l.Addr(), "FRA50-2")
	live(t, edge)
	live(t, other)
	eventually(t, "both hear", func() bool { return r.Stats().Edges == 2 })
	mu.Lock()
	removed = "FRA50-1"
	mu.Unlock()
	last := appendNext(t, l)
	gone := &journal.Entry{Epoch: last.Epoch, Seq: last.Seq + 1, ID: journal.NewID(), Prev: last.ID, Time: time.Now().UTC(),
		Facts: []journal.Fact{{EdgeRemoved: &journal.EdgeRemoved{Edge: "FRA50-1"}}}}
	if err := l.Append(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one does not hear any more", func() bool { return !edge.relayed.on.Load() })
	eventually(t, "the other one does", func() bool { return other.relayed.on.Load() && r.Stats().Edges == 1 })
}

// A relay that lies is believed nothing.
func TestRelay_ThatForges(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.signed(t)})
	desk(t, l, Desk{Shown: everybody})
	fake, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	show := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool, Certificates: []tls.Certificate{p.sign(t, &x509.Certificate{
		DNSNames: []string{relayHost}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})}}
	first, err := l.Read(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	forged := &journal.Entry{Epoch: first[0].Epoch, Seq: 2, ID: journal.NewID(), Prev: first[0].ID, Time: time.Now().UTC(), Facts: []journal.Fact{{Tick: &journal.Tick{}}}}
	entry, err := journal.Encode(forged)
	if err != nil {
		t.Fatal(err)
	}
	signature, _ := p.signed(t).Sign([]byte("something else"))
	told := make(chan struct{}, 16)
	go func() {
		for {
			c, err := fake.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var hi [4]byte
				if _, err := io.ReadFull(c, hi[:]); err != nil || hi[3] != wantsPushes {
					return // and carries nobody
				}
				s := tls.Server(c, show)
				s.Write(heartbeat)
				s.Write(frame(signature, entry))
				io.Copy(io.Discard, s) // until the edge has had enough
				told <- struct{}{}
			}()
		}
	}()
	edge := p.through(t, []string{fake.Addr().String()}, l.Addr(), "FRA50-1")
	h := live(t, edge)
	select {
	case <-told:
	case <-time.After(2 * time.Minute):
		t.Fatal("the edge goes on listening to it")
	}
	connected(t, edge) // by itself
	hears(t, "the control node's pushes", l, h)
	if h.has(forged.ID) {
		t.Error("the forged entry was believed")
	}
}

// What a relay may not do, the engine refuses, whatever the relay's program is.
func TestRelay_MayOnlyHear(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.signed(t)})
	desk(t, l, Desk{Shown: everybody})
	refused := make(chan error, 100)
	nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(p.edge(t, "relay.1")), nats.CustomInboxPrefix(inbox+"_"+token("relay.1")),
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
	own := token("relay.1")
	for _, subject := range []string{
		logSubject, pushSubject, ackPrefix + "FRA50-1", ackPrefix + own, probePrefix + own, probePrefix + "FRA50-1", readPrefix + own, readPrefix + "FRA50-1",
		partPrefix + "FRA50-1", wantPrefix + own, wantPrefix + "FRA50-1", relayPrefix + "other", application, entering, directGet,
		askInbox + ".FRA50-1.x",
	} {
		nc.Publish(subject, nil)
		wait("publish to " + subject)
	}
	for _, subject := range []string{">", ackPrefix + "*", logSubject, askPrefix + "FRA50-1", inbox + "_FRA50-1.>"} {
		nc.SubscribeSync(subject)
		wait("subscribe to " + subject)
	}
}

// An edge that does not read what a control node sends is not carried on when that has ended the connection; another one is, to the last octet.
func TestRelay_CarriesNobodyWhoDoesNotRead(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			edge, a := net.Pipe()
			b, control := net.Pipe()
			defer edge.Close()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				carryBoth(t.Context(), a, b)
			}()
			sent, got := bytes.Repeat([]byte("0123456789"), 2*mostCarried), make(chan []byte, 1)
			go func() {
				if !reads {
					return
				}
				all, _ := io.ReadAll(edge)
				got <- all
			}()
			go func() {
				control.Write(sent)
				control.Close()
			}()
			<-ended
			if reads && !bytes.Equal(<-got, sent) {
				t.Error("the edge did not get what was sent")
			}
		})
	}
}

// A certificate that was an edge's once can be shown to a relay as often as somebody likes: the edge itself goes on hearing.
func TestRelay_WhoIsNotKnownTakesNoPlace(t *testing.T) {
	r := NewRelay(RelayConfig{})
	var cut []string
	come := func(serial string, known bool) {
		x := &listener{Shown: Shown{"FRA50-1", serial}, cut: func() { cut = append(cut, serial) }}
		if r.add(x); known {
			r.believe(x)
		}
	}
	come("edge", true)
	for _, serial := range []string{"a", "b", "c", "d", "e"} {
		come(serial, false)
	}
	come("edge again", true)
	for range mostListeners {
		come("another", true)
	}
	if want := []string{"a", "b", "edge", "edge again"}; !slices.Equal(cut, want) {
		t.Errorf("cut %q, want %q", cut, want)
	}
	if some := r.after(""); len(some) != mostListeners || slices.ContainsFunc(some, func(x *listener) bool { return x.Serial != "another" }) {
		t.Errorf("asked about %d", len(some))
	}
}

func TestRelayed_Judge(t *testing.T) {
	r := &relayed{}
	r.on.Store(true)
	for z := uint64(10); z < 20; z++ {
		r.seq.Store(z) // of the last but one probe, at least
		r.judge(z + 1)
	}
	if r.leave.Load() {
		t.Error("a relay that passes on is left")
	}
	for z := uint64(30); z < 30+mostSilent; z++ {
		if r.leave.Load() {
			t.Errorf("left at once, with %d", z)
		}
		r.judge(z)
	}
	if r.judge(40); !r.leave.Load() {
		t.Error("a relay that keeps back is not left")
	}
}

func TestRoutes_RelaysFirst(t *testing.T) {
	r := newRoutes([]string{"r1", "r2"}, []string{"c1", "c2"})
	for range 50 {
		var all []hop
		for range 4 {
			all = append(all, r.next())
		}
		if !all[0].relay || !all[1].relay || all[2].relay || all[3].relay || all[0] == all[1] || all[2] == all[3] {
			t.Fatalf("%v", all)
		}
	}
	was := r.next()
	r.settled()
	if now := r.next(); now == was || !now.relay {
		t.Errorf("after %v comes %v", was, now)
	}
}

func TestFrame(t *testing.T) {
	var b bytes.Buffer
	b.Write(heartbeat)
	b.Write(frame([]byte("sig"), []byte("entry")))
	b.Write(frame(nil, nil))
	in := bufio.NewReader(&b)
	for i, want := range [][2]string{{"", ""}, {"sig", "entry"}, {"", ""}} {
		s, e, err := readFrame(in)
		if err != nil || string(s) != want[0] || string(e) != want[1] {
			t.Errorf("%d: %q %q %v", i, s, e, err)
		}
	}
	if _, _, err := readFrame(in); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if frame(make([]byte, 256), nil) != nil || frame(nil, make([]byte, journal.MaxEntry+1)) != nil {
		t.Error("one that is too large")
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(heartbeat)
	f.Add(frame([]byte("sig"), []byte("entry")))
	f.Add([]byte{0, 0, 0, 1, 9})
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, e, err := readFrame(bufio.NewReader(bytes.NewReader(b)))
		switch {
		case err != nil:
			return
		case s == nil && e == nil:
			if !bytes.HasPrefix(b, heartbeat) {
				t.Errorf("%x is no heartbeat", b)
			}
		case !bytes.HasPrefix(b, frame(s, e)):
			t.Errorf("%x gives %x and %x, which is %x", b, s, e, frame(s, e))
		}
	})
}
