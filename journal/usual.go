package journal

import (
	"bytes"
	"math"
	"time"
)

// usual reads an entry as Encode writes it, if it has only facts of which there may be thousands a second: plain invalidations, what
// declares them completed, ticks, and the edges that come and go, of which a fleet that starts has thousands, for each of as many edges to
// read. Of those an edge would otherwise spend more time on reading than on all else.
//
// It knows one spelling and nothing else: members in their order, no blank, no escape, ASCII. Whatever differs from that, right or wrong, ends
// it with nil, and Decode reads all of it again by the rules of JSON. So it never says yes to what JSON would not, and never reads
// something else (FuzzDecode).
func usual(b []byte) *Entry { return (&reader{b: b, ok: true}).entry() }

// usualForEdge is the same for DecodeForEdge.
func usualForEdge(b []byte) *Entry { return (&reader{b: b, ok: true, edge: true}).entry() }

func (r *reader) entry() *Entry {
	var e Entry
	r.must(`{"Epoch":`)
	e.Epoch = ID(r.text())
	r.must(`,"Seq":`)
	e.Seq = r.number()
	r.must(`,"ID":`)
	e.ID = ID(r.text())
	r.must(`,"Prev":`)
	e.Prev = ID(r.text())
	r.must(`,"Time":`)
	e.Time = r.time()
	r.must(`,"Facts":[`)
	e.Facts = make([]Fact, 0, 1)
	for more := r.ok; more; more = r.may(`,`) {
		e.Facts = append(e.Facts, r.fact())
	}
	r.must(`]}`)
	if !r.ok || len(r.b) > 0 {
		return nil
	}
	return &e
}

// usualAck is the same for what each edge sends for each entry; false: it is not as an edge writes it.
func usualAck(b []byte) (a Ack, ok bool) {
	r := reader{b: b, ok: true}
	r.must(`{"Edge":`)
	a.Edge = r.text()
	r.must(`,"Incarnation":`)
	a.Incarnation = r.text()
	r.must(`,"Epoch":`)
	a.Epoch = ID(r.text())
	r.must(`,"Seq":`)
	a.Seq = r.number()
	r.must(`,"ID":`)
	a.ID = ID(r.text())
	r.must(`,"At":`)
	a.At = r.time()
	r.must(`}`)
	return a, r.ok && len(r.b) == 0
}

// reader reads from front to back. When something is not as expected it is not ok, and everything that comes is nothing.
type reader struct {
	b    []byte
	ok   bool
	edge bool // an edge reads: what none goes by is stepped over
}

func (r *reader) fact() (f Fact) {
	switch {
	case r.may(`{"Invalidated":{`):
		f.Invalidated = r.invalidated()
	case r.may(`{"Completed":{`):
		f.Completed = r.completed()
	case r.may(`{"Tick":{`):
		f.Tick = &Tick{}
	case r.may(`{"EdgeJoined":{`):
		f.EdgeJoined = r.joined()
	case r.may(`{"EdgeLeft":{`):
		f.EdgeLeft = r.left()
	default:
		r.fail()
	}
	r.must(`}}`)
	return f
}

func (r *reader) invalidated() *Invalidated {
	var inv Invalidated
	r.must(`"DistributionID":`)
	inv.DistributionID = r.text()
	r.must(`,"InvalidationID":`)
	inv.InvalidationID = r.text()
	r.must(`,"CallerReference":`)
	inv.CallerReference = r.text()
	r.must(`,"Items":[`)
	inv.Items = make([]string, 0, 1)
	for more := r.ok; more; more = r.may(`,`) {
		inv.Items = append(inv.Items, r.text())
	}
	r.must(`],"CreateTime":`)
	inv.CreateTime = r.time()
	if r.may(`,"Comment":`) {
		inv.Comment = r.text()
	}
	if r.may(`,"Mode":`) {
		inv.Mode = Mode(r.text())
	}
	r.must(`,"By":{`)
	inv.By = r.actor()
	return &inv
}

func (r *reader) actor() (a Actor) {
	comma := ""
	for _, m := range [...]struct {
		name  string
		value *string
	}{{`"User":`, &a.User}, {`"AccessKey":`, &a.AccessKey}, {`"Address":`, &a.Address}} {
		if r.may2(comma, m.name) {
			*m.value, comma = r.text(), ","
		}
	}
	r.must(`}`)
	return a
}

