package origin

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

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
	Canceled                   // nothing of the origin's doing: the caller's context ended, or the viewer's body broke off
)

var kindNames = [...]string{"Invalid", "DNS", "Connect", "ConnectTimeout", "TLS", "ReadTimeout", "HeaderTooBig", "Closed", "Canceled"}

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

// classify names what net/http's Transport reports. Most of its errors have no type; what is neither
// a matter of time nor of the connection can only be something that it could not read.
func classify(ctx context.Context, op string, err error) *Error {
	var own *Error
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		// The transport may report any consequence of the end first, such as a closed connection.
		cause := context.Cause(ctx)
		if errors.Is(cause, errReadTimeout) || errors.Is(cause, errCompletion) {
			return &Error{ReadTimeout, op, cause}
		}
		return &Error{Canceled, op, cause}
	case errors.As(err, &own):
		return own
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Error{ReadTimeout, op, err}
	case strings.Contains(err.Error(), "response headers exceeded"):
		return &Error{HeaderTooBig, op, err}
	case connectionGone(err):
		return &Error{Closed, op, err}
	}
	return &Error{Invalid, op, err}
}

func connectionGone(err error) bool {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return strings.Contains(err.Error(), "server closed idle connection")
}

// dialError names why there is no connection.
func dialError(err error) *Error {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return &Error{DNS, "connect", err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{ConnectTimeout, "connect", err}
	case errors.Is(err, context.Canceled):
		return &Error{Canceled, "connect", err}
	}
	return &Error{Connect, "connect", err}
}

// handshakeError names why there is no TLS on the connection.
func handshakeError(err error) *Error {
	var timeout net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{ConnectTimeout, "handshake", err}
	case errors.Is(err, context.Canceled):
		return &Error{Canceled, "handshake", err}
	}
	return &Error{TLS, "handshake", err}
}
