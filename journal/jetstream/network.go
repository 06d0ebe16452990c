package jetstream

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// Network opens a log to other machines. All members are required but Advertise.
type Network struct {
	Address string // host:port, port 0 takes a free one

	// Advertise is where edges find that, host:port; the nodes of a cluster tell each other, and the edges. Not required.
	Advertise string

	// TLS has this node's certificate, and as ClientCAs those whose clients' certificates count. Clients without a
	// certificate are let through the handshake: it is Admit that knows them, or does not.
	TLS *tls.Config

	// Admit says who has connected, by its verified certificate, if it has one, and by the token that it gave. nil:
	// nobody that we know; the connection is closed. It is called by the engine, concurrently, and must not block.
	Admit func(c *tls.ConnectionState, token string) *Peer

	// Sign signs what is pushed, for edges that hear it from a relay. Nil: they read it instead.
	Sign func(entry []byte) ([]byte, error)
}

// Peer is who is at the other end of a connection: an edge or a relay, by its name, or somebody with a token who may ask for
// nothing but to become one, or a control node.
type Peer struct {
	Edge  string
	Relay bool   // Edge is a relay's name
	Token string // its public half
}

// guard decides what each connection may do.
type guard struct {
	c   *Network
	own string         // what the connection of this process shows
	srv *server.Server // set before it starts

	mu    sync.Mutex
	edges map[string]map[uint64]func() bool // connections, by edge, each with whether it would be let in now; guarded by mu
}

func newGuard(c *Network) *guard {
	return &guard{c: c, own: rand.Text() + rand.Text(), edges: map[string]map[uint64]func() bool{}}
}

// options makes the engine listen and ask g.
func (g *guard) options(o *server.Options) error {
	if o.Host != "" {
		return fmt.Errorf("%w: Listen and Network exclude each other", ErrConfig)
	}
	host, port, err := net.SplitHostPort(g.c.Address)
	if err == nil {
		o.Port, err = enginePort(port)
	}
	if err != nil {
		return fmt.Errorf("%w: network address %q: %w", ErrConfig, g.c.Address, err)
	}
	o.Host, o.DontListen = host, false
	o.ClientAdvertise = g.c.Advertise
	o.TLSConfig = g.c.TLS.Clone()
	o.TLSConfig.MinVersion = tls.VersionTLS13
	o.TLSConfig.ClientAuth = tls.VerifyClientCertIfGiven
	o.TLSTimeout, o.AuthTimeout = 5, 5
	o.MaxConn = maxConnections
	o.NoFastProducerStall = true // an edge that does not read is cut, and waited for by nobody
	o.CustomClientAuthentication = g
	return nil
}

// maxConnections bounds the connections of other machines (L9); the engine refuses more.
const maxConnections = 16384

// Check implements server.Authentication.
func (g *guard) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	state := c.GetTLSConnectionState()
	if state == nil {
		// Only the connection of this process is without TLS.
		return subtle.ConstantTimeCompare([]byte(c.GetOpts().Token), []byte(g.own)) == 1
	}
	p := g.c.Admit(state, c.GetOpts().Token)
	switch {
	case p == nil:
		return false
	case p.Edge != "":
		shown := c.GetOpts().Token
		known := func() bool {
			again := g.c.Admit(state, shown)
			return again != nil && again.Edge == p.Edge && again.Relay == p.Relay
		}
		// Disconnect may have come before the connection was noted: then this is what sees that the admission has ended.
		if !g.note(p.Edge, c.GetID(), maxNoted, known) || !known() {
			return false
		}
		permit := permitEdge
		if p.Relay {
			permit = permitRelay
		}
		c.RegisterUser(&server.User{Username: p.Edge, Permissions: permit(token(p.Edge))})
	case !g.note(applicants, c.GetID(), maxApplicants, nil):
		return false
	default:
		c.RegisterUser(&server.User{Username: p.Token, Permissions: permitApplicant(token(p.Token))})
	}
	return true
}

// permitEdge is all that an edge may do, on subjects that end with its name.
func permitEdge(name string) *server.Permissions {
	return &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{pushSubject, inbox + "_" + name + ".>", askPrefix + name}},
		Publish: &server.SubjectPermission{Allow: []string{
			ackPrefix + name, probePrefix + name, readPrefix + name, partPrefix + name, wantPrefix + name,
			askInbox + "." + name + ".>", // answers to what it is asked
		}},
	}
}

// permitApplicant is all that somebody with a token may do.
func permitApplicant(name string) *server.Permissions {
	return &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{inbox + "_" + name + ".>"}},
		Publish:   &server.SubjectPermission{Allow: []string{application, entering}},
	}
}

// note remembers an edge's connection, so that it can be closed, and reports whether the edge may have another.
func (g *guard) note(edge string, id uint64, most int, known func() bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.edges[edge]) >= most {
		maps.DeleteFunc(g.edges[edge], func(id uint64, _ func() bool) bool { return g.srv.GetClient(id) == nil }) // ended
	}
	if len(g.edges[edge]) >= most {
		return false
	}
	if g.edges[edge] == nil {
		g.edges[edge] = map[uint64]func() bool{}
	}
	g.edges[edge][id] = known
	return true
}

// forget is the end of a connection's note.
func (g *guard) forget(edge string, id uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if delete(g.edges[edge], id); len(g.edges[edge]) == 0 {
		delete(g.edges, edge)
	}
}

// begin is for a new engine, which knows none of the connections.
func (g *guard) begin(srv *server.Server) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.srv = srv
	clear(g.edges)
}

// maxNoted is how many connections one edge may have at once (L9). It has one, and after failures of the network some that
// are dead and have not been found out; none is forgotten before it has ended, or it would outlive the admission.
const maxNoted = 64

// maxApplicants is how many connections there may be with tokens, all together (L9): those who have one, used up as it may be,
// cannot take the connections of the edges. They are noted under a name that no edge has.
const (
	maxApplicants = 256
	applicants    = ""
)

// Disconnect closes the connections of an edge that would not be let in any more: it has been removed, another machine has its place,
// or they were made with a certificate that counts no more.
func (l *Log) Disconnect(edge string) {
	if l.guard == nil {
		return
	}
	l.guard.mu.Lock()
	all := maps.Clone(l.guard.edges[edge])
	l.guard.mu.Unlock()
	for id, known := range all {
		if !known() {
			l.srv.DisconnectClientByID(id) // of one that has ended: an error that says so
			l.guard.forget(edge, id)
		}
	}
}

// Addr is where the engine listens, "" if it does not.
func (l *Log) Addr() string {
	if a := l.srv.Addr(); a != nil {
		return a.String()
	}
	return ""
}
