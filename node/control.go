package node

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/telemetry"
)

// Control runs a control node: the API, the console, and the journal, for edges on other machines. An error is for the
// user: it says what to do.
func Control(ctx context.Context, c Config) error {
	resolve, err := origins(c)
	if err != nil {
		return err
	}
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c.Edges, c.EdgesHTTPS, c.Demo = nil, nil, off
	ls, err := openListeners(c)
	if err != nil {
		return err
	}
	defer ls.close()
	if _, err := c.peers(); err != nil {
		return err
	}
	nats, err := c.external()
	if err != nil {
		return err
	}
	d := &process{Config: c, ls: ls, resolve: resolve, metrics: telemetry.New(), state: newHealth()}
	front := newPhase(context.WithoutCancel(ctx))
	d.startTelemetry(front) // before the journal is there: who watches wants to know what is waited for
	return errors.Join(d.runFront(ctx, front, nats), front.stop())
}

// runFront gets what comes before the journal, and runs the rest. Each of it may wait for other machines for as long as it takes.
func (d *process) runFront(ctx context.Context, front *phase, nats *jetstream.External) error {
	c := d.Config
	if err := c.enter(ctx); err != nil {
		return err
	}
	fresh := !exists(filepath.Join(c.Data, "authority", "authority.pem"))
	authority, err := admission.OpenAuthority(filepath.Join(c.Data, "authority"), nil)
	if err != nil {
		return err
	}
	gate := &gate{c: c, authority: authority}
	if d.who, err = newCredentials(c, gate.authority.Secret()); err != nil {
		return err
	}
	network, err := gate.network()
	if err != nil {
		return err
	}
	cluster, err := c.cluster(gate.authority)
	if err != nil {
		return err
	}
	switch {
	case cluster != nil:
		d.serveDoor(front)
		cluster.Waiting = d.waiting
	case nats != nil:
		d.serveDoor(front)
		d.Name, nats.Waiting, nats.Joined, nats.New = nats.Node, d.waiting, c.joins(), fresh
	}
	return d.runJournal(ctx, gate, jetstream.Config{Network: network, Cluster: cluster, External: nats})
}

// runJournal opens the journal and runs the rest over it.
func (d *process) runJournal(ctx context.Context, g *gate, where jetstream.Config) error {
	log, err := d.openJournal(ctx, where)
	if err != nil {
		return fmt.Errorf("journal: %w", errors.Join(ctx.Err(), err)) // stopped while it waited, for whatever that says, is no failure
	}
	if err := d.arrived(); err != nil {
		return errors.Join(err, log.Close())
	}
	d.log, d.health, g.log = log, log.Health, log
	return errors.Join(d.runControl(ctx, log, g), log.Close())
}

// waiting tells people and clients what the journal waits for.
func (d *process) waiting(why string) {
	if why == "" {
		return
	}
	fmt.Fprintf(d.Out, "Not serving yet: %s.\n", why)
	d.door.waits(why)
	d.state.waits(why)
}

// runControl is the same as process.run, with a desk for edges where that has edges.
func (d *process) runControl(ctx context.Context, log *jetstream.Log, g *gate) (err error) {
	base := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, base.stop()) }()
	if err := d.startControl(ctx, base); err != nil {
		return err
	}
	if err := d.buryDeadEdges(ctx); err != nil {
		return err
	}
	if g.c.Advertise, err = advertised(d.Advertise, log.Addr()); err != nil {
		return err
	}
	d.fleet = &fleet{log: log, edges: log, control: d.control}
	g.control.Store(d.control) // from here on edges are let in
	admit := func(ctx context.Context, line string, a jetstream.Application) (*jetstream.Admission, error) {
		given, err := g.admit(ctx, line, a)
		if err == nil {
			log.Disconnect(given.Edge) // who had the name before
		}
		return given, err
	}
	closeDesk, err := log.ServeEdges(jetstream.Desk{
		Join: d.control.JoinAdmitted, Leave: d.leave, Tick: d.control.Tick, Admit: admit, Renew: g.renew,
		Answer: d.wanted, Shown: g.shown, Enter: g.enter, Addresses: g.told, Version: d.Version,
	})
	if err != nil {
		return err
	}
	defer closeDesk()
	d.gate = g
	d.metrics.Ends("authority", g.authority.Expires)
	doors := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, doors.stop()) }()
	if err := d.startDoors(doors); err != nil {
		return err
	}
	doors.run(func(ctx context.Context) error { return d.fleet.listen(ctx, d.meter) })
	doors.run(d.cutStrangers)
	doors.run(log.Halted)
	d.state.is(log.Health)
	defer d.state.waits(stopping)
	d.ready.Journal, _ = g.addresses()
	if err := d.announce(); err != nil {
		return err
	}
	defer d.retract()
	return d.untilStopped(ctx, base, doors)
}

