package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal/jetstream"
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// peers is what --peers and its companions say; nil: this control node is the only one.
func (c *Config) peers() (*jetstream.Cluster, error) {
	if len(c.Peers) == 0 {
		if c.Token != "" && len(c.NATS) == 0 {
			return nil, errors.New("--token is for one of several control nodes: give --name and --peers, or --nats, too")
		}
		return nil, nil
	}
	x := &jetstream.Cluster{Node: c.Name, Address: c.ClusterAddress, Admit: admission.IsControl}
	for _, p := range c.Peers {
		name, address, ok := strings.Cut(p, "=")
		if !ok || !nodeName.MatchString(name) {
			return nil, fmt.Errorf("--peers %q: write name=host:port for each control node, as in control1=10.0.0.1:4444", p)
		}
		x.Peers = append(x.Peers, jetstream.Peering{Node: name, Address: address})
		if name == c.Name && x.Address == "" {
			x.Address = address
		}
	}
	if !slices.ContainsFunc(x.Peers, func(p jetstream.Peering) bool { return p.Node == c.Name }) {
		return nil, fmt.Errorf("--name %q is not among --peers %s: say which of them this node is", c.Name, strings.Join(c.Peers, ","))
	}
	if err := x.Check(); err != nil {
		return nil, fmt.Errorf("--peers: %w", err)
	}
	if _, _, err := net.SplitHostPort(x.Address); err != nil {
		return nil, fmt.Errorf("--cluster-address %q is not an address: write host:port, for example 0.0.0.0:4444", x.Address)
	}
	return x, nil
}

// cluster is the same, with how this node shows itself to the others.
func (c *Config) cluster(a *admission.Authority) (*jetstream.Cluster, error) {
	x, err := c.peers()
	if x == nil || err != nil {
		return nil, err
	}
	x.Fresh = c.joins()
	x.TLS, err = a.Cluster()
	return x, err
}

// joins reports whether this control node has its papers from another one, and has not seen the journal yet.
func (c *Config) joins() bool { return exists(filepath.Join(c.Data, joining)) }

// arrived notes that a new control node has its replica.
func (c *Config) arrived() error {
	if err := os.Remove(filepath.Join(c.Data, joining)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// addresses are where edges find the control nodes, as far as this one knows; all is false while some have not said.
func (g *gate) addresses() (addresses []string, all bool) {
	addresses = slices.Clone(g.c.Advertise)
	others, all := g.log.Others()
	for _, a := range others {
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	return addresses, all
}

// told is what edges are told when they join: nothing while it is not all.
func (g *gate) told() []string {
	if a, all := g.addresses(); all {
		return a
	}
	return nil
}

// cutStrangers ends the connections of edges whose admission has ended or is another one, by whatever control node that was done.
func (d *process) cutStrangers(ctx context.Context) error {
	changes, stop := d.control.Watch()
	defer stop()
	serials := map[string]string{}
	for _, a := range d.control.AllAdmitted() {
		serials[a.Edge] = a.Serial
	}
	look := func(edge string) {
		a, _ := d.control.Admitted(edge)
		if was, ok := serials[edge]; ok && was != a.Serial {
			d.fleet.log.Disconnect(edge)
		}
		if serials[edge] = a.Serial; a.Serial == "" {
			delete(serials, edge)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case c, ok := <-changes:
			switch {
			case !ok:
				return nil
			case c.Kind == control.ChangeNode:
				look(c.ID)
			case c.Kind == control.ChangeMissed:
				for _, a := range d.control.AllAdmitted() {
					look(a.Edge)
				}
				for edge := range serials {
					look(edge)
				}
			}
		}
	}
}
