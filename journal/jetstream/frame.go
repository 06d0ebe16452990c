package jetstream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/warmfront/warmfront/journal"
)

// A relay sends an edge frames: how many octets follow, in four; how long the signature is, in one; the signature; the entry as it
// is stored. A frame of no octets says that the relay is there.
var heartbeat = make([]byte, 4)

const (
	mostSignature = 255
	mostFrame     = 1 + mostSignature + journal.MaxEntry
)

// errFrame is what is no frame.
var errFrame = errors.New("journal: what comes from the relay is no frame")

// frame makes one; nil: there is none of that.
func frame(signature, entry []byte) []byte {
	if len(signature) > mostSignature || len(entry) > journal.MaxEntry {
		return nil
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 5+len(signature)+len(entry)), uint32(1+len(signature)+len(entry)))
	return append(append(append(b, byte(len(signature))), signature...), entry...)
}

// readFrame reads one. Both are nil of one that only says that the relay is there.
func readFrame(r *bufio.Reader) (signature, entry []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n == 0:
		return nil, nil, nil
	case n > mostFrame:
		return nil, nil, fmt.Errorf("%w: %d octets, at most %d", errFrame, n, mostFrame)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, nil, err
	}
	size := int(b[0])
	if b = b[1:]; size > len(b) {
		return nil, nil, fmt.Errorf("%w: the signature is longer than all of it", errFrame)
	}
	return b[:size:size], b[size:], nil
}
