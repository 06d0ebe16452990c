// Package httpserver knows sockets and octets: listening, HTTP framing, limits, timeouts, drain. It
// knows no cache: each parsed request is offered first to an inline answerer, which appends prepared
// bytes or declines at once, and then to the general handler, on the same goroutine.
//
// This file is the boundary between "socket" and "life of a request"; whatever engine serves behind
// it must keep exactly this.
package httpserver

import (
	"context"
	"io"

	"github.com/warmfront/warmfront/internal/message"
)

// Request is a parsed request. It is valid until the handler returns.
type Request struct {
	message.Request
	Body          io.Reader // never nil; io.EOF at once when there is none
	ContentLength int64     // -1 when unknown (chunked), 0 when there is no body
}

// Handler lives the life of a request. It is called concurrently, once per request, and must begin
// an answer before it returns; otherwise the engine answers 500. ctx ends when the viewer goes away
// or the server's drain time is over.
type Handler interface {
	Serve(ctx context.Context, w ResponseWriter, r *Request)
}

// Answerer is the inline answerer of plain hits. Answer appends a complete HTTP/1.1 response for r to
// dst and returns true, or returns dst unchanged and false. It must not block.
type Answerer interface {
	Answer(dst []byte, r *Request) ([]byte, bool)
}

// ResponseWriter writes one answer. It is used by one goroutine.
type ResponseWriter interface {
	// Begin sends the status line and fields, in order. length is the body's length in octets, or -1
	// when it is not known beforehand (chunked, or closed at the end for HTTP/1.0). The engine adds
	// what framing needs (Content-Length, Transfer-Encoding, Connection) and nothing else; such fields
	// in the argument are dropped. For HEAD, 204 and 304 no body follows; Content-Length is sent for
	// length >= 0 where RFC 9110 allows it. Begin is called once.
	Begin(status int, fields message.Fields, length int64) error
	// Write sends body octets. Beyond the announced length it returns an error.
	Write(p []byte) (int, error)
	// Flush hands what was written to the socket now.
	Flush() error
	// Abort makes the cut visible: the connection is closed without a clean end of the body.
	Abort()
}
