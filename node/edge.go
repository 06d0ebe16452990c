package node

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/telemetry"
)

// Edge runs one edge, which follows the journal of control nodes on other machines. At its first start it needs a token; from
// then on its data directory says who it is. An error is for the user: it says what to do.
func Edge(ctx context.Context, c Config) error {
	resolve, err := origins(c)
	if err != nil {
		return err
	}
	if err := c.checkTier(); err != nil {
		return err
	}
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c.Control, c.Demo = off, off
	ls, err := openListeners(c)
	if err != nil {
		return err
	}
	defer ls.close()
	if err := c.checkRelays(); err != nil {
		return err
	}
	who, err := c.identity(ctx, anEdge)
	if err != nil {
		return err
	}
	log, err := jetstream.Dial(jetstream.RemoteConfig{
		Addresses: who.Addresses, TLS: who.TLS(), Edge: who.Edge, Version: c.Version, Logger: c.Logger.With("role", "journal"),
		Relays: c.Relays, RelayTLS: who.ToRelay(), Pushed: who.Pushed,
		Serial: who.Serial, Moved: c.moved(who),
	})
	if err != nil {
		return err
	}
	c.Limits = fit(c.Limits, len(ls.edges)+len(ls.secure), descriptors(), c.Logger)
	d := &process{Config: c, ls: ls, log: log, resolve: resolve, join: log.Join, leave: log.Leave, purge: purgeFrom(log)}
	return errors.Join(d.runEdge(ctx, log, who), log.Close())
}

// moved keeps where the control nodes are now, for the next start.
func (c *Config) moved(who *admission.Identity) func([]string) {
	return func(addresses []string) {
		if err := who.Move(addresses); err != nil {
			c.Logger.Warn("where the control nodes are cannot be kept", "err", err)
		}
	}
}

// runEdge starts the edge and waits until it may serve, for as long as there is no control plane.
func (d *process) runEdge(ctx context.Context, log *jetstream.Remote, who *admission.Identity) (err error) {
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	d.metrics, d.meter = telemetry.New(), ownapi.NewMeter(nil)
	base := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, base.stop()) }()
	if err := d.openCertificates(ctx, base); err != nil {
		return err
	}
	if err := d.startAccessLog(base); err != nil {
		return err
	}
	d.relateTo(who)
	edges := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, edges.stop()) }()
	if err := d.startPlace(0, who.Edge, who.Location, edges); err != nil {
		return err
	}
	stopAnswers, err := log.Answer(func(ctx context.Context, q []byte) []byte { return d.answer(ctx, q, drain) })
	if err != nil {
		return err
	}
	defer stopAnswers()
	doors := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, doors.stop()) }()
	d.metrics.Ends("edge", who.Expires)
	d.startTelemetry(doors)
	doors.run((&renewer{who: who, ask: log.Renew, log: d.Logger.With("role", "admission")}).run)
	if err := d.awaitControl(ctx, log, edges); err != nil {
		return err
	}
	if err := d.announceEdge(who); err != nil {
		return err
	}
	defer d.retract()
	return d.untilStopped(ctx, base, edges, doors)
}

// awaitControl waits until the edge may serve. Without a control plane that is never, and no reason to give up:
// who restarts everything after a failure of the power does not do it in order.
func (d *process) awaitControl(ctx context.Context, log *jetstream.Remote, p *phase) error {
	pl, asked := d.places[0], uint64(0)
	return p.until(ctx, readiness{
		ready:    pl.edge.Ready,
		progress: func() uint64 { asked++; return asked },
		slow: func() {
			why := log.Connected()
			if why == nil {
				why = pl.edge.Ready()
			}
			fmt.Fprintf(d.Out, "Not serving yet, entry %d: %v.\n", pl.edge.Stats().Seq, why)
		},
	})
}

// serves is what a load balancer wants to know of an edge on a machine of its own: whether it has joined. One that is cut off from
// the control plane revalidates (L5), and if that were a reason not to send it viewers, all would be without any at once.
func (pl *place) serves() error {
	if pl.edge.Stats().Joined {
		return nil
	}
	return pl.edge.Ready()
}

func (d *process) edgeState() *edgeState {
	pl := d.places[0]
	s := &edgeState{Version: d.Version, URL: url(pl.l), Stats: pl.edge.Stats()}
	if pl.secure != nil {
		s.HTTPS = secureURL(pl.secure)
	}
	s.Hits, s.Misses = d.metrics.Traffic(pl.name)
	if err := pl.edge.Ready(); err != nil {
		s.NotReady = err.Error()
	}
	return s
}

func (d *process) announceEdge(who *admission.Identity) error {
	d.ready.PID, d.ready.Version, d.ready.Data, d.ready.Journal = os.Getpid(), d.Version, d.Data, who.Addresses
	if err := d.ready.write(d.ReadyFile); err != nil {
		return err
	}
	d.ready.announceEdge(d.Out)
	return nil
}

// untilStopped waits for the end of ctx or for what fails; the phases' stop gives the reason of that.
func (d *process) untilStopped(ctx context.Context, phases ...*phase) error {
	if d.serving != nil {
		go d.serving(d)
	}
	failed := make(chan struct{}, len(phases))
	for _, p := range phases {
		stop := context.AfterFunc(p.ctx, func() { failed <- struct{}{} })
		defer stop()
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.Out, "Stopping.")
	case <-failed:
	}
	return nil
}
