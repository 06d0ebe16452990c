package jetstream

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// Whatever an edge is called, it hears no answers that are another's.
func TestNetwork_NoNameIsTheInboxOfQuestions(t *testing.T) {
	for _, name := range []string{"ask", "_ask", "-ask", "", "ask.x", "*", ">"} {
		if p := permitEdge(token(name)).Subscribe.Allow; slices.Contains(p, askInbox+".>") {
			t.Errorf("an edge called %q may subscribe to %v", name, p)
		}
		if p := permitApplicant(token(name)).Subscribe.Allow; slices.Contains(p, askInbox+".>") {
			t.Errorf("a token called %q may subscribe to %v", name, p)
		}
	}
}

// However many connections somebody makes with an edge's certificate, the end of the admission ends them all.
func TestNetwork_DisconnectsAllThatAnEdgeHas(t *testing.T) {
	p := newPKI(t)
	n := p.network(t)
	admit := n.Admit
	var gone atomic.Bool
	n.Admit = func(c *tls.ConnectionState, token string) *Peer {
		if gone.Load() {
			return nil
		}
		return admit(c, token)
	}
	l := open(t, Config{Dir: t.TempDir(), Network: n})
	id := p.edge(t, "FRA50-1")
	var there []*nats.Conn
	for range maxNoted + 8 {
		nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(id), nats.CustomInboxPrefix(inbox+"_FRA50-1"), nats.NoReconnect())
		if err == nil {
			t.Cleanup(nc.Close)
			_, err = nc.RTT()
		}
		if err == nil {
			there = append(there, nc)
		}
	}
	if len(there) != maxNoted {
		t.Errorf("%d connections of one edge, want %d", len(there), maxNoted)
	}
	// Those that have ended make room.
	there[0].Close()
	eventually(t, "room for another", func() bool {
		nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(id), nats.CustomInboxPrefix(inbox+"_FRA50-1"), nats.NoReconnect())
		if err != nil {
			return false
		}
		t.Cleanup(nc.Close)
		there = append(there, nc)
		_, err = nc.RTT()
		return err == nil
	})
	gone.Store(true)
	l.Disconnect("FRA50-1")
	eventually(t, "the end of all", func() bool {
		return !slices.ContainsFunc(there, func(nc *nats.Conn) bool { return nc.IsConnected() })
	})
}

// A certificate that counts no more, since it was renewed and renewed again, is no way in, and no connection that was made with it
// goes on: whoever has stolen it could renew the edge's certificate by it. The edge's own is left alone.
func TestNetwork_DisconnectsWhatWasMadeWithAnOldCertificate(t *testing.T) {
	p := newPKI(t)
	n := p.network(t)
	var counts atomic.Pointer[x509.Certificate] // nil: any
	n.Admit = func(c *tls.ConnectionState, _ string) *Peer {
		if now := counts.Load(); now != nil && !now.Equal(c.PeerCertificates[0]) {
			return nil
		}
		return &Peer{Edge: "FRA50-1"}
	}
	l := open(t, Config{Dir: t.TempDir(), Network: n})
	connect := func(id *tls.Config) *nats.Conn {
		nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(id), nats.CustomInboxPrefix(inbox+"_FRA50-1"), nats.NoReconnect())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	before, now := p.edge(t, "FRA50-1"), p.edge(t, "FRA50-1")
	thief, edge := connect(before), connect(now)
	counts.Store(now.Certificates[0].Leaf)
	l.Disconnect("FRA50-1")
	eventually(t, "the end of the old one's", func() bool { return !thief.IsConnected() })
	if _, err := edge.RTT(); err != nil {
		t.Errorf("the edge itself: %v", err)
	}
}

// An admission that ends while a connection is being let in ends that, too.
func TestNetwork_AdmissionEndsMeanwhile(t *testing.T) {
	p := newPKI(t)
	n := p.network(t)
	admit := n.Admit
	var l *Log
	var once sync.Once
	gone := false
	n.Admit = func(c *tls.ConnectionState, token string) *Peer {
		if gone {
			return nil
		}
		peer := admit(c, token)
		if peer != nil && peer.Edge != "" {
			once.Do(func() { gone = true; l.Disconnect(peer.Edge) })
		}
		return peer
	}
	l = open(t, Config{Dir: t.TempDir(), Network: n})
	nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(p.edge(t, "FRA50-1")), nats.CustomInboxPrefix(inbox+"_FRA50-1"), nats.NoReconnect())
	if err == nil {
		_, err = nc.RTT()
		nc.Close()
	}
	if err == nil {
		t.Error("an edge is connected whose admission has ended")
	}
}

// Who has a token cannot take all connections that there are.
func TestNetwork_ApplicantsAreFew(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	anonymous := &tls.Config{RootCAs: p.pool, ServerName: controlHost}
	there := 0
	for range maxApplicants + 4 {
		nc, err := nats.Connect("tls://"+l.Addr(), unhurried, nats.Secure(anonymous), nats.Token("known"), nats.CustomInboxPrefix(inbox+"_known"), nats.NoReconnect())
		if err != nil {
			continue
		}
		t.Cleanup(nc.Close)
		if _, err := nc.RTT(); err == nil {
			there++
		}
	}
	if there != maxApplicants {
		t.Errorf("%d connections with a token, want %d", there, maxApplicants)
	}
	connected(t, p.dial(t, l.Addr(), "FRA50-1"))
}

// All edges that a control node has room for acknowledge the same entry at once. What came while it was busy with another was dropped
// beyond 4,096, and Completed waited for what is sent again.
func TestAcks_OfAllEdgesHaveRoom(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	held := make(chan struct{})
	var got atomic.Int64
	stop, err := l.Acks(func(journal.Ack) {
		<-held
		got.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	for range maxConnections {
		if err := l.Ack(t.Context(), journal.Ack{Edge: "FRA50-1", Incarnation: "i", Seq: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.engine.nc.Flush(); err != nil { // they have come: the answer is behind them
		t.Fatal(err)
	}
	release()
	if err := l.Ack(t.Context(), journal.Ack{Edge: "FRA50-1", Incarnation: "i", Seq: 2}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "every acknowledgement is heard", func() bool { return got.Load() > maxConnections })
}
