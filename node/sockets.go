package node

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// sockets are what a supervisor has opened for this process and passed to it, as systemd does (sd_listen_fds): descriptors
// from 3 on, as many as LISTEN_FDS says. The supervisor holds them too, so that while one process stops and the next
// starts, the kernel goes on taking connections, and nobody is refused. A flag's address takes the one with its port.
type sockets struct {
	listeners []net.Listener
	packets   []net.PacketConn
}

const firstSocket = 3

// passed takes the sockets that are meant for this process.
func passed(getenv func(string) string) (*sockets, error) {
	s := &sockets{}
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || getenv("LISTEN_FDS") == "" {
		return s, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > 64 {
		return s, fmt.Errorf("LISTEN_FDS %q is no number of sockets", getenv("LISTEN_FDS"))
	}
	for fd := firstSocket; fd < firstSocket+n; fd++ {
		if err := s.take(uintptr(fd)); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// take wraps one socket. The process closes the descriptor that it was given: what it has then is its own.
func (s *sockets) take(fd uintptr) error {
	f := os.NewFile(fd, "passed socket")
	if f == nil {
		return fmt.Errorf("descriptor %d, which LISTEN_FDS speaks of, is not there", fd)
	}
	defer f.Close()
	if l, err := net.FileListener(f); err == nil {
		if _, tcp := l.Addr().(*net.TCPAddr); tcp {
			s.listeners = append(s.listeners, l)
			return nil
		}
		l.Close()
	}
	p, err := net.FilePacketConn(f)
	if err == nil {
		if _, udp := p.LocalAddr().(*net.UDPAddr); udp {
			s.packets = append(s.packets, p)
			return nil
		}
		p.Close()
	}
	return fmt.Errorf("descriptor %d, which the supervisor has passed, is no listening TCP socket and no UDP socket", fd)
}

// listener takes the socket for an address out of what was passed; nil: there is none.
func (s *sockets) listener(address string) net.Listener {
	for i, l := range s.listeners {
		a := l.Addr().(*net.TCPAddr)
		if serves(a.IP, a.Port, address) {
			s.listeners = append(s.listeners[:i:i], s.listeners[i+1:]...)
			return l
		}
	}
	return nil
}

// packet is the same for UDP.
func (s *sockets) packet(address string) net.PacketConn {
	for i, p := range s.packets {
		a := p.LocalAddr().(*net.UDPAddr)
		if serves(a.IP, a.Port, address) {
			s.packets = append(s.packets[:i:i], s.packets[i+1:]...)
			return p
		}
	}
	return nil
}

// serves tells whether a socket is one for an address: the same port, and no other IP address.
func serves(ip net.IP, port int, address string) bool {
	host, p, err := net.SplitHostPort(address)
	if err != nil || p != strconv.Itoa(port) {
		return false
	}
	want := net.ParseIP(host)
	return want == nil || want.IsUnspecified() || ip.IsUnspecified() || want.Equal(ip)
}

// unused says which sockets no flag has wanted: whoever connects to them would wait in vain.
func (s *sockets) unused() error {
	for _, l := range s.listeners {
		return fmt.Errorf("the supervisor has passed a socket for %s, and no flag has that address", l.Addr())
	}
	for _, p := range s.packets {
		return fmt.Errorf("the supervisor has passed a UDP socket for %s, and no flag has that address with HTTP/3 on", p.LocalAddr())
	}
	return nil
}

func (s *sockets) close() {
	for _, l := range s.listeners {
		l.Close()
	}
	for _, p := range s.packets {
		p.Close()
	}
}
