// Package lasting finds addresses for tests whose servers go away and come back to where they were.
package lasting

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// Below those that Linux gives to connections, and to whoever asks for port 0: nobody gets one while its server is away.
const firstPort, lastPort = 10000, 32767

// turn goes through the ports, from where no other process is likely to have begun.
var turn atomic.Int64

func init() { turn.Store(int64(os.Getpid()) * 131) }

// Address is one on the loopback interface where nobody listens now, with TCP or UDP. It is named once only, by this process and, on Linux, by
// all that run at the same time. May be called concurrently.
func Address() string {
	for range lastPort - firstPort {
		port := firstPort + turn.Add(1)%(lastPort-firstPort+1)
		if !claim(port) {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		l.Close()
		if u, err := net.ListenPacket("udp", address); err == nil { // HTTP/3
			u.Close()
			return address
		}
	}
	panic("no port is free")
}

// claims are what keeps other processes from naming the same address while nobody listens at it; they end with this process.
var claims sync.Map

// claim reports whether a port is this process's. The name of a socket that is no file belongs to one process.
func claim(port int64) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	l, err := net.Listen("unix", fmt.Sprintf("@warmfront-lasting-%d", port))
	if err != nil {
		return false
	}
	claims.Store(port, l)
	return true
}
