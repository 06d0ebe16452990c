package e2e

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// patience is for what comes without fail, however busy the machine is: who waits as long has found a fault.
const patience = 90 * time.Second

// soonCompleted is patience for an invalidation: shorter than a lease, so that no edge has been given up meanwhile.
const soonCompleted = 25 * time.Second

// turn goes through the ports of fixedAddress, from where no other test process is likely to have begun.
var turn atomic.Int64

const firstPort, lastPort = 10000, 32767

func init() { turn.Store(int64(os.Getpid()) * 131) }

// fixedAddress is an address on the loopback interface to which a process can come back. Its port is below those that the kernel
// gives to connections, and to whoever asks for port 0: nobody gets it while the process is away. Nobody listens there now; it is
// named once only, by this test process and, on Linux, by all that run at the same time.
func fixedAddress() string {
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

// claims end with this process.
var claims sync.Map

// claim reports whether a port is this process's. The name of a socket that is no file belongs to one process; package internal/lasting
// uses the same names.
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
