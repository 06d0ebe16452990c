package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Open asks at a fixed rate, at times that do not depend on the answers: as independent viewers do
// (Poisson). A request that is due while all connections are busy waits for one, and that wait is part
// of its latency. For one request per unit.
type Open struct {
	Address     netip.AddrPort // IPv4
	Connections int
	Requests    *Requests
	Size        int
	Rate        int // requests per second; below what the server can do

	loop *loop
	free []int32 // connections that owe nothing
	gaps []float64
}

func (o *Open) Open(ctx context.Context) (err error) {
	if o.loop, err = openPlain(o.Address, o.Connections, o.Size, 0, o.Requests); err != nil {
		return err
	}
	o.gaps = arrivals(1 << 16)
	o.free = make([]int32, 0, o.Connections)
	_, err = o.loop.closed(ctx, 0)
	return err
}

func (o *Open) Close() {
	if o.loop != nil {
		o.loop.close()
	}
}

// Run sends for length. A server that falls behind so far that answers are owed 20 s after is an error.
func (o *Open) Run(ctx context.Context, length time.Duration) (out Outcome, err error) {
	l := o.loop
	defer l.watch(ctx)()
	o.free = o.free[:0]
	for i := range l.conns {
		o.free = append(o.free, int32(i))
	}
	began := l.now()
	stop, due, asked, idle := began+length, began, 0, idleness{since: -1}
	for {
		now := l.now()
		for due <= now && due < stop && len(o.free) > 0 {
			last := len(o.free) - 1
			if err := l.conns[o.free[last]].(*plain).send(due); err != nil {
				return out, err
			}
			o.free = o.free[:last]
			due += time.Duration(o.gaps[asked%len(o.gaps)] / float64(o.Rate) * 1e9)
			asked++
		}
		if due >= stop && len(o.free) == len(l.conns) {
			break
		}
		n := poll(l.epoll, l.events)
		idle.note(n, l)
		if err := o.collect(&out, n); err != nil {
			return out, err
		}
		if l.over.Load() {
			return out, context.Cause(ctx)
		}
		if now > stop+drain {
			return out, fmt.Errorf("answers are owed %v after the last request", drain)
		}
	}
	out.Elapsed, out.Idle = l.now()-began, idle.sum
	return out, nil
}

func (o *Open) collect(out *Outcome, events int) error {
	for _, e := range o.loop.events[:events] {
		conn := o.loop.conns[e.Fd].(*plain)
		answers, err := conn.take()
		if err != nil {
			return err
		}
		if answers > 0 {
			out.Answers++
			out.Latency.Add(o.loop.now() - conn.asked)
			o.free = append(o.free, e.Fd)
		}
	}
	return nil
}
