package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

const (
	besideRate = 2000 // requests a second for the object that stays
	quiet      = 3 * time.Second
	leastWatch = 5 * time.Second  // from the invalidation on
	mostWatch  = 20 * time.Second // for the memory to be given back
)

// emptied is what a server had of memory before it was filled first.
var emptied = map[*server.Server]int{}

// toDrop is what dropped drops.
var toDrop = &fill{do: func(ctx context.Context, s *server.Server) error {
	if _, known := emptied[s]; !known {
		emptied[s] = s.Resident()
	}
	return load.Fill(ctx, s.Plain, allOf(s), server.KeySize, objects)
}}

// dropped drops all that was filled, by its prefix.
func dropped(ctx context.Context, b *bench, s *server.Server) (run result.Run, err error) {
	b.filled[s][toDrop] = false
	l := &load.Open{Address: s.Plain, Connections: 64, Requests: load.One(load.Get(s.Host, object(1<<10)), 1), Size: 1 << 10, Rate: besideRate}
	defer l.Close()
	if err := l.Open(ctx); err != nil {
		return run, err
	}
	before := s.Usage()
	o, err := l.Run(ctx, quiet)
	if err != nil {
		return run, err
	}
	p := &result.Purge{Objects: objects, P99Before: micros(&o.Latency, 0.99), LongestBefore: micros(&o.Latency, 1)}
	perSecond := s.Usage().Since(before).Seconds() / o.Elapsed.Seconds()

	full, reached, before, helped := s.Resident(), b.env.Origin.Requests(), s.Usage(), ofChildren()
	p.Memory = float64(full-emptied[s]) / (1 << 20)
	began := time.Now()
	over := make(chan error, 1)
	go func() { over <- dropAndAsk(ctx, b, s, p) }()
	whole := load.Outcome{}
	for waiting := true; waiting || p.Freed == 0 && !s.OnDisk && time.Since(began) < mostWatch || time.Since(began) < leastWatch; {
		o, err := l.Run(ctx, 250*time.Millisecond)
		if err != nil {
			return run, err
		}
		whole.Answers += o.Answers
		whole.Elapsed += o.Elapsed
		whole.Idle += o.Idle
		whole.Latency.Merge(&o.Latency)
		if p.Freed == 0 && full-s.Resident() > (full-emptied[s])*9/10 {
			p.Freed = time.Since(began).Seconds()
		}
		if p.Forgotten == 0 {
			if n, ok := s.Objects(ctx); ok && n < objects/10 {
				p.Forgotten = time.Since(began).Seconds()
			}
		}
		select {
		case err := <-over:
			if err != nil {
				return run, err
			}
			waiting = false
		default:
		}
	}
	if s.OnDisk {
		p.Freed = p.Done
	}
	// A miss may have asked twice, where the origin was slow; others are asked for far more often than that.
	if n := b.env.Origin.Requests() - reached; n < 1+laterMisses || n > 2*(1+laterMisses) {
		return run, fmt.Errorf("%d requests reached the origin, not %d", n, 1+laterMisses)
	}
	took := time.Since(began)
	cpu := s.Usage().Since(before) + ofChildren() - helped
	p.CPU = max(cpu.Seconds()-perSecond*took.Seconds(), 0)
	p.P99, p.Longest = micros(&whole.Latency, 0.99), micros(&whole.Latency, 1)
	return result.Run{Answers: whole.Answers, Seconds: whole.Elapsed.Seconds(), CPU: cpu.Seconds(), Generator: (whole.Elapsed - whole.Idle).Seconds(),
		P50: micros(&whole.Latency, 0.5), P99: p.P99, P999: micros(&whole.Latency, 0.999), Purge: p}, nil
}

// laterMisses are asked for behind the first.
const laterMisses = 100

// dropAndAsk drops, and asks for some of what was dropped.
func dropAndAsk(ctx context.Context, b *bench, s *server.Server, p *result.Purge) error {
	began := time.Now()
	if err := s.Drop(ctx, "/k/"); err != nil {
		return err
	}
	p.Done = time.Since(began).Seconds()
	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	var took []float64
	for i := range 1 + laterMisses {
		reached, asked := b.env.Origin.Requests(), time.Now()
		if err := fetch(client, s, fmt.Sprintf("/k/%d", i*(objects/(2*laterMisses)))); err != nil {
			return err
		}
		took = append(took, time.Since(asked).Seconds()*1000)
		if b.env.Origin.Requests() == reached {
			return errors.New("what was dropped was a hit")
		}
	}
	p.First = took[0]
	slices.Sort(took[1:])
	p.Misses = took[1+laterMisses/2]
	return nil
}

func micros(h *load.Histogram, q float64) float64 { return float64(h.Quantile(q)) / 1000 }

// ofChildren is the CPU time of programs that have been started and waited for.
func ofChildren() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_CHILDREN, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
