package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/server"
)

func idle(ctx context.Context, s *server.Server) (beside, error) {
	before := s.OpenFiles()
	release, err := load.Hold(ctx, s.Plain, idleConns, load.One(load.Get(s.Host, object(1<<10)), 1), 1<<10)
	if err != nil {
		return beside{}, err
	}
	return held(ctx, s, idleConns, before, release), nil
}

// slow lets the connections be slow for a while before anything is measured.
func slow(ctx context.Context, s *server.Server) (beside, error) {
	before := s.OpenFiles()
	release, err := load.Slow(s.Plain, slowConns, load.Get(s.Host, object(1<<20)))
	if err != nil {
		return beside{}, err
	}
	await(ctx, 2*time.Second)
	return held(ctx, s, slowConns, before, release), nil
}

// held are connections. Their release waits until the server has closed most of them too: otherwise the next
// to hold some would find it full.
func held(ctx context.Context, s *server.Server, conns, before int, release func()) beside {
	return beside{conns: conns, release: func() (int, error) {
		release()
		end := time.Now().Add(settleTimeout)
		for ctx.Err() == nil && s.Alive() && s.OpenFiles() > before+conns/10 && time.Now().Before(end) {
			time.Sleep(20 * time.Millisecond)
		}
		return 0, nil
	}}
}

// settleTimeout is for a server to see that thousands of connections are gone.
const settleTimeout = 15 * time.Second

// invalidations come at a steady rate until release, some at a time at most: the rate is kept while each takes less
// than 16 ms, or 40 where they are few. Servers that are measured without them have nothing beside.
func invalidations(perSecond int) func(context.Context, *server.Server) (beside, error) {
	return func(ctx context.Context, s *server.Server) (beside, error) {
		if !strings.HasSuffix(s.Name, " with invalidations") && !strings.HasSuffix(s.Name, " beside them") && !strings.HasSuffix(s.Name, " with bans") {
			return beside{release: func() (int, error) { return 0, nil }}, nil
		}
		if s.Name != edgeHears {
			return invalidated(ctx, s, perSecond)
		}
		return steadily(ctx, s, perSecond)
	}
}

// An edge sweeps as soon as the first invalidation of a stream has come, and then each sweepEvery. So a run begins when it has swept, and what comes
// next on that edge when it has swept for the last of them: or that would pay for it.
const (
	sweepFirst = time.Second
	sweepEvery = 5 * time.Second
)

func steadily(ctx context.Context, s *server.Server, perSecond int) (beside, error) {
	stream, err := invalidated(ctx, s, perSecond)
	if err != nil {
		return beside{}, err
	}
	await(ctx, sweepFirst)
	return beside{release: func() (int, error) {
		n, err := stream.release()
		await(ctx, sweepEvery+sweepFirst)
		return n, err
	}}, nil
}

func await(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func invalidated(ctx context.Context, s *server.Server, perSecond int) (beside, error) {
	ctx, cancel := context.WithCancel(ctx)
	first := time.Now().UnixMicro() // no two are the same
	due := make(chan int)
	done := make(chan error)
	workers := max(4, perSecond/62)
	for range workers {
		go func() {
			var err error
			for i := range due {
				if err == nil {
					err = s.Invalidate(ctx, int(first)+i)
				}
			}
			done <- err
		}()
	}
	accepted := make(chan int)
	go func() {
		accepted <- pace(ctx, perSecond, due)
		close(due)
	}()
	return beside{release: func() (int, error) {
		cancel()
		n := <-accepted
		var first error
		for range workers {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				first = err
			}
		}
		return n, first
	}}, nil
}

// pace sends numbers until ctx ends, and returns how many were taken. What was held up is made up for.
func pace(ctx context.Context, perSecond int, due chan<- int) (n int) {
	t := time.NewTicker(time.Second / time.Duration(perSecond))
	defer t.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return n
		case <-t.C:
		}
		for owed := int(time.Since(began).Seconds() * float64(perSecond)); n < owed; {
			select {
			case <-ctx.Done():
				return n
			case due <- n:
				n++
			}
		}
	}
}
