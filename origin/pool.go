package origin

import (
	"slices"
	"sync"
	"time"
)

// pool is the idle connections under one key.
type pool struct {
	key     poolKey
	line    *line
	maxIdle int             // for each name that TLS is spoken for
	sending *sync.WaitGroup // the client's
	used    uint64          // guarded by the client's mu

	mu     sync.Mutex
	idle   []*conn     // guarded by mu; first the one that has been idle longest
	expiry *time.Timer // guarded by mu; runs while there are idle connections, unless they may stay for ever
	closed bool        // guarded by mu: nothing is kept any more
}

// take returns the connection for host that was used last and is still quiet, or nil.
func (p *pool) take(host string) *conn {
	for {
		c := p.newest(host)
		if c == nil || !c.due() && c.quiet() {
			return c
		}
		c.sock.Close()
	}
}

func (p *pool) newest(host string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if c := p.idle[i]; c.host == host {
			p.idle = slices.Delete(p.idle, i, i+1)
			c.reused = true
			return c
		}
	}
	return nil
}

// put keeps a connection, or closes one: this one when there are enough for its name, the one that has
// been idle longest when there are too many in all, for forwarded Hosts each have their own.
func (p *pool) put(c *conn) {
	if surplus := p.keep(c); surplus != nil {
		surplus.nc.Close()
	}
}

func (p *pool) keep(c *conn) (surplus *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	same := 0
	for _, x := range p.idle {
		if x.host == c.host {
			same++
		}
	}
	if p.closed || same >= p.maxIdle {
		return c
	}
	if len(p.idle) >= 4*p.maxIdle {
		surplus = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
	if len(p.idle) == 1 {
		p.expect(p.key.keepalive)
	}
	return surplus
}

// expect has expire called after d. Requires mu.
func (p *pool) expect(d time.Duration) {
	switch {
	case p.key.keepalive <= 0: // they may stay
	case p.expiry == nil:
		p.expiry = time.AfterFunc(d, p.expire)
	default:
		p.expiry.Reset(d)
	}
}

// expire closes what has been idle for too long.
func (p *pool) expire() {
	p.mu.Lock()
	now, n := time.Now(), 0
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.key.keepalive {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if len(p.idle) > 0 {
		p.expect(p.key.keepalive - now.Sub(p.idle[0].since))
	}
	p.mu.Unlock()
	for _, c := range old {
		c.nc.Close()
	}
}

// close closes what is idle, and whatever is put back later.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.expiry != nil {
		p.expiry.Stop()
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.nc.Close()
	}
}
