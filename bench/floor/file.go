package floor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// file has bodies of one size, one behind the other.
type file struct {
	*os.File
	size, bodies int64
	head         []byte
}

// part is what is to be sent of one.
type part struct {
	fd   int
	off  int64
	left int
}

// find says what answers a request for "/d/SIZE/NUMBER". It is false for any other.
func (s *server) find(c *conn, request []byte) bool {
	_, after, _ := bytes.Cut(request, []byte("/d/"))
	size, after, _ := bytes.Cut(after, []byte("/"))
	number, _, _ := bytes.Cut(after, []byte(" "))
	i, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || i < 0 {
		return false
	}
	f := s.files[string(size)]
	if f == nil {
		n, err := strconv.ParseInt(string(size), 10, 32)
		if err != nil || n <= 0 || n > s.octets {
			return false
		}
		if f, err = makeFile(n, s.octets); err != nil {
			return false
		}
		s.files[string(size)] = f
	}
	c.rest, c.part = f.head, part{int(f.Fd()), i % f.bodies * f.size, int(f.size)}
	return true
}

// makeFile makes one, in the kernel's memory for a while, which nobody else finds.
func makeFile(size, octets int64) (*file, error) {
	f, err := os.CreateTemp(".", "floor-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	some := bytes.Repeat([]byte("w"), 1<<20)
	for left := octets; left > 0; left -= int64(len(some)) {
		if _, err := f.Write(some[:min(left, int64(len(some)))]); err != nil {
			f.Close()
			return nil, err
		}
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n", fields, size)
	return &file{f, size, octets / size, []byte(head)}, nil
}

// send sends what the socket takes.
func (p *part) send(to int32) bool {
	if p.left == 0 {
		return true
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDFILE, uintptr(to), uintptr(p.fd), uintptr(unsafe.Pointer(&p.off)), uintptr(p.left), 0, 0)
	if errno == unix.EAGAIN {
		return true
	}
	if errno != 0 {
		return false
	}
	p.left -= int(n)
	return n > 0
}
