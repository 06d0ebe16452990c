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
	behind int64 // octets that are sent in front of it
	direct bool  // the kernel sends it; otherwise it is read
	prompt bool  // it does not wait for the disk; as long as the viewer is not waited for
	fd     uintptr
	base   int64  // where the part begins in the file
	off    int64  // for a call
	buf    []byte // what is read comes here
}

// filePiece is how much is read at once of what the kernel does not send by itself.
const filePiece = 64 << 10

// oneSplice is how much the kernel has in hand at once while it sends from a file, in whole pages. Of more it tells TCP after
// each time that more comes. That is as it should be if what it had in hand, with the octets in front of it, is a full segment
// even where a packet has 64 KiB, which is over loopback: then one call for all is the cheapest, by 1.3 of 12 µs for 100 KiB. If it
// is less, because the first of its pages has other octets too, TCP keeps it until the next comes, whose pages do not fit beside it
// any more, and that costs 15 µs.
const (
	oneSplice = 16 * pageSize
	pageSize  = 4 << 10 // where pages are larger, it is less than the kernel takes
	// mostSent is for how much of a file it is asked at once: nobody writes to that part meanwhile.
	mostSent = 256 << 10
)

var errFileGone = errors.New("httpserver: the file's octets are not there any more")

func (f *fileOut) begin(part FilePart, behind int) {
	if part == nil {
		return
	}
	f.part, f.left, f.behind = part, part.Size(), int64(behind)
	if f.fd, f.base, f.direct = part.Descriptor(); f.direct {
		f.prompt = part.Prompt()
	}
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
	return sendFile(fd, f.fd, &f.off, int(min(f.left, f.piece())), f.prompt)
}

// piece is for how much the kernel is asked.
func (f *fileOut) piece() int64 {
	in, behind := f.off%pageSize, int64(0)
	if f.at == 0 {
		behind = f.behind
	}
	if in <= behind {
		return mostSent - in
	}
	return oneSplice - in
}

func (f *fileOut) took(n int) {
	if f.direct {
		f.at, f.left = f.at+int64(n), f.left-int64(n)
	}
}
