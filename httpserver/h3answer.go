package httpserver

import (
	"github.com/quic-go/quic-go"

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
		a.x.d.out = h3.AppendHead(a.x.d.out, status, fields, said)
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
