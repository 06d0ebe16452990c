package httpserver

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/quic-go/quic-go"
)

// Why a handshake has failed, as Server.HandshakeFailed is told.
const (
	HandshakeNotTLS      = "not-tls"     // what came is something else, as plain HTTP is
	HandshakeVersion     = "version"     // no version of TLS in common
	HandshakeCipher      = "cipher"      // no cipher suite, curve or signature in common
	HandshakeProtocol    = "protocol"    // none that the name may speak (ALPN)
	HandshakeCertificate = "certificate" // there is none to show
	HandshakeRefused     = "refused"     // by the viewer, which mostly does not trust the certificate
	HandshakeTimeout     = "timeout"     // not complete in time
	HandshakeLeft        = "left"        // the viewer went away in the middle; not seen over QUIC
	HandshakeMalformed   = "malformed"   // anything else that is not in order
)

// alerts are those of RFC 8446 section 6.2 by which crypto/tls ends a handshake and that say why.
var alerts = map[byte]string{
	40: HandshakeCipher, 70: HandshakeVersion, 86: HandshakeVersion, 120: HandshakeProtocol,
	80: HandshakeCertificate, 112: HandshakeCertificate,
}

func reasonOf(alert byte) string {
	if why, ok := alerts[alert]; ok {
		return why
	}
	return HandshakeMalformed
}

// recordAlert begins an alert that is not encrypted.
const recordAlert = 21

// failed reports a handshake that err has ended. A drain is nobody's failure.
func (c *conn) failed(err error) {
	c.e.log.Debug("tls handshake ended", "remote", c.remote, "err", err)
	var op net.OpError
	if o := (*net.OpError)(nil); errors.As(err, &o) {
		op = *o
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	switch alert, said := c.wire.alert(); {
	case late && c.e.draining.Load():
	case late:
		c.e.failed(false, HandshakeTimeout)
	case said:
		c.e.failed(false, reasonOf(alert))
	case c.wire.refused, op.Op == "remote error":
		c.e.failed(false, HandshakeRefused)
	case errors.Is(err, io.EOF), op.Op != "" && op.Op != "local error", errors.As(err, new(syscall.Errno)):
		c.e.failed(false, HandshakeLeft)
	default:
		c.e.failed(false, HandshakeMalformed)
	}
}

// alert is the one at the end of what has been gathered, if one is there and readable by everybody.
func (w *wire) alert() (alert byte, said bool) {
	const length = recordHead + 2
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) < length {
		return 0, false
	}
	b := w.out[len(w.out)-length:]
	return b[length-1], b[0] == recordAlert && b[3] == 0 && b[4] == 2
}

// failed3 reports what has ended a connection of HTTP/3, if that was its handshake.
func (e *engine) failed3(err error) {
	var t *quic.TransportError
	switch {
	case errors.As(err, new(*quic.HandshakeTimeoutError)):
		e.failed(true, HandshakeTimeout)
	case !errors.As(err, &t) || !t.ErrorCode.IsCryptoError():
	case t.Remote:
		e.failed(true, HandshakeRefused)
	case errors.Is(err, errNoProtocol):
		e.failed(true, HandshakeProtocol)
	default:
		e.failed(true, reasonOf(byte(t.ErrorCode))) // 0x100 and the alert (RFC 9001 section 4.8)
	}
}
