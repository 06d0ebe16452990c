package httpserver

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// h3answer is the ResponseWriter of HTTP/3. What it lays out gathers in the desk's out, as answer does it.
type h3answer struct {
	x    *h3turn
	head bool

	mu      sync.Mutex // held to begin, and to tell the viewer to go on: one excludes the other
	begun   bool       // guarded by mu for whoever is not the handler
	headed  bool       // the head has been handed over
	refused bool       // by the engine, over the body
	aborted bool
	over    bool  // the handler has returned
	bodied  bool  // body octets are sent, not only counted
	left    int64 // of the announced length; < 0: not announced
	err     error // the stream's: nothing is sent after it
}

// Begin implements ResponseWriter.
func (a *h3answer) Begin(status int, fields message.Fields, length int64) error {
	switch {
	case a.begun:
		return errBegun
	case a.aborted || a.over:
		return errAborted
	case status < 200 || status > 999:
		return errStatus
	}
	if no := a.x.body.refusal(); no.status != 0 {
		a.mu.Lock()
		a.begun, a.refused = true, true
		a.mu.Unlock()
		a.x.refuse(no, nil)
		return errRefused
	}
	a.mu.Lock()
	a.begun = true
	a.mu.Unlock()
	a.left = length
	a.bodied = !a.head && bodyAllowed(status)
	if status == 204 {
		length = -1
	}
	a.x.d.out = appendHead3(a.x.d.out, status, fields, length)
	return nil
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *h3answer) Write(p []byte) (int, error) {
	switch {
	case a.aborted || a.over:
		return 0, errAborted
	case a.refused:
		return 0, errRefused
	case !a.begun:
		return 0, errNotBegun
	case a.left >= 0 && int64(len(p)) > a.left:
		return 0, errTooLong
	case a.err != nil:
		return 0, a.err
	}
	if a.left >= 0 {
		a.left -= int64(len(p))
	}
	if !a.bodied || len(p) == 0 {
		return len(p), nil
	}
	d := a.x.d
	d.out = h3.AppendFrame(d.out, h3.Data, uint64(len(p)))
	if len(p) < smallPiece {
		d.out = append(d.out, p...)
		if len(d.out) >= fullOut {
			a.send(nil)
		}
	} else {
		a.send(p)
	}
	if a.err != nil {
		return 0, a.err
	}
	return len(p), nil
}

// send hands what has gathered, and p behind it, to the stream.
func (a *h3answer) send(p []byte) {
	d := a.x.d
	if a.begun && !a.headed { // out begins with it
		a.headed = true
		a.x.holds(true)
		a.err = a.x.send(d.out)
		a.x.holds(false)
		d.out = d.out[:0]
	}
	for _, b := range [...][]byte{d.out, p} {
		if a.err == nil && len(b) > 0 {
			a.err = a.x.send(b)
		}
	}
	d.out = d.out[:0]
}

// Flush implements ResponseWriter.
func (a *h3answer) Flush() error {
	if a.aborted || a.over {
		return errAborted
	}
	a.send(nil)
	return a.err
}

// Abort implements ResponseWriter. The cut happens when the handler returns.
func (a *h3answer) Abort() { a.aborted = true }

// close ends the stream after the handler has returned: cleanly, if all that was announced has been said.
func (a *h3answer) close(panicked bool) {
	x := a.x
	x.body.stop()
	a.over = true
	switch {
	case a.refused:
		return
	case !a.begun && !a.aborted:
		if no := x.body.refusal(); no.status != 0 && !panicked {
			x.refuse(no, nil) // a handler that could not read the body has nothing to say
			return
		}
		if (x.ctx.Err() != nil || x.body.state.Load() == bodyCut) && !panicked {
			break // the viewer has gone
		}
		if !panicked {
			x.c.e.log.Error("BUG: handler returned without an answer", "method", x.req.Method, "host", x.req.Host, "path", x.req.Path)
		}
		x.refuse(refusal{500, ReasonInternal}, unheard(&x.req, panicked))
		return
	case !a.aborted && !panicked && (!a.bodied || a.left <= 0):
		if a.send(nil); a.err == nil {
			x.s.Close()
			return
		}
	}
	x.d.out = x.d.out[:0]
	x.s.CancelWrite(quic.StreamErrorCode(h3.InternalError))
}

// appendHead3 lays out a HEADERS frame: what appendHead would say, in HTTP/3. A field that would not be
// one line in HTTP/1.1 is dropped here too: somebody behind may speak it.
func appendHead3(dst []byte, status int, fields message.Fields, length int64) []byte {
	dst, at := h3.BeginHeaders(dst)
	dst = h3.AppendStatus(dst, status)
	if !fields.Has("Content-Type") {
		dst = appendLength3(dst, length)
	}
	for i := range fields {
		f := &fields[i]
		if ofConnection(f.Name) || !h1.OneLine(f) {
			continue
		}
		dst = h3.AppendField(dst, f.Name, strings.Trim(f.Value, " \t"))
		if length >= 0 && len(f.Name) == len("Content-Type") && strings.EqualFold(f.Name, "Content-Type") {
			dst = appendLength3(dst, length)
			length = -1
		}
	}
	h3.EndHeaders(dst, at)
	return dst
}

// appendLength3 says the length, if there is one to say.
func appendLength3(dst []byte, length int64) []byte {
	if length < 0 {
		return dst
	}
	var digits [20]byte
	return h3.AppendField(dst, "content-length", h1.View(strconv.AppendInt(digits[:0], length, 10)))
}

// ofConnection tells the fields that HTTP/3 does not have.
func ofConnection(name string) bool {
	switch len(name) {
	case 7:
		if strings.EqualFold(name, "Upgrade") {
			return true
		}
	case 16:
		if strings.EqualFold(name, "Proxy-Connection") {
			return true
		}
	}
	return framingField(name)
}

// appendPrepared says an answer in HTTP/3 that was prepared for HTTP/1.1 by AppendHead. It returns what
// is behind the head.
func appendPrepared(dst, answer []byte) (out, body []byte) {
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	line, head, _ := bytes.Cut(head, []byte("\r\n"))
	status := 0
	for _, c := range line[len("HTTP/1.1 "):][:3] {
		status = status*10 + int(c-'0')
	}
	dst, at := h3.BeginHeaders(dst)
	dst = h3.AppendStatus(dst, status)
	for len(head) > 0 {
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(": "))
		if n := h1.View(name); !ofConnection(n) || strings.EqualFold(n, "Content-Length") {
			dst = h3.AppendField(dst, n, h1.View(value))
		}
	}
	h3.EndHeaders(dst, at)
	return dst, body
}
