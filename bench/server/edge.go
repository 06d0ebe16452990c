package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/warmfront/warmfront/bench/lone"
)

// EdgeNamed runs the bench's own program as package lone: an edge whose control plane is elsewhere, here in the bench
// itself, on the core of the load. Invalidations go to that.
func EdgeNamed(name string) Start {
	return func(ctx context.Context, env Env) (*Server, error) {
		return startEdge(ctx, env, name, func(_ string, _ tls.Certificate, own *lone.Plane) (*lone.Plane, error) { return own, nil })
	}
}

// EdgeBeside is the same, but invalidations go to another control plane, of which the edge does not hear. They cost the core of
// the load what they do otherwise.
func EdgeBeside(name string) Start {
	return func(ctx context.Context, env Env) (*Server, error) {
		return startEdge(ctx, env, name, func(dir string, cert tls.Certificate, _ *lone.Plane) (*lone.Plane, error) {
			return lone.Start(ctx, filepath.Join(dir, "elsewhere"), cert)
		})
	}
}

// startEdge starts the edge with its plane, and has the one that told returns be told of invalidations.
func startEdge(ctx context.Context, env Env, name string, told func(dir string, cert tls.Certificate, own *lone.Plane) (*lone.Plane, error)) (*Server, error) {
	at, err := free(1)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := begin(env, name, nil)
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(env.Cert.Chain, env.Cert.Key)
	if err != nil {
		return nil, err
	}
	plane, err := lone.Start(ctx, filepath.Join(s.dir, "journal"), cert)
	if err != nil {
		return nil, err
	}
	other, err := told(s.dir, cert, plane)
	if err != nil {
		plane.Close()
		return nil, err
	}
	stop := func() {
		plane.Close()
		if other != plane {
			other.Close()
		}
	}
	s.Plain, s.Host, s.rules = at[0], plane.Host, alone{other}
	started, err := s.run(ctx, env, []string{self, "-edge", at[0].String(), "-journal", plane.Address, "-origin", env.Origin.Address(), "-cache", strconv.Itoa(env.CacheMiB)})
	if err != nil {
		stop()
		return nil, err
	}
	s.stopped = stop
	return started, nil
}

// alone makes invalidations without an API.
type alone struct{ plane *lone.Plane }

func (a alone) one(ctx context.Context, i int) error {
	return a.plane.Invalidate(ctx, fmt.Sprintf("/nothing/%d/*", i))
}
func (alone) many(context.Context, int, int) error { return ErrNotServed }
func (alone) below(context.Context, string) error  { return ErrNotServed }
func (alone) active(context.Context) (int, error)  { return 0, ErrNotServed }
