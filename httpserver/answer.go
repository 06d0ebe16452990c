package httpserver

import (
	"strconv"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

// turn is one request in its Handler's hands, with its body and its answer. It is new for every
// request, so whoever keeps it beyond the handler's return reaches nothing of the next one.
type turn struct {
	req    Request
	body   body
	answer answer
}

func (x *turn) open(c *conn, f framing) {
	x.answer.x, x.answer.c, x.answer.minor, x.answer.last = x, c, x.req.Minor, f.closes
	x.answer.head = x.req.Method == "HEAD"
	x.body.c, x.body.from, x.body.answer, x.body.expects = c, &x.body, &x.answer.outgoing, f.expects
	if f.length != 0 {
		x.body.chunked = f.length < 0
		x.body.left.Store(f.length)
		x.body.state.Store(bodyOpen)
		x.req.Body = &x.body
	}
}

// close ends the turn after the handler has returned. It reports whether the connection lives on.
func (x *turn) close(panicked bool) bool {
	a, c := &x.answer, x.answer.c
	free := x.body.stop()
	gone := c.gone.Load() || x.body.state.Load() == bodyCut
	switch what, no := a.returned(c.e, &x.req, panicked, gone, x.body.refusal()); what {
	case fateCut:
		a.cut()
	case fateRefuse:
		c.refuseAs(no, unheard(&x.req, panicked), a.head)
	case fateEnd:
		if a.end() != nil {
			return false
		}
		c.lingers = a.last || !free || !x.body.discard()
		return !c.lingers
	}
	return false
}

// answer is the ResponseWriter of HTTP/1.1. What it lays out gathers in the desk's out; large pieces go straight
// to the socket, behind what has gathered, in one call.
type answer struct {
	outgoing
	x       *turn
	c       *conn
	minor   int
	last    bool // the connection closes after it
	chunked bool
	sent    bool // something has left
}

// Begin implements ResponseWriter.
func (a *answer) Begin(status int, fields message.Fields, length int64) error {
	no := a.x.body.refusal()
	said, err := a.begin(status, length, no)
	switch err {
	case nil:
	case errRefused:
		a.c.refuseAs(no, nil, a.head)
		return err
	default:
		return err
	}
	a.c.begun = true
	a.chunked = a.bodied && length < 0 && a.minor > 0
	a.last = a.last || a.c.e.leaving.Load() || !a.x.body.short() || a.bodied && length < 0 && !a.chunked
	d := a.c.desk
	d.out = append(h1.AppendHead(d.out, status, fields, h1.Ending{Length: said, Chunked: a.chunked, Last: a.last}), '\r', '\n')
	return nil
}

// Write implements ResponseWriter. Where no body follows it only counts.
func (a *answer) Write(p []byte) (int, error) {
	if send, err := a.take(len(p)); err != nil {
		return 0, err
	} else if !send {
		return len(p), nil
	}
	d := a.c.desk
	if a.chunked {
		d.out = append(strconv.AppendUint(d.out, uint64(len(p)), 16), '\r', '\n')
	}
	if large, full := d.gather(p); full {
		a.send(large)
	}
	if a.chunked {
		d.out = append(d.out, '\r', '\n')
	}
	if a.err != nil {
		return 0, a.err
	}
	return len(p), nil
}

// send hands what has gathered, and p behind it, to the socket.
func (a *answer) send(p []byte) {
	d := a.c.desk
	if a.err == nil && len(d.out)+len(p) > 0 {
		a.sent = true
		_, a.err = a.c.send(d.out, Rest{Octets: p})
		a.c.begun = false
	}
	d.out = d.out[:0]
}

// Flush implements ResponseWriter.
func (a *answer) Flush() error {
	if a.aborted || a.over {
		return errAborted
	}
	a.send(nil)
	return a.err
}

// end sends what is left of a complete answer. A handler that has written too little gets the cut that
// its viewer must see.
func (a *answer) end() error {
	if a.short() {
		a.send(nil)
		return errAborted
	}
	if a.chunked {
		a.c.desk.out = append(a.c.desk.out, "0\r\n\r\n"...)
	}
	a.send(nil)
	return a.err
}

// cut forgets what has not been sent. A body that only the end of the connection ends must not end
// cleanly: a reset tells.
func (a *answer) cut() {
	a.c.desk.out = a.c.desk.out[:0]
	a.c.broken = true
	if l, ok := a.c.nc.(interface{ SetLinger(int) error }); ok && a.sent && a.bodied && a.left < 0 && !a.chunked {
		l.SetLinger(0)
	}
}

// AppendHead appends the head of an answer as Begin lays it out for a viewer of HTTP/1.1 whose
// connection lives on, without the empty line that ends it: more fields may follow.
func AppendHead(dst []byte, status int, fields message.Fields, length int64) []byte {
	return h1.AppendHead(dst, status, fields, h1.Ending{Length: length})
}

// AppendBlock appends the header block of an answer over HTTP/2: the counterpart of AppendHead. More fields may
// follow, by AppendBlockField.
func AppendBlock(dst []byte, status int, fields message.Fields, length int64) []byte {
	return h2.AppendBlock(dst, status, fields, length)
}

// AppendBlockField appends one field, as a literal without indexing.
func AppendBlockField(dst []byte, name, value string) []byte { return h2.AppendField(dst, name, value) }
