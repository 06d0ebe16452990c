package httpserver

import (
	"crypto/tls"
	"io"
	"sync"

	"github.com/warmfront/warmfront/internal/h1"
)

const recordHandshake = 22

// secure shakes hands, if the server speaks TLS. It reports whether the connection may go on.
//
// What a handshake costs is computed at most as often at once as there are cores (engine.shakes): a flood of
// new connections must not take the time of those that are there. Waiting for the viewer does not
// count.
func (c *conn) secure() bool {
	w := c.wire
	if w == nil {
		return true
	}
	w.due = c.e.after(c.e.limits.ReadHeaderTimeout)
	for !w.whole() {
		if n, err := c.readInto(nil, w.due); n == 0 || err != nil {
			if len(w.in) > 0 { // who has said nothing has begun nothing
				c.failed(err)
			}
			return false
		}
	}
	if b := w.in[w.pos:]; b[0] != recordHandshake {
		c.e.failed(false, HandshakeNotTLS)
		if h1.Is(b[0], h1.InToken) { // no TLS begins like that, but every request does
			c.refuse(refusal{400, ReasonPlain}, "")
		}
		return false
	}
	if !c.shake() {
		return false
	}
	state := c.tls.ConnectionState()
	c.scheme, c.protocol, c.serverName, c.agreed = "https", state.NegotiatedProtocol, serverName(state.ServerName), agreed(&state)
	return c.protocol != protoACME // the handshake was the answer
}

// shake is the handshake itself. It reports whether it has succeeded.
func (c *conn) shake() bool {
	w := c.wire
	c.tls = tls.Server(w, c.e.tls)
	w.shaking = true
	c.e.shakes <- struct{}{}
	err := c.tls.Handshake()
	<-c.e.shakes
	w.shaking = false
	w.idle()
	if err != nil {
		c.failed(err)
	}
	return c.sendGathered() == nil && err == nil
}

// aside leaves the handshake's slot to others while something is waited for, until back is called.
func (c *conn) aside() (back func()) {
	<-c.e.shakes
	return func() { c.e.shakes <- struct{}{} }
}

// await sends what the handshake has said and waits for the viewer's next record.
func (c *conn) await() error {
	defer c.aside()()
	c.wire.idle()
	if err := c.sendGathered(); err != nil {
		return err
	}
	for !c.wire.whole() {
		if n, err := c.readInto(nil, c.wire.due); err != nil {
			return err
		} else if n == 0 {
			return io.EOF
		}
	}
	return nil
}

// readSecure is readOnce where records are read.
func (c *conn) readSecure(p []byte, due int64) (int, error) {
	w := c.wire
	for {
		if w.over {
			return 0, nil
		}
		if !w.full && !w.whole() {
			w.idle()
			if n, err := c.readOctets(p, due); n == 0 || err != nil {
				return 0, err
			}
			continue
		}
		q := p
		if q == nil {
			q = c.deskRoom()
		}
		n, err := c.tls.Read(q)
		w.full = n == len(q)
		w.idle()
		if e := c.sendOwn(); e != nil && n == 0 {
			return 0, e
		}
		if w.over = err != nil && err != error(errAgain); n > 0 || err == io.EOF {
			return n, nil
		}
		if w.over {
			return 0, err
		}
	}
}

// sendSecure is send by records. The beginning of b goes into the record of a: a record more costs a viewer
// and us more than the copy.
func (c *conn) sendSecure(a, b []byte) (left int, err error) {
	w := c.wire
	w.sending.Lock()
	defer w.sending.Unlock()
	if len(a) > 0 && len(a) < maxPlain && len(b) > 0 {
		first := plain.Get().(*[maxPlain]byte)
		defer plain.Put(first)
		n := copy(first[:], a)
		k := copy(first[n:], b)
		a, b = first[:n+k], b[k:]
	}
	head := 0 // octets of the records in which a lies
	for len(a)+len(b) > 0 {
		before := len(a) + len(b)
		for records := 0; records < fullWire/maxPlain && len(a)+len(b) > 0; records++ {
			from := &a
			if len(a) == 0 {
				from = &b
			}
			n := min(len(*from), maxPlain)
			if _, err := c.tls.Write((*from)[:n]); err != nil {
				return before, err
			}
			if *from = (*from)[n:]; from == &a {
				head = w.pending()
			}
		}
		left := len(a) + len(b)
		if n, err := c.sendRecords(head); err != nil {
			return left + min(n, before-left), err
		}
		head = 0
	}
	return 0, nil
}

var plain = sync.Pool{New: func() any { return new([maxPlain]byte) }}

// sendRecords sends what has been gathered, of which the first head octets are what the desk answers.
func (c *conn) sendRecords(head int) (left int, err error) {
	out := c.wire.take()
	if out == nil {
		return 0, nil
	}
	left, err = c.sendOctets(out, Rest{}, head)
	if cap(out) == wireRoom {
		wireOut.Put((*[wireRoom]byte)(out[:wireRoom]))
	}
	return left, err
}

// sendGathered sends what crypto/tls has said on its own.
func (c *conn) sendGathered() error {
	c.wire.sending.Lock()
	defer c.wire.sending.Unlock()
	_, err := c.sendRecords(c.wire.pending())
	return err
}

// sendOwn sends what reading has made crypto/tls say: an alert, or new keys. Where somebody else is sending, it is
// left to go out with the next records: a viewer may take nothing until all that it sends has been read, so reading
// must not wait for sending, except where a viewer makes us say more than maxGathered.
func (c *conn) sendOwn() error {
	w := c.wire
	switch n := w.pending(); {
	case n == 0:
		return nil
	case n > maxGathered:
		w.sending.Lock()
	case !w.sending.TryLock():
		return nil
	}
	defer w.sending.Unlock()
	_, err := c.sendRecords(w.pending())
	return err
}

// goodbye tells the viewer that the end is meant (RFC 8446 section 6.1), and why a handshake failed, if
// the socket takes it at once and nobody is sending.
func (c *conn) goodbye() {
	if c.tls == nil || c.broken || !c.wire.sending.TryLock() {
		return
	}
	defer c.wire.sending.Unlock()
	c.tls.CloseWrite() // refuses what has not shaken hands
	out := c.wire.take()
	switch {
	case len(out) == 0:
	case c.raw == nil:
		c.nc.Write(out)
	default:
		c.raw.Write(func(fd uintptr) bool {
			writeSocket(fd, &c.write.iov, out, nil)
			return true
		})
	}
}
