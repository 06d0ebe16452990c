// Package lasting finds addresses for tests whose servers go away and come back to where they were.
package lasting

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// Below those that Linux gives to connections, and to whoever asks for port 0: nobody gets one while its server is away.
const firstPort, lastPort = 10000, 32767

// turn goes through the ports, from where no other process is likely to have begun.
var turn atomic.Int64

func init() { turn.Store(int64(os.Getpid()) * 131) }

// Address is one on the loopback interface where nobody listens now, with TCP or UDP. This process names it once only. May be
// called concurrently.
func Address() string {
	for range lastPort - firstPort {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+turn.Add(1)%(lastPort-firstPort+1))
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
