package fleet

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// gate is a control node's door for edges on other machines, with an authority of its own.
type gate struct {
	dir       string // of the authority
	authority *admission.Authority
	log       *jetstream.Log
}

// openGated opens a log whose edges come over the network, with TLS and a certificate each.
func openGated(ctx context.Context, dir string) (*gate, error) {
	at := filepath.Join(dir, "authority")
	authority, err := admission.OpenAuthority(at, nil)
	if err != nil {
		return nil, err
	}
	show, err := authority.Control()
	if err != nil {
		return nil, err
	}
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: filepath.Join(dir, "journal"), Network: &jetstream.Network{
		Address: "127.0.0.1:0", TLS: show, Sign: authority.SignPush, Admit: Admit,
	}})
	if err != nil {
		return nil, err
	}
	return &gate{at, authority, log}, nil
}

// Admit is who has a certificate of the authority: edges and relays.
func Admit(c *tls.ConnectionState, _ string) *jetstream.Peer {
	if edge, _, ok := admission.Who(c); ok {
		return &jetstream.Peer{Edge: edge}
	}
	if relay, _, ok := admission.WhoRelay(c); ok {
		return &jetstream.Peer{Edge: relay, Relay: true}
	}
	return nil
}

// doors answers edges until stop, and tells where each comes to: each place has a line of its own.
func (g *gate) doors(ctx context.Context, c Config, plane *control.Control) (to post, stop func(), err error) {
	deaf, err := g.log.ServeEdges(jetstream.Desk{
		Join:  func(ctx context.Context, j journal.EdgeJoined, _ string) error { return joining(plane)(ctx, j) },
		Leave: plane.Leave, Tick: plane.Tick, Shown: func(jetstream.Shown) bool { return true },
	})
	if err != nil {
		return to, nil, err
	}
	layLines := c.Lines
	if layLines == nil {
		layLines = here
	}
	var ways []time.Duration
	for i := range c.places() {
		ways = append(ways, c.distance(i))
	}
	laid, err := layLines(ctx, g.log.Addr(), ways)
	if err != nil {
		deaf()
		return to, nil, err
	}
	relays := Laid{Stop: func() {}}
	if c.Relays > 0 {
		if relays, err = c.relays(ctx, g, laid.At); err != nil {
			deaf()
			laid.Stop()
			return to, nil, err
		}
	}
	to.Authority = g.dir
	for i := range c.Edges {
		to.At = append(to.At, laid.At[c.place(i)])
		if c.Relays > 0 {
			to.Relays = append(to.Relays, relays.At[c.place(i)])
		}
	}
	return to, func() {
		relays.Stop()
		deaf()
		laid.Stop()
	}, nil
}

// afar connects an edge as one on another machine is.
func afar(authority *admission.Authority, name, at string, relays ...string) (*seat, error) {
	who, err := authority.Local(name, name)
	if err != nil {
		return nil, err
	}
	c := jetstream.RemoteConfig{Addresses: []string{at}, TLS: who.TLS(), Edge: name}
	if len(relays) > 0 {
		c.Relays, c.RelayTLS, c.Pushed = relays, who.ToRelay(), who.Pushed
	}
	log, err := jetstream.Dial(c)
	if err != nil {
		return nil, err
	}
	s := &seat{Log: log, join: log.Join, leave: log.Leave, close: func() { log.Close() }}
	if len(relays) > 0 {
		s.relayed = log.Relayed
	}
	return s, nil
}

// joining is how an edge joins where the control plane is.
func joining(plane *control.Control) func(context.Context, journal.EdgeJoined) error {
	return func(ctx context.Context, j journal.EdgeJoined) error {
		_, err := plane.Join(ctx, j)
		return err
	}
}
