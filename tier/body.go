package tier

import (
	"bufio"
	"context"
	"io"
	"time"
)

// body is what comes behind a head. It belongs to one goroutine.
type body struct {
	cancel context.CancelCauseFunc
	watch  *time.Timer // ends the exchange when nothing comes
	resp   io.ReadCloser
	in     *bufio.Reader
	left   int // octets of the frame
	err    error
}

// next passes by beats.
func (b *body) next() (kind byte, n int, err error) {
	for {
		if kind, n, err = readFrame(b.in); err != nil {
			return 0, 0, err
		}
		b.watch.Reset(silence)
		if kind != frameBeat {
			return kind, n, nil
		}
	}
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	b.watch.Reset(silence) // not before: a reader may take its time
	defer b.watch.Stop()
	for b.left == 0 {
		kind, size, err := b.next()
		switch {
		case err == nil && kind == frameBody:
			b.left = size
			continue
		case err == nil && kind == frameEnd:
			if _, more := b.in.ReadByte(); more == io.EOF { // so that the connection is of use again
				b.err = io.EOF
				return 0, io.EOF
			}
			err = errUnclear
		case err == nil:
			err = errUnclear
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		b.err = err
		return 0, err
	}
	n, err = b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

func (b *body) Close() error {
	b.watch.Stop()
	var err error
	if b.resp != nil {
		err = b.resp.Close()
	}
	b.cancel(context.Canceled)
	return err
}
