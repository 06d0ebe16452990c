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

// standing are relays, one at each place.
type standing struct {
	at   []string
	stop func()
}

// stand starts relays whose ways to the control node begin at these addresses.
func stand(authority *admission.Authority, to []string) (s *standing, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var ups []*jetstream.Remote
	s = &standing{stop: func() {
		cancel()
		all.Wait()
		for _, up := range ups {
			up.Close()
		}
	}}
	for i, to := range to {
		up, r, at, err := NewRelay(authority, fmt.Sprintf("R%d", i+1), to)
		if err != nil {
			s.stop()
			return nil, err
		}
		ups, s.at = append(ups, up), append(s.at, at)
		all.Go(func() { r.Run(ctx) })
	}
	return s, nil
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
	s, err := stand(authority, p.At)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := json.NewEncoder(out).Encode(s.at); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// relays stands them at the ends of these lines, in a process of their own if there is one.
func (c Config) relays(ctx context.Context, g *gate, lines []string) (*standing, error) {
	if c.Between == nil {
		return stand(g.authority, lines)
	}
	p, err := begin(c.Between(context.WithoutCancel(ctx))) // until stop
	if err != nil {
		return nil, err
	}
	s := &standing{stop: p.end}
	if err = p.tell(post{Authority: g.dir, At: lines}); err == nil {
		err = p.hear(&s.at)
	}
	if err != nil {
		p.end()
		return nil, fmt.Errorf("the process of the relays: %w", err)
	}
	return s, nil
}
