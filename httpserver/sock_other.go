//go:build !linux

package httpserver

import (
	"net"
	"syscall"
)

// Elsewhere than on Linux connections go through net.Conn.

func rawConn(net.Conn) syscall.RawConn { return nil }

func readSocket(uintptr, []byte) (int, syscall.Errno) { panic("BUG: no raw sockets here") }

func writeSocket(uintptr, *[2]syscall.Iovec, []byte, []byte) (int, syscall.Errno) {
	panic("BUG: no raw sockets here")
}

func hungUp(uintptr) bool { return false }

func halfClosed(uintptr) bool { return false }
