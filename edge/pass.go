package edge

import (
	"io"
	"sync"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/websocket"
	"github.com/warmfront/warmfront/origin"
)

// passes tells which requests go past the cache.
func (v *visit) passes(q *query) (Reason, bool) {
	switch m := q.req.Method; {
	case v.purges(q):
		return Purging, true
	case v.wish == websocket.Handshake:
		return WebSocket, true
	case m != "GET" && m != "HEAD" && !(m == "OPTIONS" && q.behavior.Cached.Has("OPTIONS") && !q.site.RFC):
		return MethodUncached, true
	case q.behavior.CachingDisabled:
		return CachingDisabled, true
	case v.direct && !v.final:
		return RangeUncached, true
	}
	return 0, false
}

// stream is a body on its way from an origin to one viewer.
type stream struct{ body io.ReadCloser }

// pass asks the origin on behalf of this viewer alone. Nothing of it is stored or shared.
//
// What the behavior does not cache is no object: rules say nothing about it, and it must not be sent
// twice, so there is no decision to take anew. A range of what it does cache is one: it is compared
// with the rules as everything else, and fetched again when one has overtaken it; the final attempt
// takes the whole instead, whose head it can wait for with a limit. So is what goes past the cache because the edge is
// isolated (isolation.go).
func (v *visit) pass(q *query, why Reason) (*answer, step) {
	object := why == RangeUncached || why == IsolationBypass
	f := v.flight(q)
	if object {
		for _, r := range v.readers {
			r.leave() // of the whole that it does not want
		}
		if !v.e.flights.hold(f) {
			return nil, again
		}
		v.hold = f
	}
	v.ticket.close()
	var t toll
	if object {
		t = q.site.toll(v.e, f.subject.Load(), false)
	}
	resp, asked, err := v.e.consult(v.ctx, t, q.site, q.behavior, q.req.Method, func(b *distribution.Behavior) *origin.Request {
		return v.question(q, b)
	})
	if !safe(q.req.Method) {
		switch {
		case err != nil:
			v.e.wrote(q, 0, nil) // it may have been done all the same
		case resp.Status < 400:
			v.e.wrote(q, resp.Status, resp.Fields)
		}
	}
	if err != nil {
		return v.unpassed(q, asked, err, t.retryAfter())
	}
	a := v.passing(q, asked, resp, why)
	if !object {
		v.passed = a
		return a, found
	}
	s := *f.subject.Load()
	s.Tags = v.e.tagged(q.site, resp.Fields)
	s.Status, s.ContentType, s.Stored = resp.Status, resp.Fields.Get("Content-Type"), v.e.now()
	a.life, a.stamp, a.began, a.subject = f.life, f.stamp, f.began, &s
	return a, v.decide(q, a)
}

// question is what the origin of b is asked on behalf of this viewer.
func (v *visit) question(q *query, b *distribution.Behavior) *origin.Request {
	fw := b.Forward(q.site.Distribution, q.req)
	fields := v.e.hopped(fw.Fields, q.req, v.x.ID)
	if q.site.Targeted {
		fields = capable(fields)
	}
	for _, name := range conditions {
		if q.req.Fields.Has(name) {
			// Of two lines one origin takes the first, another the last: they are one list, or nothing.
			fields.Set(name, q.req.Fields.Joined(name))
		}
	}
	ask := &origin.Request{
		Method: q.req.Method, Path: fw.Path, Query: fw.Query, HasQuery: fw.HasQuery,
		Host: fw.Host, Scheme: q.req.Scheme, Fields: fields,
	}
	if v.r.ContentLength != 0 {
		ask.Body, ask.ContentLength = v.r.Body, v.r.ContentLength
	}
	return ask
}

// passing is the answer that an origin has given to this viewer alone.
func (v *visit) passing(q *query, asked *distribution.Behavior, resp *origin.Response, why Reason) *answer {
	v.streams = append(v.streams, stream{resp.Body})
	a := &answer{
		status: resp.Status, length: resp.ContentLength, outcome: Miss, reason: why, plain: true,
		fields:  v.e.passed(q.site, q.behavior, resp.Fields, v.e.now()),
		latency: resp.FirstByte, age: ageThen(resp.Fields), stream: &stream{resp.Body}, from: asked.Origin.ID,
	}
	if a.status >= 400 {
		a.outcome = Failed
	}
	return a
}

// unpassed is the answer when the origin could not be asked. The request may have had an effect: it
// is not sent again.
func (v *visit) unpassed(q *query, asked *distribution.Behavior, err error, retry int) (*answer, step) {
	why, status := failureOf(err)
	if why == ViewerGone || v.ctx.Err() != nil {
		return nil, left
	}
	v.e.noteFailure(q.site, asked, why, err)
	a := *v.failure(why)
	a.status, a.from = status, asked.Origin.ID
	if why == Paced {
		a.retry = retry
	}
	v.passed = &a
	return v.passed, found
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// carry copies a stream to the viewer. What comes in small pieces is handed on at once.
func (v *visit) carry(s *stream) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := s.body.Read(*buf)
		if n > 0 {
			if werr := v.write((*buf)[:n]); werr != nil {
				return werr
			}
			if n < len(*buf)/2 && err == nil {
				v.w.Flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
