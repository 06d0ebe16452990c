package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// h3turn is one request of HTTP/3, on its stream, in its goroutine.
type h3turn struct {
	c      *h3conn
	s      *quic.Stream
	in     *bufio.Reader // of the stream; the body's as soon as there is a handler
	d      *desk
	ctx    context.Context
	req    Request
	said   section
	body   h3body
	answer h3answer
	place  int          // among the connection's turns; guarded by its mu
	held   atomic.Int64 // since when the head of the answer waits for the transport; 0: it does not
}

var errWaste = errors.New("httpserver: a stream of frames that mean nothing")

// serve lives the life of the request. A mistake in it costs its stream, not the connection.
func (x *h3turn) serve() {
	e := x.c.e
	x.in = h3readers.Get().(*bufio.Reader)
	in := x.in
	in.Reset(x.s)
	x.d = e.desk()
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("BUG: request panicked", "panic", p, "stack", string(debug.Stack()))
			x.reset(h3.InternalError)
			return // what it had borrowed may be in any state
		}
		in.Reset(nil)
		h3readers.Put(in)
		e.giveBack(x.d)
	}()
	x.answer.x = x
	x.body.x, x.body.from, x.body.answer = x, &x.body, &x.answer.outgoing
	no, ok := x.head()
	switch {
	case !ok:
	case no.status != 0:
		x.refuse(no, &message.Request{
			Method: x.said.method, Scheme: "https", Major: 3,
			Remote: x.c.remote(), ServerName: x.c.name(), TLS: x.c.agreed.of(x.s.StreamID() == 0),
		})
		x.s.CancelRead(quic.StreamErrorCode(h3.NoError))
	case !x.inline() && x.settled():
		x.handle()
	}
}

// head reads the field section and looks whether a body follows. When it is not ok, there is nobody to
// answer.
func (x *h3turn) head() (no refusal, ok bool) {
	l := &x.c.e.limits
	x.s.SetReadDeadline(deadline(l.ReadHeaderTimeout))
	t, n, err := x.frame(&x.body.waste)
	switch {
	case err != nil:
		x.reset(h3.RequestIncomplete)
		return no, false
	case t != h3.Headers:
		x.c.close(h3.FrameUnexpected, "request without a field section")
		return no, false
	case n > uint64(l.MaxHeader+sectionRoom):
		return largeHead, true
	}
	if err := x.encoded(int(n)); err != nil {
		x.reset(h3.RequestIncomplete)
		return no, false
	}
	no, err = x.said.read3(x.d.in, &x.req, l)
	x.d.in = x.d.in[:0]
	x.answer.head = x.said.method == "HEAD"
	if err != nil {
		x.c.close(h3.DecompressionFailed, "field section")
		return no, false
	}
	if no.status != 0 {
		return no, true
	}
	x.req.Remote, x.req.ServerName, x.req.TLS = x.c.remote(), x.c.name(), x.c.agreed.of(x.s.StreamID() == 0)
	return x.length()
}

// read3 reads an encoded section of HTTP/3. The error is that of a connection that cannot go on.
func (s *section) read3(encoded []byte, r *Request, l *Limits) (refusal, error) {
	s.begin(make(message.Fields, 0, 16), l.MaxHeader, false)
	if err := h3.Fields(encoded, s.field); err != nil {
		return refusal{}, err
	}
	return s.request(r, 3, false, "https", l.MaxURI), nil
}

// encoded reads n octets into the desk. It makes room for what has come, not for what was announced.
func (x *h3turn) encoded(n int) error {
	b := x.d.in[:0]
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(2*cap(b), n)), b...)
		}
		k, err := x.in.Read(b[len(b):min(cap(b), n)])
		if err != nil && k == 0 {
			return err
		}
		b = b[:len(b)+k]
	}
	x.d.in = b
	return nil
}

// sectionRoom is how much longer than what it says a field section may be: numbers of lengths.
const sectionRoom = 1 << 10

// length finds out how long the body is, as far as that can be known before it has come.
func (x *h3turn) length() (no refusal, ok bool) {
	b := &x.body
	b.state.Store(bodyOpen)
	b.told, b.expects = x.said.length, x.said.expects && x.said.length != 0
	if !b.expects && b.told <= 0 {
		switch err := b.begin(); {
		case err == io.EOF:
			b.become(bodyNone)
			x.req.ContentLength = 0
		case errors.Is(err, os.ErrDeadlineExceeded):
			return lateBody, true
		case brokenBody(err):
			return malformed, true
		case err != nil:
			x.reset(h3.RequestIncomplete)
			return no, false
		}
	}
	if b.state.Load() == bodyOpen {
		x.req.Body = b
	}
	return no, true
}

