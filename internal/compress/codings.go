package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	window = 1 << 18 // how far back a repetition is found
	small  = 1 << 16 // bodies up to here are gathered first, and need, with Brotli, half the memory
)

// encoder is what all three libraries offer.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// kind is a coding with its parameters. memory is what an encoder holds, measured.
type kind struct {
	memory int64
	idle   sync.Pool
}

var (
	gzips       = kind{memory: 1 << 20, idle: pool(newGzip)}
	smallBrotli = kind{memory: 2 << 20, idle: pool(func() encoder { return newBrotli(16) })}
	brotlis     = kind{memory: 5 << 20, idle: pool(func() encoder { return newBrotli(18) })}
	zstds       = kind{memory: 5 << 20, idle: pool(newZstd)}
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
		if length <= small {
			return &smallBrotli
		}
		return &brotlis
	case "zstd":
		return &zstds
	}
	return nil
}

// Memory returns how many octets a Reader holds of a body of this length from its beginning, and how many more when it
// gives out a small one in pieces. Both are 0 for a coding that is not known.
func Memory(coding string, length int64) (first, more int64) {
	k := kindOf(coding, length)
	switch {
	case k == nil:
		return 0, 0
	case length <= small:
		return rooms*piece + length, k.memory
	}
	return rooms*piece + k.memory, 0
}
