// Package httpserver knows sockets and octets: listening, HTTP framing, limits, timeouts, drain. It
// knows no cache: each parsed request is offered first to an inline answerer, which appends prepared
// bytes or declines at once, and then to the general handler, on the same goroutine.
//
// This file is the boundary between "socket" and "life of a request".
//
// # A connection
//
// One goroutine reads, parses, asks and writes (conn.go). All complete requests that one read brought
// are parsed in place (head.go) and, as far as the inline answerer takes them, answered in one write;
// such a request costs two system calls, no allocation and no lock that connections share. What is
// more than a plain hit goes on in the same goroutine, after what is answered so far has been sent:
// its head is copied once, so that it may outlive the buffer, and its answer goes through a
// ResponseWriter (answer.go). What the ResponseWriters and bodies of all protocols have in common is in outgoing.go
// and incoming.go. Between requests a connection has no buffer: what was read into and
// written from is given back (desk.go).
//
// TCP is read and written by raw system calls (transfer.go, sock_linux.go), anything else through net.Conn.
//
// # TLS
//
// With Server.TLS a connection begins with a handshake. What its name wants (Names) decides the version, the
// cipher suites and the protocol, within what this server speaks (tls.go). crypto/tls does the cryptography; the
// octets go the same way as without it (secure.go, wire.go): one read brings whole records, one write takes all
// records of a batch, and who waits for a viewer has no buffers.
//
// # HTTP/2
//
// The same connection with frames in place of heads (h2.go): what one read brought is answered in one write,
// plain hits on the way. What more than one goroutine does there, a handler for each stream and whoever sends,
// is written down in h2.go. The octets and the arithmetic of frames are internal/h2's.
//
// # HTTP/3
//
// With Server.Packets there is QUIC beside TCP (h3.go). Each request has a stream and a goroutine; from its
// field section on, which is judged as HTTP/2's is (section.go), it goes the same way.
//
// # Behind a balancer
//
// With Server.Proxied a connection begins, before TLS, with a header that says whose it is (proxy.go).
//
// # Time
//
// No request of TCP has a timer. A connection that has to wait notes until when, and one goroutine, the warden,
// goes round and wakes those that are overdue; it also looks whether the viewers of waiting handlers
// are still there (warden.go). Times are therefore kept to within a quarter of a second.
//
// # Strictness
//
// A request is accepted when it is what RFC 9112 generates, not what it tolerates. Whatever two
// programs could read in two ways is refused, and a refusal is the last answer on its connection.
package httpserver

import (
	"context"
	"io"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/pages"
)

// Request is a parsed request. A Handler may keep its strings; an Inline may not.
type Request struct {
	message.Request
	Body          io.Reader // never nil; io.EOF at once when there is none; an error after the handler has returned
	ContentLength int64     // -1 when unknown (chunked), 0 when there is no body
}

// Handler lives the life of a request. It is called concurrently, once per request, and must begin
// an answer before it returns; otherwise the engine answers 500, unless reading the request's body has
// failed: then the engine knows the answer, or that nobody waits for one. ctx ends when the viewer goes
// away or the server's drain time is over.
type Handler interface {
	Serve(ctx context.Context, w ResponseWriter, r *Request)
}

// Answerer makes inline answerers of plain hits.
type Answerer interface {
	Inline() Inline
}

// Inline answers plain hits on the way. It is used by one goroutine at a time, for the requests of one
// connection's batch, then for another's. It is offered GET and HEAD without body and without Expect, on
// a connection that lives on. It must not block. For HTTP/3 it answers as for HTTP/1.1, and the engine says
// the same in HTTP/3.
type Inline interface {
	// Answer appends a complete answer to dst and returns true, or returns dst unchanged and false. For a
	// request of HTTP/2 (r.Major) it appends a header block (AppendBlock), and the whole body is rest.
	// What it returns as rest follows on the wire without being copied; a large body belongs there. r
	// and everything in it is valid until Answer returns; where Done follows, r and dst are until then.
	Answer(dst []byte, r *Request) (out []byte, rest Rest, ok bool)
	// Sent says that what Answer has appended to dst since the last Sent is in the socket's hands, or
	// never will be. It is called after every batch in which Answer was called, also when it has only
	// declined, and before any Handler runs or anything is waited for but room for dst in the socket:
	// a rest that a slow viewer takes its time for is not waited for.
	Sent()
	// Done says that the rest of the last answer is out, or that it was cut after sent octets. It is
	// called before the next Answer, for every answer with a rest but those of which Later is asked. Over HTTP/2 it is out
	// when it goes with the batch.
	Done(sent int64, cut bool)
	// Later is called in Done's place where other requests are answered while the rest of the last answer is under way:
	// HTTP/2 with a body that is large, or for which its viewer leaves no room. What it returns is called once, by
	// any goroutine, as Done would be; r is not valid then. sent may count as much as one write that has failed.
	Later() (done func(sent int64, cut bool))
}

// Rest is what follows an answer of an Inline on the wire: octets that never change. Whoever keeps its
// Octets keeps its Pages too.
type Rest struct {
	Octets []byte
	Pages  *pages.Octets // where Octets lie: the kernel may send them from there. Nil: in the heap
	Brief  bool          // Octets are good until the next Answer only: who keeps them copies them
	// File, in place of Octets, is part of a file. It follows answers to requests of HTTP/1.1 without TLS only, where the
	// kernel can send it without anybody's copying it.
	File FilePart
}

// size is how many octets there are.
func (r *Rest) size() int {
	if r.File != nil {
		return int(r.File.Size())
	}
	return len(r.Octets)
}

// FilePart is octets that lie in a file, good from Answer to Done.
type FilePart interface {
	Size() int64
	// Hold says that the part's octets are about to be read or sent, and Release that they have been: every single time,
	// for they may be about to be overwritten. After Hold has returned false they are gone, and the answer is cut.
	Hold() bool
	Release()
	// Descriptor is of the file, and where in it the part begins. ok is false if it has none: then ReadAt it is.
	Descriptor() (fd uintptr, off int64, ok bool)
	// Prompt tells whether the kernel, if it is asked at once, sends the part without waiting for a disk.
	Prompt() bool
	// ReadAt implements io.ReaderAt.
	ReadAt(p []byte, off int64) (int, error)
}

// ResponseWriter writes one answer. It is used by one goroutine, until the handler returns.
type ResponseWriter interface {
	// Begin lays out the status line and fields, in order. length is the body's length in octets, or -1
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
