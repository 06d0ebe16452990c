package origin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/warmfront/warmfront/internal/h1"
)

// Read implements io.Reader. The end comes with the last octets where it is known by then. The time that
// the origin lets a read wait counts, the time between reads does not: a slow viewer does not make a
// slow origin.
func (x *exchange) Read(p []byte) (n int, err error) {
	if x.err != nil || len(p) == 0 {
		return 0, x.err
	}
	if x.chunked {
		n, err = x.readChunks(p)
	} else {
		n, err = x.readPlain(p)
	}
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF:
		x.err = io.EOF
	case err == h1.ErrChunk:
		x.err, x.reusable = &Error{Kind: Invalid, Op: "read body", Err: err}, false
	default:
		x.err, x.reusable = x.fail("read body", err), false
	}
	x.end()
	return n, x.err
}

// Close implements io.Closer. A connection whose answer was not read to its end is closed.
func (x *exchange) Close() error {
	if x.err == nil {
		x.err, x.reusable = &Error{Kind: Canceled, Op: "read body", Err: errors.New("body closed")}, false
	}
	x.end()
	return nil
}

// readPlain reads a body with a length, or one that the end of the connection ends.
func (x *exchange) readPlain(p []byte) (n int, err error) {
	if x.left == 0 {
		return 0, io.EOF // what follows is nobody's
	}
	if x.left > 0 {
		p = p[:min(int64(len(p)), x.left)]
	}
	if len(x.in) > 0 {
		n = copy(p, x.in)
		x.in = x.in[n:]
	} else {
		if x.room != nil {
			x.release()
		}
		n, err = x.wait(p)
	}
	if x.left < 0 {
		if err == io.EOF && x.c.torn() {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	switch x.left -= int64(n); {
	case x.left == 0:
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// wait reads from the connection.
func (x *exchange) wait(p []byte) (int, error) {
	x.allow(x.limit, net.Conn.SetReadDeadline)
	return x.c.nc.Read(p)
}

// readChunks takes as many chunks as are there. It waits only while it has nothing.
func (x *exchange) readChunks(p []byte) (got int, err error) {
	for {
		n, err := x.chunks.Feed(x.in)
		x.in = x.in[n:]
		switch left := x.chunks.Left(); {
		case err != nil:
			return got, err
		case x.chunks.Ended():
			return got, io.EOF
		case left > 0 && len(x.in) > 0:
			n := copy(p[got:], x.in[:min(int64(len(x.in)), left)])
			x.chunks.Took(n)
			x.in, got = x.in[n:], got+n
			if got == len(p) {
				return got, nil
			}
		case got > 0:
			return got, nil
		case left >= roomSize && len(p) >= roomSize: // past our own memory
			n, err := x.wait(p[:min(int64(len(p)), left)])
			if got = n; n > 0 {
				x.chunks.Took(n)
				err = nil
			}
			return got, notYet(err)
		default:
			x.allow(x.limit, net.Conn.SetReadDeadline)
			if err := x.fill(); err != nil {
				return 0, notYet(err)
			}
		}
	}
}

// notYet says of an end that it came too early.
func notYet(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// send sends the request's body, beside whoever reads the answer: that may come before all is sent.
func (x *exchange) send(r *Request) {
	x.mu.Lock()
	x.sending = true
	x.mu.Unlock()
	nc := x.c.nc
	x.c.pool.sending.Go(func() {
		var broken *Error
		switch err := x.sendBody(nc, r); {
		case err == nil:
			x.mu.Lock()
			x.sending = false
			x.mu.Unlock()
			x.allow(x.limit, net.Conn.SetReadDeadline)
		case errors.As(err, &broken):
			x.interrupt(broken)
		case timeout(err):
			x.interrupt(x.tooLate("send body"))
		default: // the origin does not want more of it, and may have said why
			x.allow(x.limit, net.Conn.SetReadDeadline)
		}
	})
}

// sendBody copies the body. An error of the body itself is an *Error: it is not the origin's.
func (x *exchange) sendBody(nc net.Conn, r *Request) error {
	const before, after = len("4000\r\n"), len("\r\n0\r\n\r\n")
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	b := (*room)[:roomSize]
	for left := r.ContentLength; left != 0; {
		data := b[before : len(b)-after]
		if left > 0 {
			data = data[:min(int64(len(data)), left)]
		}
		n, err := r.Body.Read(data)
		out := data[:n]
		if left > 0 {
			left -= int64(n)
		} else {
			out = chunk(b, before, n, err == io.EOF)
		}
		if len(out) > 0 {
			x.allow(x.limit, net.Conn.SetWriteDeadline)
			if _, err := nc.Write(out); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && left < 0:
			return nil
		case err == io.EOF && left > 0:
			err = io.ErrUnexpectedEOF
		case err == io.EOF:
			err = nil
		}
		if err != nil {
			return &Error{Kind: Canceled, Op: "send body", Err: fmt.Errorf("the request's body broke off: %w", err)}
		}
	}
	return nil
}

// chunk makes a chunk of the n octets of data that lie in b from at on, with the last chunk behind it.
func chunk(b []byte, at, n int, last bool) []byte {
	from, to := at, at+n
	if n > 0 {
		size := strconv.AppendInt(nil, int64(n), 16)
		from -= len(size) + 2
		copy(b[from:], size)
		copy(b[at-2:], "\r\n")
		to += copy(b[to:], "\r\n")
	}
	if last {
		to += copy(b[to:], "0\r\n\r\n")
	}
	return b[from:to]
}
