package httpserver

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/warmfront/warmfront/internal/h1"
)

var (
	errBodyBroken = errors.New("httpserver: malformed request body")
	errBodyOver   = errors.New("httpserver: body read after the request's end")
	errNotAsked   = errors.New("httpserver: the viewer waits for 100 and has been given its answer")
	errBodyNotAll = io.ErrUnexpectedEOF
)

// noBody is the body of a request without one.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

// What has become of a body.
const (
	bodyNone      uint32 = iota // there is none, or all of it has been read
	bodyOpen                    // there is more
	bodyMalformed               // its framing is broken
	bodySlow                    // the viewer has not sent in time
	bodyCut                     // the viewer has gone
	bodyOver                    // the handler has returned
)

// bodyErrors are what a Read says of it.
var bodyErrors = [...]error{
	bodyNone:      io.EOF,
	bodyMalformed: errBodyBroken,
	bodySlow:      os.ErrDeadlineExceeded,
	bodyCut:       errBodyNotAll,
	bodyOver:      errBodyOver,
}

// incoming is a request body that whoever reads it fetches from the viewer itself: that of HTTP/1.1 and of HTTP/3.
// (What HTTP/2's connection reads waits in the stream: h2body.) A handler may have somebody else read it, who may be a
// moment late to stop: hence the lock.
type incoming struct {
	from    source
	answer  *outgoing // to the same request
	expects bool      // the viewer waits for 100; guarded by mu

	mu    sync.Mutex // held by Read
	state atomic.Uint32
}

// source is a protocol's part of an incoming body. It is called with mu.
type source interface {
	// octets reads at least one octet of the body, or says io.EOF at its end.
	octets(p []byte) (int, error)
	// proceed tells the viewer to go on.
	proceed() error
}

// Read implements io.Reader.
func (b *incoming) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch state := b.state.Load(); {
	case state != bodyOpen:
		return 0, bodyErrors[state]
	case len(p) == 0:
		return 0, nil
	case b.expects && !b.proceed():
		return 0, errNotAsked
	}
	n, err := b.from.octets(p)
	switch {
	case err == nil, err == errHalted:
	case err == io.EOF:
		b.become(bodyNone)
	case brokenBody(err):
		b.become(bodyMalformed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.become(bodySlow)
	default:
		b.become(bodyCut)
		err = errBodyNotAll
	}
	return n, err
}

// brokenBody tells the errors of a body that is not what it says.
func brokenBody(err error) bool {
	return err == h1.ErrChunk || err == errLength || err == errFrame || err == errWaste
}

// become notes what has become of the body, unless that is known already.
func (b *incoming) become(state uint32) { b.state.CompareAndSwap(bodyOpen, state) }

// proceed tells the viewer to go on, unless it has been answered. With mu.
func (b *incoming) proceed() bool {
	b.answer.mu.Lock()
	defer b.answer.mu.Unlock()
	if b.answer.begun {
		return false
	}
	b.expects = false
	return b.from.proceed() == nil
}

// refusal is what a viewer gets that has sent a broken body, or none, whatever the handler says.
func (b *incoming) refusal() refusal {
	switch b.state.Load() {
	case bodyMalformed:
		return malformed
	case bodySlow:
		return lateBody
	}
	return refusal{}
}
