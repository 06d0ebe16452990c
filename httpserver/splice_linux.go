package httpserver

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A body that lies in pages of its own (Rest.Pages) is not copied: vmsplice puts references to its pages
// into a pipe, splice moves them into the socket. Whoever sends borrows a pipe, until what it put there
// is with the socket.

const (
	// maxPipes is how many an engine has at once; beyond it bodies are copied. A slow viewer holds one.
	maxPipes = 1024
	// pipeRoom is how much one takes, if the system's limits allow it.
	pipeRoom = 1 << 20
	// leastPipe is what every user gets until all pipes of the user are more than the system likes.
	leastPipe = 64 << 10
)

// mostPipes is maxPipes, or fewer where descriptors are few: each pipe takes two, and slow viewers must not take
// those with which viewers are accepted and origins asked.
var mostPipes = func() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return maxPipes
	}
	return pipesOf(l.Cur)
}()

// pipesOf lets an engine's pipes have a thirty-second of the descriptors.
func pipesOf(descriptors uint64) int { return int(min(maxPipes, descriptors/64)) }

// pipes are those of an engine.
type pipes struct {
	mu   sync.Mutex
	free []*pipe
	open int // free or borrowed
}

// pipe has one borrower at a time.
type pipe struct {
	r, w int
	room int
	held int // octets that are in it
}

// get borrows a pipe; nil when there are too many.
func (ps *pipes) get() *pipe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n := len(ps.free); n > 0 {
		p := ps.free[n-1]
		ps.free = ps.free[:n-1]
		return p
	}
	if ps.open >= mostPipes {
		return nil
	}
	p := newPipe()
	if p != nil {
		ps.open++
	}
	return p
}

// put gives a pipe back. One that is not empty, because its viewer has gone, is closed.
func (ps *pipes) put(p *pipe) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.held > 0 {
		p.close()
		ps.open--
		return
	}
	ps.free = append(ps.free, p)
}

// close closes those that nobody has borrowed.
func (ps *pipes) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.free {
		p.close()
	}
	ps.open -= len(ps.free)
	ps.free = nil
}

func newPipe() *pipe {
	var fd [2]int
	if unix.Pipe2(fd[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	p := &pipe{r: fd[0], w: fd[1]}
	room, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeRoom)
	if err != nil {
		room, err = unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0)
	}
	if err != nil || room < leastPipe {
		p.close()
		return nil
	}
	p.room = room
	return p
}

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// send moves what the socket takes of b, the first octets of which may be in the pipe already.
func (p *pipe) send(fd uintptr, iov *iovec, b []byte) (n int, errno syscall.Errno) {
	if p.held == 0 {
		iov.Base = unsafe.SliceData(b)
		iov.SetLen(min(len(b), p.room))
		r, _, errno := unbroken(syscall.RawSyscall6, syscall.SYS_VMSPLICE, uintptr(p.w), uintptr(unsafe.Pointer(iov)), 1, unix.SPLICE_F_NONBLOCK, 0, 0)
		*iov = iovec{}
		if errno != 0 {
			return 0, errno
		}
		p.held = int(r)
	}
	flags := uintptr(unix.SPLICE_F_NONBLOCK)
	if len(b) > p.held {
		flags |= unix.SPLICE_F_MORE
	}
	r, _, errno := unbroken(syscall.RawSyscall6, syscall.SYS_SPLICE, uintptr(p.r), 0, fd, 0, uintptr(p.held), flags)
	if errno != 0 {
		return 0, errno
	}
	p.held -= int(r)
	return int(r), 0
}

type sysCall func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

// unbroken repeats a call that a signal has interrupted.
func unbroken(call sysCall, trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, errno syscall.Errno) {
	for {
		if r1, r2, errno = call(trap, a1, a2, a3, a4, a5, a6); errno != syscall.EINTR {
			return r1, r2, errno
		}
	}
}
