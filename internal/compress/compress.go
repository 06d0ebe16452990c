// Package compress knows how to compress a body while it comes: once, in pieces, in bounded memory, and without
// holding back what has come when no more comes for a while.
//
//	src → pieces of 32 KiB, read ahead by one → encoder → Read
//
// Levels and windows were chosen by measurement (docs/compression.md). Encoders are costly to make and are used
// again.
package compress

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Pause is how long the source may be silent before what the encoder holds is given out. Each time costs a few
// octets, so it is longer than what lies between the packets of one burst, and too short for a person to notice.
const Pause = 20 * time.Millisecond

const (
	window = 1 << 18 // how far back a repetition is found
	narrow = 1 << 16 // bodies up to here need, with Brotli, half the memory
	piece  = 32 << 10
)

// encoder is what all three libraries offer.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// kind is a coding with its parameters. memory is what an encoder and the buffers beside it hold, measured.
type kind struct {
	memory int64
	idle   sync.Pool
}

var (
	gzips        = kind{memory: 1 << 20, idle: pool(newGzip)}
	narrowBrotli = kind{memory: 2 << 20, idle: pool(func() encoder { return newBrotli(16) })}
	brotlis      = kind{memory: 5 << 20, idle: pool(func() encoder { return newBrotli(18) })}
	zstds        = kind{memory: 5 << 20, idle: pool(newZstd)}
)

func pool(fresh func() encoder) sync.Pool { return sync.Pool{New: func() any { return fresh() }} }

func newGzip() encoder {
	w, err := gzip.NewWriterLevel(io.Discard, 6)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return w
}

func newBrotli(lgwin int) encoder {
	return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: 5, LGWin: lgwin})
}

func newZstd() encoder {
	w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return w
}

// kindOf chooses for a content coding (RFC 9110 section 8.4.1) and a body's length; nil: there is none.
func kindOf(coding string, length int64) *kind {
	switch coding {
	case "gzip":
		return &gzips
	case "br":
		if length <= narrow {
			return &narrowBrotli
		}
		return &brotlis
	case "zstd":
		return &zstds
	}
	return nil
}

// Memory returns how many octets a Reader holds at most, beside what its source does; 0 for a coding that is not
// known.
func Memory(coding string, length int64) int64 {
	k := kindOf(coding, length)
	if k == nil {
		return 0
	}
	return k.memory
}

// ErrLength says that a body was not as long as announced.
var ErrLength = errors.New("compress: the body is not as long as announced")

// Reader reads a body compressed. Make it with New; it is used by one goroutine, and must be closed.
type Reader struct {
	kind   *kind
	enc    encoder
	length int64
	in     int64 // octets that have come of it

	out  []byte // of which out[at:] has not been read
	at   int
	held bool  // the encoder has octets that it has not given out
	over bool  // the source has ended, well or not
	err  error // after out

	timer  *time.Timer
	cancel func()
	ahead  *ahead
}

// New returns a Reader of src, compressed with coding, one of "gzip", "br" and "zstd". src must bring exactly
// length octets. cancel must make a Read of src that waits return; Close calls it if there may be one. src is
// not closed.
func New(src io.Reader, coding string, length int64, cancel func()) *Reader {
	k := kindOf(coding, length)
	if k == nil {
		panic(fmt.Sprintf("BUG: no content coding %q", coding))
	}
	r := &Reader{kind: k, enc: k.idle.Get().(encoder), length: length, cancel: cancel, ahead: readAhead(src)}
	r.enc.Reset((*sink)(r))
	return r
}

// sink takes what the encoder gives out.
type sink Reader

func (s *sink) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	return len(p), nil
}

// Read implements io.Reader. It waits only while nothing has come that could be given out. After an error of the
// source what has come before it is given out first; the compressed body then has no proper end.
func (r *Reader) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.out, r.at = r.out[:0], 0
		r.advance()
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// advance takes the next piece, or has the encoder give out what it holds because none comes.
func (r *Reader) advance() {
	select {
	case c := <-r.ahead.pieces:
		r.take(c)
		return
	default:
	}
	var silence <-chan time.Time
	if r.held {
		if r.timer == nil {
			r.timer = time.NewTimer(Pause)
		} else {
			r.timer.Reset(Pause)
		}
		silence = r.timer.C
	}
	select {
	case c := <-r.ahead.pieces:
		if r.timer != nil {
			r.timer.Stop()
		}
		r.take(c)
	case <-silence:
		r.held = false
		r.err = r.enc.Flush()
	}
}

func (r *Reader) take(c part) {
	r.over = c.err != nil || c.panic != nil
	if c.panic != nil {
		panic(c.panic)
	}
	if r.in += int64(len(c.octets)); r.in > r.length || c.err == io.EOF && r.in < r.length {
		r.err = ErrLength
		return
	}
	if len(c.octets) > 0 {
		r.held = true
		if _, r.err = r.enc.Write(c.octets); r.err != nil {
			return
		}
	}
	r.ahead.free <- c.room
	switch {
	case c.err == io.EOF:
		if r.err = r.enc.Close(); r.err == nil {
			r.err = io.EOF
		}
	case c.err != nil:
		if r.held {
			r.enc.Flush() // the viewer gets as much as there is
		}
		r.err = c.err
	}
}

// Close ends the reading ahead, waits for its end, and gives the encoder back. It is called once.
func (r *Reader) Close() error {
	if r.timer != nil {
		r.timer.Stop()
	}
	if !r.over {
		close(r.ahead.stop)
		r.cancel()
	}
	r.ahead.wait()
	r.enc.Reset(nil)
	r.kind.idle.Put(r.enc)
	r.enc, r.out, r.at, r.over, r.err = nil, nil, 0, true, io.ErrClosedPipe
	return nil
}
