package httpserver

import (
	"net"
	"sync"
	"time"
)

// wire stands between crypto/tls and the socket. It hands crypto/tls complete records only, so that reading
// them never waits, and it gathers what crypto/tls writes, one piece for each record, until somebody sends it as a
// whole: the records of one batch, or of a large body, cost one system call.
//
// Who reads owns in, pos and rest. Buffers are borrowed: an idle connection has none.
type wire struct {
	net.Conn // for its addresses
	c        *conn

	in   []byte // from the socket; in[pos:] is not handed out yet
	pos  int
	rest int  // octets of the record at pos that are still to be handed out, once some have been
	full bool // crypto/tls holds octets that it has decrypted
	over bool // nothing more comes

	shaking bool  // reading waits for octets
	refused bool  // the viewer has sent an alert meanwhile, in the open
	due     int64 // of the handshake

	sending sync.Mutex // held while something is encrypted and sent, or what reading has caused is sent
	mu      sync.Mutex
	out     []byte // records to be sent; guarded by mu
}

const (
	recordHead = 5
	// maxRecord is the longest record of TLS 1.2; those of TLS 1.3 are shorter.
	maxRecord = recordHead + 16384 + 2048
	// maxPlain is how much goes into one record.
	maxPlain = 16384
	// fullWire is how much is encrypted before it is sent.
	fullWire = 4 * maxPlain
	// wireRoom is enough for one call of fullWire octets with what records add to them.
	wireRoom = fullWire + 2<<10
	// maxGathered bounds what waits to be sent: what is encrypted for one call, and what reading has caused meanwhile.
	maxGathered = 2 * wireRoom
)

var (
	wireIn    = sync.Pool{New: func() any { return new([inRoom]byte) }}
	wireWhole = sync.Pool{New: func() any { return new([maxRecord]byte) }}
	wireOut   = sync.Pool{New: func() any { return new([wireRoom]byte) }}
)

// errAgain tells crypto/tls that no complete record is there. It says that it is temporary, which
// leaves a tls.Conn as it was.
var errAgain net.Error = again{}

type again struct{}

func (again) Error() string   { return "httpserver: no complete record yet" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// whole tells whether a complete record has been read, or something that is none: crypto/tls says what is
// wrong with it.
func (w *wire) whole() bool {
	b := w.in[w.pos:]
	switch {
	case w.rest > 0:
		return true
	case len(b) == 0:
		return false
	case b[0] < 20 || b[0] > 23:
		return true
	case len(b) < recordHead:
		return false
	}
	return len(b) >= recordLen(b) || recordLen(b) > maxRecord
}

func recordLen(b []byte) int { return recordHead + int(b[3])<<8 + int(b[4]) }

// room makes space for more of the record that is not complete.
func (w *wire) room() []byte {
	b := w.in[w.pos:]
	switch {
	case len(w.in) == 0:
		w.in = wireIn.Get().(*[inRoom]byte)[:0]
	case len(b) >= recordHead && recordLen(b) > cap(w.in):
		whole := wireWhole.Get().(*[maxRecord]byte)[:0]
		whole = append(whole, b...)
		w.giveBack()
		w.in = whole
	case w.pos > 0:
		w.in = w.in[:copy(w.in, b)]
	}
	w.pos = 0
	return w.in[len(w.in):cap(w.in)]
}

// giveBack returns the buffer of what was read.
func (w *wire) giveBack() {
	switch cap(w.in) {
	case inRoom:
		wireIn.Put((*[inRoom]byte)(w.in[:inRoom]))
	case maxRecord:
		wireWhole.Put((*[maxRecord]byte)(w.in[:maxRecord]))
	}
	w.in, w.pos = nil, 0
}

// idle gives the buffer back if nothing lies in it.
func (w *wire) idle() {
	if w.in != nil && w.pos == len(w.in) {
		w.giveBack()
	}
}

// Read hands out octets of one record.
func (w *wire) Read(p []byte) (int, error) {
	if !w.whole() {
		if !w.shaking {
			return 0, errAgain
		}
		if err := w.c.await(); err != nil {
			return 0, err
		}
	}
	b := w.in[w.pos:]
	if w.rest == 0 {
		w.rest = len(b)
		if len(b) >= recordHead {
			w.rest = min(w.rest, recordLen(b))
			// OpenSSL refuses a certificate of TLS 1.3 in the open, which is not read as an alert any more.
			w.refused = w.refused || w.shaking && b[0] == recordAlert && w.rest == recordHead+2 && b[recordHead+1] != 0
		}
	}
	n := copy(p, b[:w.rest])
	w.pos += n
	w.rest -= n
	return n, nil
}

// Write gathers.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		w.out = wireOut.Get().(*[wireRoom]byte)[:0]
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// take returns what has been gathered, nil for nothing.
func (w *wire) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.out
	w.out = nil
	return out
}

// pending is how much has been gathered.
func (w *wire) pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

// The engine has its own times.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
