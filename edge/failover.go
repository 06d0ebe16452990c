package edge

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// Origin groups. Every fetch begins at the first member. When that fails in a way that the group lists, the
// second is asked within the same fill: with what belongs to it, by the same stamp, for the same waiters. What
// comes of the second is the answer, whatever it is; a stale object takes its place by the same rules as that of
// an origin alone.
//
// An object knows if it came from a second member, for its validators mean something to that one only: a first
// that says 304 to the date of the second's sorry page would keep the page for ever.

// consult asks the origin of b and, if it fails by its group's criteria, the second member, each when t is passed. asked
// is who has given the answer, or the error.
func (e *Edge) consult(ctx context.Context, t toll, x *site, b *distribution.Behavior, method string,
	question func(b *distribution.Behavior) *origin.Request) (resp *origin.Response, asked *distribution.Behavior, err error) {

	if err := t.pass(ctx); err != nil {
		return nil, b, err
	}
	r := question(b)
	r.Again = t.again()
	first, giveUp := context.WithCancel(ctx)
	resp, err = e.cfg.Origin.Fetch(first, b.Origin, r)
	second := b.Second(method)
	if second == nil || r.Body != nil || !failsOver(b.Group, resp, err) {
		_ = giveUp // first ends with ctx: the body needs it
		return resp, b, err
	}
	e.failOver(x, b, resp, err)
	drain(resp, giveUp)
	if err := t.pass(ctx); err != nil {
		return nil, second, err
	}
	r = question(second)
	r.Again = t.again()
	resp, err = e.cfg.Origin.Fetch(ctx, second.Origin, r)
	return resp, second, err
}

// failOver notes that the second member is asked.
func (e *Edge) failOver(x *site, b *distribution.Behavior, resp *origin.Response, err error) {
	e.failovers.Add(1)
	if err != nil {
		why, _ := failureOf(err)
		e.noteFailure(x, b, why, err)
		return
	}
	e.log.Debug("origin failed", "distribution", x.ID, "origin", b.Origin.ID, "status", resp.Status)
}

// drain ends what has come from the first member, if anything has. The rest may be there already, and then its connection
// is of use again; but nobody waits for it.
func drain(resp *origin.Response, giveUp func()) {
	defer giveUp()
	if resp == nil {
		return
	}
	if n := resp.ContentLength; 0 <= n && n <= drained {
		late := time.AfterFunc(drainTime, giveUp)
		io.CopyN(io.Discard, resp.Body, n)
		late.Stop()
	}
	resp.Body.Close()
}

const (
	// drained is the largest body of a failure that is read to its end.
	drained = 16 << 10
	// drainTime is how long that may take.
	drainTime = 100 * time.Millisecond
)

// failsOver tells whether what came of the first member is a failure by the group's criteria. For what is no
// answer CloudFront counts 503 where there is no connection, 504 where there is no answer in time; for what it
// would answer with 502, that.
func failsOver(g *distribution.Group, resp *origin.Response, err error) bool {
	if err == nil {
		return g.FailsOver(resp.Status)
	}
	var oe *origin.Error
	if !errors.As(err, &oe) {
		return false
	}
	switch oe.Kind {
	case origin.Down:
		return failsOver(g, nil, oe.Err)
	case origin.DNS, origin.Connect, origin.Busy:
		return g.FailsOver(503)
	case origin.ConnectTimeout:
		return g.FailsOver(503) || g.FailsOver(504)
	case origin.ReadTimeout:
		return g.FailsOver(504)
	case origin.TLS, origin.Invalid, origin.HeaderTooBig, origin.Closed:
		return g.FailsOver(502)
	}
	return false
}

// knows tells whether the validators among an object's fields are of the origin of b, which is the first of its
// group or the second.
func (f *flight) knows(b *distribution.Behavior, fields message.Fields) bool {
	n := len(fields) - 1
	if n < 0 || fields[n].Name != fromField {
		return b == f.behavior
	}
	return fields[n].Value == b.Origin.ID
}
