package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/telemetry"
)

// Relay runs a relay: edges come to it instead of the control nodes. At its first start it needs a token; from then on its data directory
// says who it is. An error is for the user: it says what to do.
func Relay(ctx context.Context, c Config) error {
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c.Control, c.Demo, c.Edges, c.Relays = off, off, nil, nil
	ls, err := openListeners(c)
	if err != nil {
		return err
	}
	defer ls.close()
	who, err := c.identity(ctx, aRelay)
	if err != nil {
		return err
	}
	up, err := jetstream.Dial(jetstream.RemoteConfig{
		Addresses: who.Addresses, TLS: who.TLS(), Edge: who.Edge, Version: c.Version, Logger: c.Logger.With("role", "journal"),
		Moved: c.moved(who),
	})
	if err != nil {
		return err
	}
	d := &process{Config: c, ls: ls, health: up.Connected}
	return errors.Join(d.runRelay(ctx, up, who), up.Close())
}

func (d *process) runRelay(ctx context.Context, up *jetstream.Remote, who *admission.Identity) (err error) {
	d.metrics = telemetry.New()
	d.metrics.Ends("relay", who.Expires)
	r := jetstream.NewRelay(jetstream.RelayConfig{
		Listener: d.ls.relay, TLS: who.Listen(), Who: admission.Who, Up: up, Logger: d.Logger.With("role", "relay"),
	})
	d.metrics.AddRelay(func() telemetry.RelayState {
		s := r.Stats()
		return telemetry.RelayState{Edges: s.Edges, Connections: s.Tunnels, Passed: s.Seq, Connected: up.Connected() == nil}
	})
	stopAnswers, err := up.Answer(func(_ context.Context, q []byte) []byte { return d.answerRelay(r, q) })
	if err != nil {
		return err
	}
	defer stopAnswers()
	p := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, p.stop()) }()
	p.run(r.Run)
	d.startTelemetry(p)
	p.run((&renewer{who: who, ask: up.Renew, log: d.Logger.With("role", "admission")}).run)
	ready := readiness{
		ready: up.Connected, progress: counting(),
		slow: func() { fmt.Fprintf(d.Out, "Not passing on yet: %v.\n", up.Connected()) },
	}
	if err := p.until(ctx, ready); err != nil {
		return err
	}
	d.ready.PID, d.ready.Version, d.ready.Data, d.ready.Journal = os.Getpid(), d.Version, d.Data, who.Addresses
	d.ready.Relay = foundAt(d.ls.relay)
	if err := d.ready.write(d.ReadyFile); err != nil {
		return err
	}
	d.ready.announceRelay(d.Out, aRelay.name(who))
	defer d.retract()
	return d.untilStopped(ctx, p)
}

// counting is a progress that never ends: who waits for a control plane waits as long as it takes.
func counting() func() uint64 {
	n := uint64(0)
	return func() uint64 { n++; return n }
}

// relayState is how a relay is.
type relayState struct {
	Version, Address string
	Edges, Tunnels   int
	Seq              uint64
}

// answerRelay answers what a control node asks.
func (d *process) answerRelay(r *jetstream.Relay, b []byte) []byte {
	var q question
	err := json.Unmarshal(b, &q)
	switch {
	case err != nil:
		return answer{Error: err.Error()}.encode()
	case q.Do != "state":
		return answer{Error: fmt.Sprintf("a relay does not know the question %q", q.Do)}.encode()
	}
	s := r.Stats()
	return answer{Relay: &relayState{d.Version, foundAt(d.ls.relay), s.Edges, s.Tunnels, s.Seq}}.encode()
}

// checkRelays looks at the addresses of relays.
func (c *Config) checkRelays() error {
	for _, a := range c.Relays {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" || port == "0" || strings.Contains(host, "/") {
			return fmt.Errorf("--relays %q is not an address: write host:port, as in relay1.example.com:4443", a)
		}
	}
	return nil
}

// An edge is a connection for pushes, and one that is carried on, to a relay.
const (
	perRelayed     = 3
	fewDescriptors = 4096
)
