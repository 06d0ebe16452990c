package httpserver

import (
	"bytes"
	"fmt"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// refusePlain is the Refuse of a Server that has none.
func refusePlain(w ResponseWriter, _ *message.Request, status int, reason string) {
	text := fmt.Sprintf("%d %s: %s\n", status, h1.StatusText[status], reason)
	w.Begin(status, message.Fields{
		{Name: "Date", Value: time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")},
		{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
	}, int64(len(text)))
	w.Write([]byte(text))
}

// refusal lets Refuse write its document; of is its r. A panic in it costs the document, not the status.
func (e *engine) refusal(no refusal, of *message.Request, head bool) *rawAnswer {
	a := &rawAnswer{head: head, status: no.status}
	func() {
		defer func() {
			if p := recover(); p != nil {
				e.log.Error("BUG: Refuse panicked", "panic", p)
				*a = rawAnswer{head: head, status: no.status}
			}
		}()
		e.refuse(a, of, no.status, no.reason)
	}()
	return a
}

// Refused tells a Handler what the engine answers in its place, if it has not begun an answer: the body is
// malformed, or has not been sent in time. Otherwise the status is 0.
func (r *Request) Refused() (status int, reason string) {
	if b, ok := r.Body.(interface{ refusal() refusal }); ok {
		no := b.refusal()
		return no.status, no.reason
	}
	return 0, ""
}

// unheard is what is told of a request whose handler has returned without an answer: nobody else tells of
// it if that was by a panic.
func unheard(r *Request, panicked bool) *message.Request {
	if panicked {
		return &r.Request
	}
	return nil
}

// rawAnswer is the ResponseWriter of refusals: a complete answer in memory.
type rawAnswer struct {
	head    bool
	begun   bool
	status  int
	fields  message.Fields
	body    bytes.Buffer
	aborted bool
}

// maxRefusalBody bounds an error document.
const maxRefusalBody = 64 << 10

func (a *rawAnswer) Begin(status int, fields message.Fields, length int64) error {
	if a.begun {
		return errBegun
	}
	a.begun, a.status, a.fields = true, status, fields
	return nil
}

func (a *rawAnswer) Write(p []byte) (int, error) {
	switch {
	case !a.begun:
		return 0, errNotBegun
	case a.body.Len()+len(p) > maxRefusalBody:
		return 0, errTooLong
	}
	return a.body.Write(p)
}

func (a *rawAnswer) Flush() error { return nil }
func (a *rawAnswer) Abort()       { a.aborted = true }

// bytes lays it out as the last answer of an HTTP/1.1 connection; nothing after an Abort.
func (a *rawAnswer) bytes() []byte {
	if a.aborted {
		return nil
	}
	out := h1.AppendHead(nil, a.status, a.fields, h1.Ending{Length: int64(a.body.Len()), Last: true})
	out = append(out, '\r', '\n')
	if !a.head {
		out = append(out, a.body.Bytes()...)
	}
	return out
}