// advertised is where edges find the journal: what the operator says, or the address itself if that can be dialled.
func advertised(given []string, listening string) ([]string, error) {
	for _, a := range given {
		if _, port, err := net.SplitHostPort(a); err != nil || port == "" || port == "0" {
			return nil, fmt.Errorf("--advertise %q is not an address: write host:port, as in control1.example.com:4443", a)
		}
	}
	if len(given) > 0 {
		return given, nil
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("--advertise is needed: this machine's name is not known: %w", err)
		}
	}
	return []string{net.JoinHostPort(host, port)}, nil
}

// gate knows whom the journal's network lets in.
type gate struct {
	c         Config
	authority *admission.Authority
	log       *jetstream.Log
	entries   entries
	control   atomic.Pointer[control.Control] // nil until it has read the journal: nobody is let in
}

func (g *gate) network() (*jetstream.Network, error) {
	if _, _, err := net.SplitHostPort(g.c.Journal); err != nil {
		return nil, fmt.Errorf("--journal %q is not an address: write host:port, for example 0.0.0.0:4443", g.c.Journal)
	}
	t, err := g.authority.Control()
	if err != nil {
		return nil, err
	}
	n := &jetstream.Network{Address: g.c.Journal, TLS: t, Admit: g.who, Sign: g.authority.SignPush}
	given, err := advertised(g.c.Advertise, g.c.Journal)
	if err != nil {
		return nil, err
	}
	if _, port, _ := net.SplitHostPort(given[0]); port != "0" {
		n.Advertise = given[0]
	}
	return n, nil
}

// who is jetstream.Network.Admit.
func (g *gate) who(c *tls.ConnectionState, token string) *jetstream.Peer {
	x := g.control.Load()
	if x == nil {
		return nil
	}
	if edge, serial, ok := admission.Who(c); ok {
		if g.shown(jetstream.Shown{Edge: edge, Serial: serial}) {
			return &jetstream.Peer{Edge: edge}
		}
		return nil
	}
	if relay, serial, ok := admission.WhoRelay(c); ok {
		if a, ok := x.Admitted(relay); ok && a.Shows(serial) {
			return &jetstream.Peer{Edge: relay, Relay: true}
		}
		return nil
	}
	if g.entries.known(token) {
		return &jetstream.Peer{Token: token}
	}
	if i, ok := x.Invited(token); ok {
		return &jetstream.Peer{Token: i.Token}
	}
	return nil
}

// shown is jetstream.Desk.Shown.
func (g *gate) shown(s jetstream.Shown) bool {
	a, ok := g.control.Load().Admitted(s.Edge)
	return ok && a.Shows(s.Serial) && !admission.IsRelay(s.Edge)
}

// admit is jetstream.Desk.Admit.
func (g *gate) admit(ctx context.Context, line string, a jetstream.Application) (*jetstream.Admission, error) {
	t, err := admission.ParseToken(line)
	if err != nil {
		return nil, err
	}
	x := g.control.Load()
	i, _ := x.Invited(t.ID) // an unknown one is refused below, by name
	der, serial, err := g.authority.Sign(a.Request, i.Edge)
	if err != nil {
		return nil, err
	}
	if err := x.AdmitEdge(ctx, t.ID, t.Hash(), serial); err != nil {
		var no *control.Error
		if errors.As(err, &no) {
			err = errors.New(no.Message)
		}
		return nil, err
	}
	addresses, _ := g.addresses()
	return &jetstream.Admission{
		Protocol: jetstream.Protocol, Version: g.c.Version, Now: time.Now().UTC(),
		Edge: i.Edge, Location: i.Location, Certificate: der, Root: g.authority.Root(), Addresses: addresses,
	}, nil
}

// renew is jetstream.Desk.Renew.
func (g *gate) renew(ctx context.Context, r jetstream.Renewal) (*jetstream.Renewed, error) {
	a := &jetstream.Renewed{Authority: g.authority.Fingerprint()}
	if len(r.Request) == 0 {
		return a, nil
	}
	der, serial, err := g.authority.Sign(r.Request, r.Edge)
	if err != nil {
		return nil, err
	}
	if err := g.control.Load().RenewEdge(ctx, r.Edge, r.Serial, serial); err != nil {
		var no *control.Error
		if errors.As(err, &no) {
			err = errors.New(no.Message)
		}
		return nil, err
	}
	a.Certificate, a.Root = der, g.authority.Root()
	return a, nil
}

// token makes a token for an edge.
func (g *gate) token(ctx context.Context, by journal.Actor, w ownapi.EdgeWish) (ownapi.EdgeToken, error) {
	addresses, _ := g.addresses()
	t := admission.Token{Relay: admission.IsRelay(w.Edge), Addresses: addresses, Root: g.authority.Fingerprint(), ID: rand.Text()[:12], Secret: rand.Text()}
	i := control.Invitation{Token: t.ID, Hash: t.Hash(), Edge: w.Edge, Location: w.Location, Expires: time.Now().Add(w.Life)}
	if i.Location == "" && !admission.IsRelay(i.Edge) {
		i.Location = control.LocationOf(i.Edge)
	}
	if err := g.control.Load().InviteEdge(ctx, by, i); err != nil {
		return ownapi.EdgeToken{}, err
	}
	return ownapi.EdgeToken{Token: t.String(), Edge: i.Edge, Location: i.Location, Expires: i.Expires}, nil
}
