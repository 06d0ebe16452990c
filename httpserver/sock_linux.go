package httpserver

import (
	"net"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// iovec is octets, as the kernel is told of them.
type iovec = syscall.Iovec

// The socket of a connection is not blocking, so these calls return at once: they go around the
// scheduler's bookkeeping for system calls that may take long, which would cost more than a microsecond
// per request. What copies much, or may wait for a disk, is told to it nevertheless. recvfrom and sendto cost a little less than read
// and write, which have to find out first that it is a socket.

// manyOctets is from where on a write is worth telling the scheduler about.
const manyOctets = 64 << 10

// readSocket reads what is there. n is 0 and errno 0 at the end of the stream.
func readSocket(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	for {
		r, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return 0, errno
		}
		return int(r), 0
	}
}

// writeSocket writes what the socket takes of a and then b.
func writeSocket(fd uintptr, iov *[2]iovec, a, b []byte) (n int, errno syscall.Errno) {
	v, count := iov[:0], 0
	for _, p := range [...][]byte{a, b} {
		if len(p) > 0 {
			v = append(v, iovec{Base: unsafe.SliceData(p)})
			v[count].SetLen(len(p))
			count++
		}
	}
	call := syscall.RawSyscall6
	if len(a)+len(b) > manyOctets {
		call = syscall.Syscall6
	}
	for {
		var r uintptr
		if count == 1 {
			r, _, errno = call(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(iov[0].Base)), uintptr(iov[0].Len), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		} else {
			r, _, errno = call(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(iov)), uintptr(count), 0, 0, 0)
		}
		runtime.KeepAlive(iov)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			r = 0
		}
		*iov = [2]iovec{}
		return int(r), errno
	}
}

// writeMore writes what the socket takes of p, behind which more will follow: nothing is sent for its
// sake alone.
func writeMore(fd uintptr, p []byte) (n int, errno syscall.Errno) {
	r, _, errno := unbroken(syscall.RawSyscall6, syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL|syscall.MSG_MORE, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// sendFile sends what the socket takes of n octets that lie in a file from off on, which does not lie on a stack. Unless it is
// prompt, it is told to the scheduler: if the kernel does not have them in its memory, it waits for the disk.
//
// Telling costs more than it looks like: on a core that is busy the scheduler's watchman now and then finds the same call under
// way twice, gives the core's work to another thread, and is then wide awake for a while, every few dozen microseconds: several
// percent of a hit of 100 KiB.
func sendFile(fd, file uintptr, off *int64, n int, prompt bool) (int, syscall.Errno) {
	call := syscall.Syscall6
	if prompt {
		call = syscall.RawSyscall6
	}
	r, _, errno := unbroken(call, syscall.SYS_SENDFILE, fd, file, uintptr(unsafe.Pointer(off)), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// hungUp tells whether the other side has closed the connection or at least its direction, and everything
// that it sent before has been read.
func hungUp(fd uintptr) bool {
	var one [1]byte
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&one)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		return errno == 0 && n == 0 || errno != 0 && errno != syscall.EAGAIN
	}
}

// halfClosed is hungUp where the last that was sent is an alert that has not been read: the other side has closed
// its direction, and no more than such an alert waits.
func halfClosed(fd uintptr) bool {
	const closeWait, alert = 8, 96 // TCP_CLOSE_WAIT; the longest alert, padded and sealed
	var state byte
	size, waiting := uint32(1), int32(0)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO, uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || state != closeWait {
		return hungUp(fd)
	}
	_, _, errno = syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&waiting)))
	return errno == 0 && waiting <= alert
}

// maxUnsent is how many octets may wait in a socket without having been sent once: beyond it the socket takes
// no more. Without it the kernel takes megabytes for each viewer that reads slowly, and a thousand of them
// bring it to the end of its memory for TCP, which all connections of the machine share. What is under way
// to a viewer is not bounded by it, so that one far away gets all that his line can carry.
const maxUnsent = 256 << 10

// boundUnsent sets maxUnsent. It is not inherited from a listener: those of package net are for multipath TCP,
// whose connections begin without any such bound. Where it cannot be set, the kernel's own bounds hold.
func boundUnsent(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
}

// rawConn gives access to the descriptor of a plain TCP socket, nil for any other.
func rawConn(nc net.Conn) syscall.RawConn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
