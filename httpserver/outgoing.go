package httpserver

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
)

var (
	errBegun    = errors.New("httpserver: answer begun twice")
	errNotBegun = errors.New("httpserver: body before Begin")
	errTooLong  = errors.New("httpserver: body longer than announced")
	errAborted  = errors.New("httpserver: answer aborted")
	errRefused  = errors.New("httpserver: the request's body was malformed and has been refused")
	errStatus   = errors.New("httpserver: no such final status")
)

// outgoing is how far an answer is, and what may still be said of it: what the ResponseWriters of all protocols
// have in common. They embed it, and know the framing. It belongs to the Handler's goroutine.
type outgoing struct {
	head bool // to HEAD

	mu      sync.Mutex // held to begin, and to tell the viewer to go on: one excludes the other
	begun   bool       // guarded by mu for whoever is not the handler
	refused bool       // by the engine, over the body
	aborted bool
	over    bool  // the handler has returned
	bodied  bool  // body octets are sent, not only counted
	left    int64 // of the announced length; < 0: not announced
	err     error // the transport's: nothing is sent after it
}

// begin is the head of every Begin; no is what the request's body has come to. said is the length that the
// answer's head tells, < 0 for none. After errRefused the engine has to answer as no says.
func (o *outgoing) begin(status int, length int64, no refusal) (said int64, err error) {
	switch {
	case o.begun:
		return 0, errBegun
	case o.aborted || o.over:
		return 0, errAborted
	case status < 200 || status > 999:
		return 0, errStatus
	}
	o.mu.Lock()
	o.begun, o.refused = true, no.status != 0
	o.mu.Unlock()
	if o.refused {
		return 0, errRefused
	}
	o.left = length
	o.bodied = !o.head && status != 204 && status != 304
	if status == 204 {
		length = -1
	}
	return length, nil
}

// take is the head of every Write: it judges n octets of the body and counts them. send tells whether they go to the
// viewer; otherwise they are only counted.
func (o *outgoing) take(n int) (send bool, err error) {
	switch {
	case o.aborted || o.over:
		return false, errAborted
	case o.refused:
		return false, errRefused
	case !o.begun:
		return false, errNotBegun
	case o.left >= 0 && int64(n) > o.left:
		return false, errTooLong
	case o.err != nil:
		return false, o.err
	}
	if o.left >= 0 {
		o.left -= int64(n)
	}
	return o.bodied && n > 0, nil
}

// whole tells whether all of the announced body has been taken.
func (o *outgoing) whole() bool { return !o.bodied || o.left == 0 }

// short tells whether an announced body lacks octets, which its viewer must see as a cut.
func (o *outgoing) short() bool { return o.bodied && o.left > 0 }

// Abort implements ResponseWriter. The cut happens when the handler returns.
func (o *outgoing) Abort() { o.aborted = true }

// fate is what is to become of an answer whose handler has returned.
type fate uint8

const (
	fateSettled fate = iota // nothing: the engine has answered, over the request's body
	fateEnd                 // it goes to its end, as far as there is one
	fateCut                 // its viewer is to see that it is cut
	fateUnheard             // nobody waits for one
	fateRefuse              // the engine answers
)

// returned decides. body is what the request's body has come to, gone tells that the viewer has left.
func (o *outgoing) returned(e *engine, r *Request, panicked, gone bool, body refusal) (fate, refusal) {
	o.over = true
	switch {
	case o.refused:
		return fateSettled, refusal{}
	case o.aborted || o.begun && panicked:
		return fateCut, refusal{}
	case o.begun:
		return fateEnd, refusal{}
	case panicked:
	case body.status != 0:
		return fateRefuse, body // a handler that could not read the body has nothing to say
	case gone:
		return fateUnheard, refusal{}
	default:
		e.log.Error("BUG: handler returned without an answer", "method", r.Method, "host", r.Host, "path", r.Path)
	}
	return fateRefuse, refusal{500, ReasonInternal}
}

// serve calls the Handler and contains its panic: one broken request must not take the others along.
func (e *engine) serve(ctx context.Context, w ResponseWriter, r *Request) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			e.log.Error("BUG: handler panicked", "panic", p, "method", r.Method, "host", r.Host, "path", r.Path, "stack", string(debug.Stack()))
		}
	}()
	e.handler.Serve(ctx, w, r)
	return false
}
