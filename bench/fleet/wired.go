package fleet

import (
	"context"
	"crypto/tls"
	"path/filepath"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// gate is a control node's door for edges on other machines, with an authority of its own.
type gate struct {
	authority *admission.Authority
	log       *jetstream.Log
}

// openGated opens a log whose edges come over the network, with TLS and a certificate each.
func openGated(ctx context.Context, dir string) (*gate, error) {
	authority, err := admission.OpenAuthority(filepath.Join(dir, "authority"), nil)
	if err != nil {
		return nil, err
	}
	show, err := authority.Control()
	if err != nil {
		return nil, err
	}
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: filepath.Join(dir, "journal"), Network: &jetstream.Network{
		Address: "127.0.0.1:0", TLS: show, Sign: authority.SignPush,
		Admit: func(c *tls.ConnectionState, _ string) *jetstream.Peer {
			if edge, _, ok := admission.Who(c); ok {
				return &jetstream.Peer{Edge: edge}
			}
			return nil
		},
	}})
	if err != nil {
		return nil, err
	}
	return &gate{authority, log}, nil
}

// serve answers the edges until stop.
func (g *gate) serve(plane *control.Control) (stop func(), err error) {
	return g.log.ServeEdges(jetstream.Desk{Join: joining(plane), Leave: plane.Leave, Tick: plane.Tick})
}

// seat connects an edge as one on another machine is, by a line of its own.
func (g *gate) seat(c Config, i int) (*seat, error) {
	name := nameOf(i)
	who, err := g.authority.Local(name, name)
	if err != nil {
		return nil, err
	}
	l, err := lay(g.log.Addr(), c.distance(i))
	if err != nil {
		return nil, err
	}
	log, err := jetstream.Dial(jetstream.RemoteConfig{Addresses: []string{l.Addr().String()}, TLS: who.TLS(), Edge: name})
	if err != nil {
		l.close()
		return nil, err
	}
	return &seat{Log: log, join: log.Join, leave: log.Leave, close: func() {
		log.Close()
		l.close()
	}}, nil
}

// joining is how an edge joins where the control plane is.
func joining(plane *control.Control) func(context.Context, journal.EdgeJoined) error {
	return func(ctx context.Context, j journal.EdgeJoined) error {
		_, err := plane.Join(ctx, j)
		return err
	}
}
