package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var (
	errClosed  = errors.New("the server closed a connection")
	errUnasked = errors.New("an answer that nobody asked for")
)

// dial connects to an IPv4 address and makes the socket non-blocking. The source is 127.0.0.1, or with
// from > 0 one of 127.0.1.1 … 127.0.1.250, so that more connections than one address has ports are possible.
func dial(to netip.AddrPort, from, receiveBuffer int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := connect(fd, to, from, receiveBuffer); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", to, err)
	}
	return fd, nil
}

func connect(fd int, to netip.AddrPort, from, receiveBuffer int) error {
	if receiveBuffer > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return err
		}
	}
	if from > 0 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(1 + from%250)}}); err != nil {
			return err
		}
	}
	wait := unix.NsecToTimeval(int64(5 * time.Second))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetNonblock(fd, true)
}

// The calls below do not tell Go's scheduler: they return at once, and what telling costs would be a tenth
// of a small answer.

// read returns 0, EAGAIN when nothing has come, and 0, 0 when the other side has closed.
func read(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}

// discard takes up to n octets from the socket without copying them anywhere. p is not written.
func discard(fd int, p []byte, n int) (int, unix.Errno) {
	got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(n), unix.MSG_TRUNC, 0, 0)
	return int(got), errno
}

func write(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}

// poll returns how many events there are. It does not wait.
func poll(epoll int, events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_WAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 { // interrupted: as if nothing had come
		return 0
	}
	return int(n)
}

// awaitReadable waits until something has come or the time is over. Go's scheduler knows.
func awaitReadable(fd int, most time.Duration) error {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(p, int(most.Milliseconds())); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}
