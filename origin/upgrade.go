package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/websocket"
)

var errHandshake = errors.New("the origin's 101 is not the answer to this handshake")

// Upgrade asks o for a WebSocket. r is a handshake of a viewer: a GET without a body, whose fields have the key and
// what else belongs to it. It is asked once, on a connection of its own, which never carries anything else
// afterwards.
//
// When the origin agrees, it returns a Tunnel. Any other answer is a Response as Fetch returns it. A 101 that is not the right answer to this very
// handshake is an error, of the kind Invalid. When ctx ends, so do both.
func (c *Client) Upgrade(ctx context.Context, o *distribution.Origin, r *Request) (*Tunnel, *Response, error) {
	began := time.Now()
	if ctx.Err() != nil {
		return nil, nil, &Error{Kind: Canceled, Op: "ask", Err: context.Cause(ctx)}
	}
	p, host, err := c.pool(o, r)
	if err != nil {
		return nil, nil, err
	}
	var due time.Time
	if t := o.ResponseCompletionTimeout; t > 0 {
		due = began.Add(t)
	}
	v, err := p.line.enter(ctx, o, r.Path)
	if err != nil {
		return nil, nil, err
	}
	cn, err := c.open(ctx, p, host, due)
	if err != nil {
		v.over(false, err)
		return nil, nil, err
	}
	asked := *r
	asked.upgrade = true
	x := &exchange{ctx: ctx, limit: o.ReadTimeout, due: due, c: cn}
	h, err := x.ask(o, &asked, c.maxHeader)
	if v.over(x.answered, err); err != nil {
		return nil, nil, err
	}
	x.atEnd(v.free)
	first := time.Since(began)
	if h.status != 101 {
		return nil, &Response{
			Status: h.status, Fields: h.fields, Body: x, ContentLength: h.length, FirstByte: first, Attempts: 1,
		}, nil
	}
	if h.closes || !websocket.Accepted(h.fields, r.Fields) {
		x.Close()
		return nil, nil, &Error{Kind: Invalid, Op: "ask", Err: errHandshake}
	}
	h.fields.Del("Connection")
	h.fields.Del("Upgrade")
	t := &tunnel{x: x, nc: cn.nc, sock: cn.sock, in: bytes.Clone(x.in)}
	x.release()
	x.due = time.Time{} // it is as long as it likes
	x.allow(0, net.Conn.SetDeadline)
	return &Tunnel{Fields: h.fields, FirstByte: first, Stream: t}, nil, nil
}

// Tunnel is a connection to an origin that has agreed to a handshake.
type Tunnel struct {
	Fields    message.Fields // of the 101, without Connection and Upgrade
	FirstByte time.Duration  // from the call of Upgrade to the complete head of the answer
	Stream
}

// Stream is a connection in both directions. One may read while another writes.
type Stream interface {
	io.Reader
	io.Writer
	// CloseWrite ends our side. It is called by who writes.
	CloseWrite() error
	// Close ends both sides, and wakes whoever reads or writes. It may be called at any time.
	Close() error
}

// tunnel is the Stream of a Client.
type tunnel struct {
	x    *exchange
	nc   net.Conn
	sock *socket
	in   []byte // came with the head
}

// Read implements io.Reader.
func (t *tunnel) Read(p []byte) (int, error) {
	if len(t.in) > 0 {
		n := copy(p, t.in)
		t.in = t.in[n:]
		return n, nil
	}
	n, err := t.nc.Read(p)
	if err != nil && err != io.EOF {
		err = t.x.fail("tunnel", err)
	}
	return n, err
}

// Write implements io.Writer.
func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.nc.Write(p)
	if err != nil {
		err = t.x.fail("tunnel", err)
	}
	return n, err
}

// CloseWrite implements Stream.
func (t *tunnel) CloseWrite() error {
	if c, ok := t.nc.(interface{ CloseWrite() error }); ok && t.nc != t.sock { // TLS
		return c.CloseWrite()
	}
	if c, ok := t.sock.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements Stream.
func (t *tunnel) Close() error { return t.x.Close() }