func (r *reader) completed() *Completed {
	var c Completed
	r.must(`"UpTo":`)
	c.UpTo = r.number()
	r.must(`,"At":`)
	c.At = r.time()
	if r.may(`,"Edges":[`) {
		for more := r.ok; more; more = r.may(`,`) {
			if r.edge {
				r.pastApplied()
			} else {
				c.Edges = append(c.Edges, r.applied())
			}
		}
		r.must(`]`)
	}
	if r.may(`,"Members":`) {
		c.Members = int(r.number())
	}
	return &c
}

func (r *reader) applied() (a EdgeApplied) {
	r.must(`{"Edge":`)
	a.Edge = r.text()
	if r.may(`,"Location":`) {
		a.Location = r.text()
	}
	if r.may(`,"At":`) {
		a.At = r.time()
	}
	if r.may(`,"Acked":`) {
		a.Acked = r.number()
	}
	r.must(`}`)
	return a
}

// pastApplied steps over what applied reads. That an instant is one nobody has looked at.
func (r *reader) pastApplied() {
	r.must(`{"Edge":`)
	r.quoted()
	if r.may(`,"Location":`) {
		r.quoted()
	}
	if r.may(`,"At":`) {
		r.quoted()
	}
	if r.may(`,"Acked":`) {
		r.number()
	}
	r.must(`}`)
}

func (r *reader) joined() *EdgeJoined {
	var j EdgeJoined
	r.must(`"Edge":`)
	j.Edge = r.text()
	r.must(`,"Location":`)
	j.Location = r.text()
	r.must(`,"Incarnation":`)
	j.Incarnation = r.text()
	if r.may(`,"Address":`) {
		j.Address = r.text()
	}
	if r.may(`,"Epoch":`) {
		j.Epoch = ID(r.text())
	}
	if r.may(`,"After":`) {
		j.After = r.number()
	}
	if r.may(`,"AfterID":`) {
		j.AfterID = ID(r.text())
	}
	return &j
}

func (r *reader) left() *EdgeLeft {
	var l EdgeLeft
	r.must(`"Edge":`)
	l.Edge = r.text()
	r.must(`,"Incarnation":`)
	l.Incarnation = r.text()
	return &l
}

func (r *reader) fail() { r.b, r.ok = nil, false }

// may reads exactly this, if it is what comes.
func (r *reader) may(s string) bool {
	if len(r.b) < len(s) || string(r.b[:len(s)]) != s {
		return false
	}
	r.b = r.b[len(s):]
	return true
}

// may2 is may for two behind each other.
func (r *reader) may2(s, t string) bool {
	if n := len(s) + len(t); len(r.b) < n || string(r.b[:len(s)]) != s || string(r.b[len(s):n]) != t {
		return false
	}
	r.b = r.b[len(s)+len(t):]
	return true
}

func (r *reader) must(s string) {
	if !r.may(s) {
		r.fail()
	}
}

// text reads a string. It is a copy of its own: nothing that is kept of an entry keeps the rest of it.
func (r *reader) text() string {
	q := r.quoted()
	if len(q) < 2 {
		return ""
	}
	return string(q[1 : len(q)-1])
}

// quoted reads a string that stands for itself, and returns it with its quotes.
func (r *reader) quoted() []byte {
	if len(r.b) == 0 || r.b[0] != '"' {
		r.fail()
		return nil
	}
	n := 1 + bytes.IndexByte(r.b[1:], '"')
	for _, c := range r.b[1:max(n, 1)] {
		if c < ' ' || c > '~' || c == '\\' {
			n = 0
		}
	}
	if n == 0 {
		r.fail()
		return nil
	}
	q := r.b[:n+1]
	r.b = r.b[n+1:]
	return q
}

func (r *reader) time() (t time.Time) {
	if t.UnmarshalJSON(r.quoted()) != nil {
		r.fail()
	}
	return t
}

func (r *reader) number() uint64 {
	n, end := number(r.b)
	if end == 0 || r.b[0] == '0' && end > 1 || n > math.MaxInt64 {
		r.fail()
		return 0
	}
	r.b = r.b[end:]
	return n
}
