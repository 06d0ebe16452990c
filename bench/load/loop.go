package load

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	scratch = 64 << 10
	drain   = 20 * time.Second // how long answers may be awaited after the last request
)

// conn is one connection of a loop. Only the loop's thread touches it.
type conn interface {
	descriptor() int
	// take reads what has come, and returns the answers that it ended.
	take() (answers int, err error)
	// next asks again, unless all is to stop or answers of the last unit are owed. It returns how long
	// the last unit took, 0 when it is not over.
	next(now time.Duration, stop bool) (took time.Duration, err error)
	owes() bool
	close()
}

// loop drives connections by one thread, which spins: it never sleeps while a run lasts. A thread that
// sleeps would have to be woken by whoever sends to it, and on one machine that is the server: the faster
// the generator, the more often it would sleep, and the more would the server pay for it. Over a network no
// server pays for that.
type loop struct {
	conns  []conn
	epoll  int
	events []unix.EpollEvent
	began  time.Time
	over   atomic.Bool // the run's ctx ended
	// yields means that its thread lets all others of its core go first (nice 19).
	yields bool
	// patient means that it sleeps while nothing comes: nothing is measured, and the origin has the same core.
	patient bool
	most    int // units that are asked for at most after the first of each connection; 0: as many as there is time for
}

// openLoop makes the connections, one after the other.
func openLoop(n int, open func(i int) (conn, error)) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{epoll: epoll, events: make([]unix.EpollEvent, 128), began: time.Now()}
	for i := range n {
		c, err := open(i)
		if err == nil {
			l.conns = append(l.conns, c)
			event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
			err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, c.descriptor(), &event)
		}
		if err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *loop) close() {
	for _, c := range l.conns {
		c.close()
	}
	unix.Close(l.epoll)
	l.conns = nil
}

func (l *loop) now() time.Duration { return time.Since(l.began) }

// watch makes over true when ctx ends; stop ends the watching. The thread is the caller's alone meanwhile.
func (l *loop) watch(ctx context.Context) (stop func()) {
	l.over.Store(ctx.Err() != nil)
	unwatch := context.AfterFunc(ctx, func() { l.over.Store(true) })
	runtime.LockOSThread()
	if l.yields {
		renice(19)
	}
	return func() {
		if l.yields {
			renice(0)
		}
		runtime.UnlockOSThread()
		unwatch()
	}
}

// renice is for this thread. Who may not raise what was lowered keeps a slow thread: nothing worse.
func renice(nice int) { unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice) }

// closed asks on each connection as soon as the last unit is answered, for length, and then waits for the
// answers that are owed; they count. With length 0 it asks once on each. It ends earlier when it has asked for most.
func (l *loop) closed(ctx context.Context, length time.Duration) (o Outcome, err error) {
	defer l.watch(ctx)()
	began := l.now()
	stop, busy := began+length, len(l.conns)
	for _, c := range l.conns {
		if _, err := c.next(l.now(), false); err != nil {
			return o, err
		}
	}
	idle := idleness{since: -1}
	for busy > 0 {
		n := 0
		if l.patient || length == 0 {
			n, _ = unix.EpollWait(l.epoll, l.events, 100)
			n = max(n, 0)
		} else {
			n = poll(l.epoll, l.events)
		}
		idle.note(n, l)
		for _, e := range l.events[:n] {
			done, err := l.serve(l.conns[e.Fd], stop, &o)
			if err != nil {
				return o, err
			}
			if done {
				busy--
			}
		}
		if l.over.Load() {
			return o, context.Cause(ctx)
		}
		if n == 0 && l.now() > stop+drain {
			return o, fmt.Errorf("%d connections had no whole answer %v after the last request", busy, drain)
		}
	}
	o.Elapsed, o.Idle = l.now()-began, idle.sum
	return o, nil
}

// serve is one connection's turn. done means that it owes nothing any more and will not ask again.
func (l *loop) serve(c conn, stop time.Duration, o *Outcome) (done bool, err error) {
	owed := c.owes()
	answers, err := c.take()
	if err != nil || answers == 0 {
		return false, err
	}
	o.Answers += answers
	now := l.now()
	took, err := c.next(now, now >= stop || l.most > 0 && o.Answers+len(l.conns) > l.most)
	if took > 0 {
		o.Latency.Add(took)
	}
	return owed && !c.owes(), err
}

// idleness sums the time in which polls had nothing.
type idleness struct {
	since, sum time.Duration // since: below 0 when the last poll had something
}

func (i *idleness) note(events int, l *loop) {
	switch {
	case events == 0 && i.since < 0:
		i.since = l.now()
	case events > 0 && i.since >= 0:
		i.sum += l.now() - i.since
		i.since = -1
	}
}

// Closed keeps plain connections busy with HTTP/1.1: on each, the next unit is sent when the last is answered.
type Closed struct {
	Address     netip.AddrPort // IPv4
	Connections int
	Requests    *Requests
	Size        int // octets of each body
	// Yields makes it give way to what else runs on its core: for when that is measured too, or must keep a rate.
	Yields bool
	// Most ends a run of units with one request each when so many have been asked for; 0: only its length does.
	Most int

	loop *loop
}

func (c *Closed) Open(ctx context.Context) (err error) {
	if c.loop, err = openPlain(c.Address, c.Connections, c.Size, 0, c.Requests); err != nil {
		return err
	}
	c.loop.yields = c.Yields
	_, err = c.loop.closed(ctx, 0)
	c.loop.most = c.Most
	return err
}

func (c *Closed) Run(ctx context.Context, length time.Duration) (Outcome, error) {
	return c.loop.closed(ctx, length)
}

func (c *Closed) Close() {
	if c.loop != nil {
		c.loop.close()
	}
}
