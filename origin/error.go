package origin

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

// Kind is the way in which an origin failed. The edge has a status and a reason line for each.
type Kind uint8

// The kinds. Their order is of no meaning.
const (
	Invalid        Kind = iota // it answered, but not in HTTP
	DNS                        // its name has no address
	Connect                    // no connection: refused, unreachable
	ConnectTimeout             // no connection in time
	TLS                        // no common version, or a certificate that cannot be trusted
	ReadTimeout                // connected, then silent for too long, or never complete
	HeaderTooBig               // the head of its answer is over the limit
	Closed                     // it closed the connection before or within the answer
	Unsendable                 // nothing of the origin's doing: the request could not be written as one request. A mistake of ours
	Down                       // it has not answered for a while and was not asked; Err is what failed last
	Busy                       // nothing of the origin's doing: there was no place among the requests on their way to it
	Canceled                   // nothing of the origin's doing: the caller's context ended, or the viewer's body broke off
)

var kindNames = [...]string{"Invalid", "DNS", "Connect", "ConnectTimeout", "TLS", "ReadTimeout", "HeaderTooBig", "Closed", "Unsendable", "Down", "Busy", "Canceled"}

// Kinds lists all kinds, for tables that must not miss one.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind?"
}

// Error is the only type of error that Fetch and a response's Body return.
type Error struct {
	Kind Kind
	Op   string // "connect", "handshake", "ask", "read body"
	Err  error

	Retry time.Duration // of Down and Busy: after how long it may be asked again
}

func (e *Error) Error() string {
	return "origin: " + e.Op + ": " + e.Kind.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// again tells whether asking once more may help.
func (e *Error) again(o *distribution.Origin) bool {
	switch e.Kind {
	case Connect, ConnectTimeout:
		return true
	case ReadTimeout:
		// The completion timeout bounds all attempts together; when it ends one, it ends all.
		return !o.S3 && !errors.Is(e.Err, errCompletion)
	case DNS:
		var d *net.DNSError
		return errors.As(e.Err, &d) && !d.IsNotFound
	}
	return false
}

// classify names what a connection reports: whether it is gone, or says what is no HTTP.
func classify(op string, err error) *Error {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, io.ErrClosedPipe, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, gone) {
			return &Error{Kind: Closed, Op: op, Err: err}
		}
	}
	return &Error{Kind: Invalid, Op: op, Err: err}
}

func timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// dialError names why there is no connection.
func dialError(err error) *Error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return &Error{Kind: DNS, Op: "connect", Err: err}
	case errors.Is(err, context.DeadlineExceeded), timeout(err):
		return &Error{Kind: ConnectTimeout, Op: "connect", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Canceled, Op: "connect", Err: err}
	}
	return &Error{Kind: Connect, Op: "connect", Err: err}
}

// handshakeError names why there is no TLS on the connection.
func handshakeError(err error) *Error {
	switch {
	case errors.Is(err, context.DeadlineExceeded), timeout(err):
		return &Error{Kind: ConnectTimeout, Op: "handshake", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Canceled, Op: "handshake", Err: err}
	}
	return &Error{Kind: TLS, Op: "handshake", Err: err}
}
