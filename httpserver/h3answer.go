package httpserver

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// h3answer is the ResponseWriter of HTTP/3. What it lays out gathers in the desk's out, as answer does it.
type h3answer struct {
	outgoing
	x      *h3turn
	headed bool // the head has been handed over
}

// Begin implements ResponseWriter.
func (a *h3answer) Begin(status int, fields message.Fields, length int64) error {
	no := a.x.body.refusal()
	said, err := a.begin(status, length, no)
	switch err {
	case nil:
		a.x.d.out = appendHead3(a.x.d.out, status, fields, said)
	case errRefused:
		a.x.refuse(no, nil)
	}
	return err
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *h3answer) Write(p []byte) (int, error) {
	if send, err := a.take(len(p)); err != nil {
		return 0, err
	} else if !send {
		return len(p), nil
	}
	d := a.x.d
	d.out = h3.AppendFrame(d.out, h3.Data, uint64(len(p)))
	if large, full := d.gather(p); full {
		a.send(large)
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

// close ends the stream after the handler has returned: cleanly, if all that was announced has been said.
func (a *h3answer) close(panicked bool) {
	x := a.x
	x.body.stop()
	gone := x.ctx.Err() != nil || x.body.state.Load() == bodyCut
	switch what, no := a.returned(x.c.e, &x.req, panicked, gone, x.body.refusal()); {
	case what == fateSettled:
		return
	case what == fateRefuse:
		x.refuse(no, unheard(&x.req, panicked))
		return
	case what == fateEnd && !a.short():
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
		dst = h3.AppendField(dst, f.Name, trimBlanks(f.Value))
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
