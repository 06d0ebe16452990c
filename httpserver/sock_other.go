//go:build !linux

package httpserver

import (
	"net"
	"syscall"
)

// Elsewhere than on Linux connections go through net.Conn.

// iovec is Linux's.
type iovec struct{}

func boundUnsent(uintptr) {}

func rawConn(net.Conn) syscall.RawConn { return nil }

func readSocket(uintptr, []byte) (int, syscall.Errno) { panic("BUG: no raw sockets here") }

func writeSocket(uintptr, *[2]iovec, []byte, []byte) (int, syscall.Errno) {
	panic("BUG: no raw sockets here")
}

func writeMore(uintptr, []byte) (int, syscall.Errno) { panic("BUG: no raw sockets here") }

func sendFile(fd, file uintptr, off *int64, n int, prompt bool) (int, syscall.Errno) {
	panic("BUG: no raw sockets here")
}

// pipes are Linux's.
type pipes struct{}

type pipe struct{}

func (*pipes) get() *pipe { return nil }
func (*pipes) put(*pipe)  {}
func (*pipes) close()     {}

func (*pipe) send(uintptr, *iovec, []byte) (int, syscall.Errno) {
	panic("BUG: no pipes here")
}

func hungUp(uintptr) bool { return false }

func halfClosed(uintptr) bool { return false }
