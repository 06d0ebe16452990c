package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// stand starts relays, one for each of these addresses, at which their ways to the control node begin.
func stand(authority *admission.Authority, ways []string) (laid Laid, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var ups []*jetstream.Remote
	laid.Stop = func() {
		cancel()
		all.Wait()
		for _, up := range ups {
			up.Close()
		}
	}
	for i, to := range ways {
		up, r, at, err := NewRelay(authority, fmt.Sprintf("R%d", i+1), to)
		if err != nil {
			laid.Stop()
			return Laid{}, err
		}
		ups, laid.At = append(ups, up), append(laid.At, at)
		all.Go(func() { r.Run(ctx) })
	}
	return laid, nil
}

// NewRelay makes one that listens at an address of its own, and goes to the control node by the address to. up is its connection there, and the caller's to close
// when the relay's Run is over.
func NewRelay(authority *admission.Authority, name, to string) (up *jetstream.Remote, r *jetstream.Relay, at string, err error) {
	who, err := authority.Local(admission.Relay(name), "")
	if err != nil {
		return nil, nil, "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, "", err
	}
	if up, err = jetstream.Dial(jetstream.RemoteConfig{Addresses: []string{to}, TLS: who.TLS(), Edge: who.Edge}); err != nil {
		return nil, nil, "", errors.Join(err, l.Close())
	}
	return up, jetstream.NewRelay(jetstream.RelayConfig{Listener: l, TLS: who.Listen(), Who: admission.Who, Up: up}), l.Addr().String(), nil
}

// ServeRelays is what a process for relays does: it stands those that in tells of, says to out where they listen, and ends when in does.
func ServeRelays(in io.Reader, out io.Writer) error {
	debug.SetGCPercent(growth)
	var p post
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return err
	}
	authority, err := admission.OpenAuthority(p.Authority, nil)
	if err != nil {
		return err
	}
	laid, err := stand(authority, p.At)
	if err != nil {
		return err
	}
	defer laid.Stop()
	return stay(in, out, laid.At)
}

// relays stands them at the ends of these lines, in a process of their own if there is one.
func (c Config) relays(ctx context.Context, g *gate, lines []string) (Laid, error) {
	if c.Between == nil {
		return stand(g.authority, lines)
	}
	laid, err := lodge(c.Between(context.WithoutCancel(ctx)), post{Authority: g.dir, At: lines}) // until Stop
	if err != nil {
		err = fmt.Errorf("the process of the relays: %w", err)
	}
	return laid, err
}
