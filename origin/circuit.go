package origin

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// A circuit knows whether an address answers. While it does not, one request at a time is let through to find
// out; the others are told at once, instead of each waiting until its own time is up.
//
//	closed      all are let through. Failures in a row are counted.
//	open        nobody is, until the next probe is due.
//	half-open   one is: the probe. Another may come when it has ended, or taken probeTime.
//
// It opens at the openAfter-th failure in a row if the first of them began openTime ago. Only what is no answer at all
// is a failure: no address, no connection, silence, a connection that is closed before the first octet. Any octet of
// any answer, to whomever, closes it, whatever its status; what began before that is no failure any more.
//
// Silence may be the fault of one URL, on which its program hangs. So silence on the path that silence was
// counted for last is not counted again: it takes at least two paths.
//
// The fields and the clock are all there is to it; time is an argument.
type circuit struct {
	failures int       // in a row, as counted
	first    time.Time // when the first of them began
	path     string    // of the silence that was counted last
	answered time.Time // when there was an answer; zero: never

	open  bool
	since time.Time // when it opened
	last  *Error    // what failed last; not nil while open
	next  time.Time // no probe before
	probe uint64    // the running one; 0: none
	begun time.Time // when it began
	count uint64    // of probes
}

const (
	openAfter = 5
	openTime  = time.Second
	// probeTime is how long a probe keeps others from trying. It goes on after that, and what comes of it counts.
	probeTime = 5 * time.Second
	// The pause between probes is pauseFactor times what the last failure took, within these: an origin that refuses
	// connections costs little to ask, and is found to be back within a tenth of a second.
	minPause    = 100 * time.Millisecond
	maxPause    = time.Second
	pauseFactor = 10
)

// turn is the right to ask once.
type turn struct {
	began time.Time
	path  string
	probe uint64 // 0: it is none
}

// admit lets a request through, or says for how long it is not worth asking.
func (c *circuit) admit(now time.Time, path string) (t turn, wait time.Duration) {
	t = turn{began: now, path: path}
	switch {
	case !c.open:
		return t, 0
	case now.Before(c.next):
		return t, c.next.Sub(now)
	case c.probe != 0 && now.Sub(c.begun) < probeTime:
		return t, minPause
	}
	c.count++
	c.probe, c.begun, c.next = c.count, now, now.Add(minPause)
	t.probe = c.probe
	return t, 0
}

// came says that there was an answer. It returns whether that has closed the circuit.
func (c *circuit) came(now time.Time) (closed bool) {
	closed = c.open
	*c = circuit{answered: now, count: c.count}
	return closed
}

// failed says that there was none. It returns whether that has opened the circuit.
func (c *circuit) failed(t turn, now time.Time, err *Error) (opened bool) {
	current := t.probe != 0 && t.probe == c.probe
	c.ended(t)
	if t.began.Before(c.answered) {
		return false
	}
	c.last = err
	if c.open {
		if current { // of one that has lost its place another decides
			c.next = now.Add(min(max(pauseFactor*now.Sub(t.began), minPause), maxPause))
		}
		return false
	}
	if silent := err.Kind == ReadTimeout || err.Kind == Closed; silent {
		if c.failures > 0 && c.path == t.path {
			return false
		}
		c.path = strings.Clone(t.path)
	}
	if c.failures == 0 || t.began.Before(c.first) {
		c.first = t.began
	}
	c.failures++
	if c.failures < openAfter || now.Sub(c.first) < openTime {
		return false
	}
	c.open, c.since, c.next = true, now, now.Add(minPause)
	return true
}

// ended says that nothing can be learnt of the request: its viewer has left, or the like.
func (c *circuit) ended(t turn) {
	if c.probe == t.probe {
		c.probe = 0
	}
}

// noAnswer tells whether the error is one of an origin that does not answer at all. answered: an octet has come.
func noAnswer(err *Error, answered bool) bool {
	switch err.Kind {
	case DNS, Connect, ConnectTimeout:
		return true
	case ReadTimeout, Closed:
		return !answered
	}
	return false
}

// Outage is an address that does not answer.
type Outage struct {
	Address string // as it is dialled: host:port
	Since   time.Time
	Failure *Error // what came of the last question
}

// line is the circuit and the queue of an address, shared by the pools that lead there.
type line struct {
	network, addr string
	changed       func(Outage, bool)

	mu sync.Mutex
	circuit
	queue
}

// visit is a request that has been let through and has a place.
type visit struct {
	*line
	turn
	free func() // gives the place back
}

// enter lets a request through to the address, when it has a place there. Who has waited for one is asked anew
// whether it is worth it.
func (l *line) enter(ctx context.Context, o *distribution.Origin, path string) (v visit, failed *Error) {
	t, failed := l.let(path)
	if failed != nil {
		return v, failed
	}
	free, waited, failed := l.place(ctx, cmp.Or(o.ConnectionTimeout, maxPause))
	switch {
	case failed != nil:
		l.leave(t, false, failed)
		return v, failed
	case waited && t.probe == 0:
		if t, failed = l.let(path); failed != nil {
			free()
			return v, failed
		}
	}
	return visit{l, t, free}, nil
}

// over says what came of the visit. Its place it has until the answer has been read, if there is one.
func (v *visit) over(answered bool, err *Error) {
	if v.leave(v.turn, answered, err); err != nil {
		v.free()
	}
}

// let is admit for a request, which gets an error of the kind Down if it is not let through.
func (l *line) let(path string) (turn, *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, wait := l.admit(time.Now(), path)
	if wait > 0 {
		return t, &Error{Kind: Down, Op: "ask", Err: l.last, Retry: wait}
	}
	return t, nil
}

// leave says what came of a request that was let through.
func (l *line) leave(t turn, answered bool, err *Error) {
	now := time.Now()
	l.mu.Lock()
	outage, changed, down := l.outage(), false, false
	switch {
	case err == nil || answered:
		changed = l.came(now)
	case noAnswer(err, answered):
		down = l.failed(t, now, err)
		changed, outage = down, l.outage()
	default:
		l.ended(t)
	}
	l.mu.Unlock()
	if changed && l.changed != nil {
		l.changed(outage, down)
	}
}

// outage describes the circuit while it is open. With mu.
func (l *line) outage() Outage { return Outage{Address: l.addr, Since: l.since, Failure: l.last} }

// lineTo returns the circuit of an address: that of a pool which leads there too, if there is one. Requires mu.
func (c *Client) lineTo(k poolKey) *line {
	for _, p := range c.pools {
		if p.key.network == k.network && p.key.addr == k.addr {
			return p.line
		}
	}
	return &line{network: k.network, addr: k.addr, changed: c.changed, queue: queue{most: c.most}}
}

// Down lists the addresses that do not answer, in no order.
func (c *Client) Down() (all []Outage) {
	c.mu.Lock()
	lines := map[*line]bool{}
	for _, p := range c.pools {
		lines[p.line] = true
	}
	c.mu.Unlock()
	for l := range lines {
		l.mu.Lock()
		if l.open {
			all = append(all, l.outage())
		}
		l.mu.Unlock()
	}
	return all
}
