// Package floor knows what the kernel alone costs: a server that reads whatever comes, takes it for a
// request, and writes an answer that was made before. It parses nothing but the size in "/o/SIZE", keeps
// nothing, judges nothing; one thread, epoll, one read and one write per request. Of "/d/SIZE/NUMBER" the body
// lies in a file, which is made when it is first asked for, and the kernel sends it from there (file.go). No server that
// uses these system calls can cost less; what one costs more is its own.
package floor

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fields are about as many octets of head as caches send.
const fields = "Content-Type: application/octet-stream\r\nCache-Control: max-age=86400\r\nETag: \"one\"\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
	"Age: 12345\r\nVia: 1.1 floor.localhost\r\nX-Cache: Hit from floor\r\nX-Id: 0123456789012345678901234567890123456789012345678901234567890123\r\n"

// conn is one connection. Of what could not be written yet the end is kept.
type conn struct {
	fd   int32
	rest []byte
	part part // behind rest
}

// Serve serves until ctx ends. Sizes are those of the objects in memory, files how many octets each file has; they are made in
// the working folder, and not found there. The listener stays the caller's.
func Serve(ctx context.Context, l *net.TCPListener, sizes []int, files int64) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	answers := map[string][]byte{}
	for _, size := range sizes {
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", fields, size)
		answers[strconv.Itoa(size)] = append([]byte(head), bytes.Repeat([]byte("w"), size)...)
	}
	socket, err := l.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	listener := int(socket.Fd())
	if err := unix.SetNonblock(listener, true); err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epoll)
	s := &server{epoll: epoll, listener: int32(listener), answers: answers, octets: files, files: map[string]*file{}, conns: map[int32]*conn{}, buf: make([]byte, 64<<10)}
	if err := s.watch(unix.EPOLL_CTL_ADD, s.listener, unix.EPOLLIN); err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}

type server struct {
	epoll    int
	listener int32
	answers  map[string][]byte
	octets   int64
	files    map[string]*file
	conns    map[int32]*conn
	buf      []byte
}

func (s *server) watch(operation int, fd int32, events uint32) error {
	return unix.EpollCtl(s.epoll, operation, int(fd), &unix.EpollEvent{Events: events, Fd: fd})
}

func (s *server) close() {
	for fd := range s.conns {
		unix.Close(int(fd))
	}
	for _, f := range s.files {
		f.Close()
	}
}

func (s *server) run(ctx context.Context) error {
	events := make([]unix.EpollEvent, 128)
	for ctx.Err() == nil {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_WAIT, uintptr(s.epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 100, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		for _, e := range events[:n] {
			if e.Fd == s.listener {
				s.accept()
				continue
			}
			if c := s.conns[e.Fd]; !s.turn(c) {
				unix.Close(int(c.fd))
				delete(s.conns, c.fd)
			}
		}
	}
	return nil
}

func (s *server) accept() {
	for {
		fd, _, err := unix.Accept4(int(s.listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		s.conns[int32(fd)] = &conn{fd: int32(fd)}
		if s.watch(unix.EPOLL_CTL_ADD, int32(fd), unix.EPOLLIN) != nil {
			unix.Close(fd)
			delete(s.conns, int32(fd))
		}
	}
}

// turn reads a request or goes on with an answer. It is false when the connection is over.
func (s *server) turn(c *conn) bool {
	if c.owes() {
		if !c.write() {
			return false
		}
		return c.owes() || s.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN) == nil
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&s.buf[0])), uintptr(len(s.buf)))
	if errno == unix.EAGAIN {
		return true
	}
	if errno != 0 || n == 0 {
		return false
	}
	if _, after, found := bytes.Cut(s.buf[:n], []byte("/o/")); found {
		size, _, _ := bytes.Cut(after, []byte(" "))
		c.rest = s.answers[string(size)]
	} else if !s.find(c, s.buf[:n]) {
		return false
	}
	if c.rest == nil || !c.write() {
		return false
	}
	return !c.owes() || s.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLOUT) == nil
}

func (c *conn) owes() bool { return len(c.rest) > 0 || c.part.left > 0 }

// write writes what the socket takes.
func (c *conn) write() bool {
	if len(c.rest) > 0 {
		flags := unix.MSG_DONTWAIT
		if c.part.left > 0 {
			flags |= unix.MSG_MORE
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(&c.rest[0])), uintptr(len(c.rest)), uintptr(flags), 0, 0)
		if errno == unix.EAGAIN {
			return true
		}
		if errno != 0 {
			return false
		}
		c.rest = c.rest[n:]
	}
	return len(c.rest) > 0 || c.part.send(c.fd)
}
