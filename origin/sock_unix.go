//go:build unix

package origin

import (
	"io"
	"syscall"
)

const canReadAtOnce = true

// readFD reads what is there. net's sockets never block.
func (s *socket) readFD(fd uintptr) {
	for {
		s.n, s.err = syscall.Read(int(fd), s.p)
		switch {
		case s.err == syscall.EINTR:
			continue
		case s.err == syscall.EAGAIN:
			s.n, s.err = 0, errNothing
		case s.err != nil:
			s.n = 0
		case s.n == 0:
			s.err = io.EOF
		}
		return
	}
}
