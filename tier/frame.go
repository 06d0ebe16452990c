package tier

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// A frame is its kind, the length of what follows in four octets, and that.
const (
	frameHead = 'h'
	frameBody = 'd'
	frameBeat = 'b' // nothing yet
	frameEnd  = 'e' // the body is whole
)

const (
	frameHeader = 5
	maxBody     = 64 << 10 // octets of a body in a frame

	beatEvery  = time.Second
	silence    = 3 * time.Second  // in which an edge that lives has at least beaten
	askLimit   = 10 * time.Second // in which a question has come
	writeLimit = 2 * time.Minute  // in which an edge takes what it is sent: its viewers may be slow
)

func frameOf(kind byte, n int) (h [frameHeader]byte) {
	h[0] = kind
	binary.BigEndian.PutUint32(h[1:], uint32(n))
	return h
}

// readFrame reads a frame's header. What cannot be is an error.
func readFrame(r io.Reader) (kind byte, n int, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, 0, err
	}
	size := binary.BigEndian.Uint32(h[1:])
	most := uint32(0)
	switch h[0] {
	case frameHead:
		most = MaxHead
	case frameBody:
		most = maxBody
	case frameBeat, frameEnd:
	default:
		return 0, 0, fmt.Errorf("%w: a frame of kind %q", errUnclear, h[0])
	}
	if size > most {
		return 0, 0, fmt.Errorf("%w: a frame of %d octets", errUnclear, size)
	}
	return h[0], int(size), nil
}