// frame reads the head of the next frame that the RFC knows.
func (x *h3turn) frame(waste *int) (h3.Type, uint64, error) {
	for {
		t, n, err := h3.ReadFrame(x.in)
		switch {
		case err == io.ErrUnexpectedEOF:
			return 0, 0, errFrame
		case err != nil:
			return 0, 0, err
		case t.Reserved():
			x.c.close(h3.FrameUnexpected, "frame of a reserved type")
			return 0, 0, errFrame
		case t.Known() && n > 0:
			return t, n, nil
		}
		if *waste += 2; n > maxWaste || *waste+int(n) > maxWaste {
			return 0, 0, errWaste
		}
		if t.Known() {
			return t, 0, nil
		}
		*waste += int(n)
		if _, err := x.in.Discard(int(n)); err != nil {
			return 0, 0, cutShort(err)
		}
	}
}

// inline lets the answerer take a plain hit. That is all that is answered in early data, which somebody
// may have recorded and sent again: an answer from the cache changes nothing anywhere.
func (x *h3turn) inline() bool {
	d := x.d
	if d.inline == nil || x.req.ContentLength != 0 || x.said.reserved || x.req.Method != "GET" && x.req.Method != "HEAD" {
		return false
	}
	d.asked = true
	defer d.sent()
	answer, rest, ok := d.inline.Answer(d.out, &x.req)
	if !ok {
		return false
	}
	d.out = answer[:0]
	out, body := h3.AppendPrepared(d.in[:0], answer)
	if n := len(body) + len(rest.Octets); n > 0 {
		out = h3.AppendFrame(out, h3.Data, uint64(n))
	}
	if len(out)+len(body) <= cap(out) {
		out, body = append(out, body...), nil
	}
	x.holds(true)
	err := x.send(out)
	if err == nil {
		err = x.send(body)
	}
	x.holds(false)
	d.sent()
	if len(rest.Octets) > 0 {
		n := 0
		if err == nil {
			n, err = x.write(rest.Octets)
			runtime.KeepAlive(rest.Pages)
		}
		d.inline.Done(int64(n), err != nil)
	}
	if err == nil {
		err = x.s.Close()
	}
	if err != nil {
		x.reset(h3.InternalError)
	}
	return true
}

// settled waits until the viewer's handshake is complete: from then on the request is known to be its
// own, sent once (RFC 8470 section 3).
func (x *h3turn) settled() bool {
	select {
	case <-x.c.qc.HandshakeComplete():
		return true
	case <-x.s.Context().Done():
	case <-x.c.ctx.Done():
	}
	x.reset(h3.RequestCancelled)
	return false
}

// handle gives the request to the Handler.
func (x *h3turn) handle() {
	ctx, cancel := context.WithCancel(x.c.ctx)
	defer cancel()
	defer context.AfterFunc(x.s.Context(), cancel)() // the viewer wants no answer any more
	x.ctx = ctx
	x.answer.close(x.c.e.serve(ctx, &x.answer, &x.req))
}

// refuse writes an answer of the engine's own; of is for Server.Refuse. The connection lives on: its streams
// do not touch each other.
func (x *h3turn) refuse(no refusal, of *message.Request) {
	a := x.c.e.refusal(no, of, x.answer.head)
	if a.aborted {
		x.reset(h3.MessageError)
		return
	}
	out := h3.AppendHead(x.d.out[:0], a.status, a.fields, int64(a.body.Len()))
	if a.body.Len() > 0 && !a.head {
		out = append(h3.AppendFrame(out, h3.Data, uint64(a.body.Len())), a.body.Bytes()...)
	}
	x.d.out = out[:0]
	if x.send(out) != nil || x.s.Close() != nil {
		x.reset(h3.MessageError)
	}
}

// send writes to the stream, waiting for the viewer where it must.
func (x *h3turn) send(p []byte) error {
	_, err := x.write(p)
	return err
}

// write is send that tells how much was taken.
func (x *h3turn) write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		x.s.SetWriteDeadline(deadline(x.c.e.limits.WriteTimeout))
		var k int
		k, err = x.s.Write(p[n:min(len(p), n+maxWrite)])
		n += k
	}
	return n, err
}

// reset cuts the stream, both ways.
func (x *h3turn) reset(code uint64) {
	x.s.CancelRead(quic.StreamErrorCode(code))
	x.s.CancelWrite(quic.StreamErrorCode(code))
}
