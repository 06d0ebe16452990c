package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/warmfront/warmfront/bench/lone"
)

// EdgePair starts an edge that is two servers to the bench and one process, so that what differs between them is not how two processes have
// come to lie in memory. It is the bench's own program as package lone: an edge whose control plane is elsewhere, here in
// the bench itself, on the core of the load.
//
// Invalidations of the first go to that control plane; those of the second to another, of which the edge does not hear. They cost the core
// of the load the same.
func EdgePair(hears, beside string) (Start, Start) {
	p := &pair{}
	return p.start(hears, true), p.start(beside, false)
}

// pair is the edge with its two control planes, once one of the servers has been started.
type pair struct {
	edge       *Server // nil: none
	own, other *lone.Plane
}

func (p *pair) start(name string, hears bool) Start {
	return func(ctx context.Context, env Env) (*Server, error) {
		if p.edge == nil || !p.edge.Alive() {
			p.edge = nil
			if err := p.begin(ctx, env, name); err != nil {
				return nil, err
			}
		}
		s := *p.edge
		s.Name = name
		if s.rules = (alone{p.own}); !hears {
			s.rules = alone{p.other}
		}
		return &s, nil
	}
}

// begin starts it in a folder with that name.
func (p *pair) begin(ctx context.Context, env Env, name string) error {
	at, err := free(1)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := begin(env, name, nil)
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(env.Cert.Chain, env.Cert.Key)
	if err != nil {
		return err
	}
	if p.own, err = lone.Start(ctx, filepath.Join(s.dir, "journal"), cert); err != nil {
		return err
	}
	own := p.own
	if p.other, err = lone.Start(ctx, filepath.Join(s.dir, "elsewhere"), cert); err != nil {
		own.Close()
		return err
	}
	other := p.other
	stop := sync.OnceFunc(func() { // whichever of the two servers is stopped first
		own.Close()
		other.Close()
	})
	s.Plain, s.Host = at[0], own.Host
	started, err := s.run(ctx, env, []string{self, "-edge", at[0].String(), "-journal", own.Address, "-origin", env.Origin.Address(), "-cache", strconv.Itoa(env.CacheMiB)})
	if err != nil {
		stop()
		return err
	}
	s.stopped, p.edge = stop, started
	return nil
}

// alone makes invalidations without an API.
type alone struct{ plane *lone.Plane }

func (a alone) one(ctx context.Context, i int) error {
	return a.plane.Invalidate(ctx, fmt.Sprintf("/nothing/%d/*", i))
}
func (alone) many(context.Context, int, int) error { return ErrNotServed }
func (alone) below(context.Context, string) error  { return ErrNotServed }
func (alone) active(context.Context) (int, error)  { return 0, ErrNotServed }
