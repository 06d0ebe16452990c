// Package compress knows how to compress a body while it comes: once, in pieces, in bounded memory, and without
// holding back what has come when no more comes for a while.
//
//	src → pieces of 32 KiB, read ahead by one → encoder → Read
//
// A small body is gathered, and needs an encoder for the moment only in which it is all there: of a thousand at once
// each takes its octets, and not a megabyte. Only when its source falls silent in between it takes an encoder for itself.
//
// Levels and windows were chosen by measurement (docs/compression.md). Encoders are costly to make and are used
// again.
package compress

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

// Pause is how long the source may be silent before what has come is given out. Each time costs a few
// octets, so it is longer than what lies between the packets of one burst, and too short for a person to notice.
const Pause = 20 * time.Millisecond

const piece = 32 << 10

// turns bounds how many encoders compute at once: half of the cores, at least one. Each has a core for the few
// milliseconds that a piece takes, and without a bound what only needs microseconds would stand in line behind all
// of them.
var turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// compute does what takes a core when it is its turn.
func compute(do func() error) error {
	turns <- struct{}{}
	defer func() { <-turns }()
	return do()
}

// ErrLength says that a body was not as long as announced.
var ErrLength = errors.New("compress: the body is not as long as announced")

// Reader reads a body compressed. Make it with New; it is used by one goroutine, and must be closed.
type Reader struct {
	kind   *kind
	enc    encoder // nil: before the first octet is given to one, and after the last
	length int64
	in     int64  // octets that have come of the body
	whole  []byte // those for which there is no encoder yet

	out  []byte // of which out[at:] has not been read
	at   int
	held bool  // there are octets that have not been given out
	over bool  // the source has ended, well or not
	err  error // after out

	timer *time.Timer
	room  Room
	ahead *ahead
}

// Room is what a Reader needs from who makes it.
type Room struct {
	// Cancel must make a Read of the source that waits return. Close calls it if there may be one.
	Cancel func()
	// More asks for the further memory that Memory speaks of, once at most with success.
	More func() bool
}

// New returns a Reader of src, compressed with coding, one of "gzip", "br" and "zstd". src must bring exactly
// length octets. It is not closed.
func New(src io.Reader, coding string, length int64, room Room) *Reader {
	k := kindOf(coding, length)
	if k == nil {
		panic(fmt.Sprintf("BUG: no content coding %q", coding))
	}
	r := &Reader{kind: k, length: length, room: room, ahead: readAhead(src)}
	if length > small {
		r.open()
	}
	return r
}

// sink takes what the encoder gives out.
type sink Reader

func (s *sink) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	return len(p), nil
}

// open takes an encoder, and gives it what has been gathered.
func (r *Reader) open() error {
	r.enc = r.kind.idle.Get().(encoder)
	r.enc.Reset((*sink)(r))
	whole := r.whole
	if r.whole = nil; len(whole) == 0 {
		return nil
	}
	_, err := r.enc.Write(whole)
	return err
}

// opened is open, if there is no encoder yet.
func (r *Reader) opened() error {
	if r.enc != nil {
		return nil
	}
	return r.open()
}

// shut gives the encoder back.
func (r *Reader) shut() {
	if r.enc != nil {
		r.enc.Reset(nil)
		r.kind.idle.Put(r.enc)
		r.enc = nil
	}
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

// advance takes the next piece, or gives out what is held because none comes.
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
		if r.enc != nil || r.room.More() { // otherwise it waits for the rest
			r.err = compute(r.flush)
		}
	}
}

func (r *Reader) flush() error {
	if err := r.opened(); err != nil {
		return err
	}
	return r.enc.Flush()
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
	if r.err = r.add(c.octets); r.err != nil {
		return
	}
	r.ahead.free <- c.room
	switch {
	case c.err == io.EOF:
		if r.err = compute(r.finish); r.err == nil {
			r.err = io.EOF
		}
	case c.err != nil:
		if r.held || len(r.whole) > 0 {
			compute(r.breakOff)
		}
		r.err = c.err
	}
}

// add takes octets in.
func (r *Reader) add(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	r.held = true
	if r.enc == nil {
		r.whole = append(r.whole, p...)
		return nil
	}
	return compute(func() error {
		_, err := r.enc.Write(p)
		return err
	})
}

// finish ends the compressed body. Whatever it takes for a small one it takes in one turn.
func (r *Reader) finish() error {
	defer r.shut()
	if err := r.opened(); err != nil {
		return err
	}
	return r.enc.Close()
}

// breakOff gives out as much as there is.
func (r *Reader) breakOff() error {
	defer r.shut()
	return r.flush()
}

// Close ends the reading ahead, waits for its end, and gives the encoder back. It is called once.
func (r *Reader) Close() error {
	if r.timer != nil {
		r.timer.Stop()
	}
	if !r.over {
		close(r.ahead.stop)
		r.room.Cancel()
	}
	r.ahead.wait()
	r.shut()
	r.whole, r.out, r.at, r.over, r.err = nil, nil, 0, true, io.ErrClosedPipe
	return nil
}
