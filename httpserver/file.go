package httpserver

import (
	"errors"
	"syscall"
)

// fileOut is how far a part of a file has been sent.
type fileOut struct {
	part   FilePart
	at     int64 // how far it has been sent, or read into buf
	left   int64 // octets behind that
	direct bool  // the kernel sends it; otherwise it is read
	fd     uintptr
	base   int64  // where the part begins in the file
	off    int64  // for a call
	buf    []byte // what is read comes here
}

// filePiece is how much is read at once of what the kernel does not send by itself.
const filePiece = 64 << 10

// oneSplice is how much the kernel has in hand at once while it sends from a file, in whole pages. Of more it would tell TCP after
// each time that more comes, and TCP would keep what fills no segment and send it together with the next; where it paces what it
// sends (BBR) it sets a timer between the two, which over loopback goes off at once and costs more than the second call: 10 of
// 40 µs for 100 KiB.
const (
	oneSplice = 16 * pageSize
	pageSize  = 4 << 10 // where pages are larger, it is less than the kernel takes
)

var errFileGone = errors.New("httpserver: the file's octets are not there any more")

func (f *fileOut) begin(part FilePart) {
	if part == nil {
		return
	}
	f.part, f.left = part, part.Size()
	f.fd, f.base, f.direct = part.Descriptor()
}

// readFile lays out the next octets of a part that the kernel does not send by itself. All before, the head too, are out: it
// may have to wait for the disk.
func (w *writing) readFile() error {
	f := &w.file
	if f.direct || f.left == 0 || len(w.a)+len(w.b) > 0 {
		return nil
	}
	if f.buf == nil {
		f.buf = make([]byte, min(f.left, filePiece))
	}
	if !f.part.Hold() {
		return errFileGone
	}
	n, err := f.part.ReadAt(f.buf[:min(f.left, filePiece)], f.at)
	f.part.Release()
	if n == 0 {
		return errors.Join(errFileGone, err)
	}
	w.b = f.buf[:n]
	f.at, f.left = f.at+int64(n), f.left-int64(n)
	return nil
}

// send has the kernel send what the socket takes.
func (f *fileOut) send(fd uintptr) (n int, errno syscall.Errno) {
	if !f.part.Hold() {
		return 0, syscall.EIO
	}
	defer f.part.Release()
	f.off = f.base + f.at
	return sendFile(fd, f.fd, &f.off, int(min(f.left, oneSplice-f.off%pageSize)))
}

func (f *fileOut) took(n int) {
	if f.direct {
		f.at, f.left = f.at+int64(n), f.left-int64(n)
	}
}
