package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/tier"
)

const (
	tierMost  = 4096            // questions of other edges at once
	tierDrain = 5 * time.Second // for answers that have begun, at the stop
)

// kinship is what an edge needs to ask others, and to be asked.
type kinship struct {
	who     *admission.Identity
	log     *slog.Logger                   // set with edge
	l       net.Listener                   // nil: it is not asked
	address string                         // where others find that
	known   func(edge, serial string) bool // nil: as the edge's journal says
	client  *tier.Client
	edge    *edge.Edge
}

// newKinship is for the edge that is about to be made; the edge itself is set when it is.
func newKinship(who *admission.Identity, l net.Listener, address string) *kinship {
	k := &kinship{who: who, l: l, address: address}
	k.client = tier.NewClient(func(edge string) *tls.Config { return k.who.Ask(edge, k.admitted) })
	return k
}

func (k *kinship) admitted(edge, serial string) bool {
	if k.known != nil {
		return k.known(edge, serial)
	}
	return k.edge.Admitted(edge, serial)
}

// run takes questions until ctx ends.
func (k *kinship) run(ctx context.Context) error {
	s := &tier.Server{
		Listener: k.l, TLS: k.who.Listen(), Most: tierMost, Drain: tierDrain, Logger: k.log,
		Who: func(c *tls.ConnectionState) (string, bool) {
			edge, serial, ok := admission.Who(c)
			return edge, ok && k.admitted(edge, serial)
		},
		Handle: func(ctx context.Context, from string, a *tier.Ask, w *tier.Writer) {
			k.edge.ServeChild(ctx, from, a, w)
		},
	}
	return s.Run(ctx)
}

// checkTier says what is wrong with what the operator says about that.
func (c *Config) checkTier() error {
	if c.TierAdvertise == "" {
		return nil
	}
	if c.Tier == "" || c.Tier == off {
		return errors.New("--tier-advertise is for --tier, which is off")
	}
	if _, port, err := net.SplitHostPort(c.TierAdvertise); err != nil || port == "" || port == "0" {
		return fmt.Errorf("--tier-advertise %q is not an address: write host:port, as in 192.0.2.1:4445", c.TierAdvertise)
	}
	return nil
}

// tierAddress is where other edges find the listener: what the operator says, or its address if that can be dialled.
func tierAddress(given string, l net.Listener) (string, error) {
	if given != "" {
		return given, nil
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return "", fmt.Errorf("--tier-advertise is needed: this machine's name is not known: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// relate makes the edges of this process able to ask each other: by certificates of an authority of its own, over the loopback
// interface.
func (d *process) relate() error {
	a, err := admission.OpenAuthority(filepath.Join(d.Data, "authority"), nil)
	if err != nil {
		return err
	}
	d.kin = func(name, location string, i int) (*kinship, error) {
		who, err := a.Local(name, location)
		if err != nil {
			return nil, err
		}
		k := newKinship(who, d.ls.tiers[i], d.ls.tiers[i].Addr().String())
		k.known = func(string, string) bool { return true } // nobody else has a certificate of it
		return k, nil
	}
	return nil
}

// relateTo makes the only edge of this process able to ask others.
func (d *process) relateTo(who *admission.Identity) {
	d.kin = func(string, string, int) (*kinship, error) {
		if len(d.ls.tiers) == 0 {
			return newKinship(who, nil, ""), nil
		}
		address, err := tierAddress(d.TierAdvertise, d.ls.tiers[0])
		return newKinship(who, d.ls.tiers[0], address), err
	}
}
