package httpserver

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/pages"
)

// reading is one read, by the connection's goroutine or by whoever reads a request body.
type reading struct {
	ready func(fd uintptr) bool
	p     []byte // nil: into the desk
	due   int64
	n     int
	err   error
	wait  bool // it had to wait
}

// writing is one write.
type writing struct {
	ready func(fd uintptr) bool
	a, b  []byte        // what is left
	head  int           // octets of a that are left of what a desk answers
	pages *pages.Octets // where b lies, if it is not to be copied
	file  fileOut       // what follows b
	pipe  *pipe         // borrowed to send from pages
	iov   [2]iovec
	err   error
	wait  bool
}

// readInto reads into p, or into the desk when p is nil; then it gives the desk back while it waits, if
// nothing lies on it.
func (c *conn) readInto(p []byte, due int64) (int, error) {
	for {
		n, err := c.readOnce(p, due)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return 0, err
		case c.halted.Load():
			return 0, errHalted
		case p == nil && c.e.draining.Load(), due != 0 && c.e.now.Load() >= due:
			return 0, err
		}
		// Woken too late for an earlier read, or for a drain that waits for this answer.
		c.nc.SetReadDeadline(time.Time{})
	}
}

func (c *conn) readOnce(p []byte, due int64) (int, error) {
	if p == nil && c.e.draining.Load() && c.h2.Load() == nil {
		return 0, os.ErrDeadlineExceeded
	}
	if c.tls != nil && !c.wire.shaking {
		return c.readSecure(p, due)
	}
	return c.readOctets(p, due)
}

// readOctets reads from the socket: into p or the desk, or into the wire if there is one.
func (c *conn) readOctets(p []byte, due int64) (int, error) {
	r := &c.read
	if c.raw == nil {
		p = c.roomFor(p)
		c.readDue.Store(due)
		n, err := c.nc.Read(p)
		c.readDue.Store(0)
		if n > 0 || err == io.EOF {
			err = nil
		}
		c.arrived(n)
		return n, err
	}
	r.p, r.due, r.n, r.err, r.wait = p, due, 0, nil, false
	err := c.raw.Read(r.ready)
	r.p = nil
	if r.wait {
		c.readDue.Store(0)
	}
	if err == nil {
		err = r.err
	}
	c.arrived(r.n)
	return r.n, err
}

// roomFor is where what is read from the socket goes when p is asked for.
func (c *conn) roomFor(p []byte) []byte {
	switch {
	case c.wire != nil:
		return c.wire.room()
	case p == nil:
		return c.deskRoom()
	}
	return p
}

// arrived notes what was read into the wire.
func (c *conn) arrived(n int) {
	if w := c.wire; w != nil {
		w.in = w.in[:len(w.in)+n]
		w.idle()
	}
}

func (c *conn) deskRoom() []byte {
	if c.desk == nil {
		c.desk = c.e.desk()
	}
	return c.desk.room(max(c.e.limits.MaxHeader, h2.HeaderLen+h2.MaxSize) + inRoom)
}

// readable is called when there may be something to read. It returns false to wait.
func (c *conn) readable(fd uintptr) bool {
	r := &c.read
	n, errno := readSocket(fd, c.roomFor(r.p))
	if errno == syscall.EAGAIN {
		if r.p == nil && c.desk != nil && len(c.desk.in) == 0 {
			c.e.giveBack(c.desk)
			c.desk = nil
		}
		if c.wire != nil {
			c.wire.idle()
		}
		r.wait = true
		c.readDue.Store(r.due)
		return false
	}
	if r.n = n; errno != 0 {
		r.err = os.NewSyscallError("read", errno)
	}
	return true
}

// send writes a and then b, waiting for the viewer where it must. left is how much of them was not
// taken when it failed.
func (c *conn) send(a []byte, b Rest) (left int, err error) {
	if c.tls != nil {
		return c.sendSecure(a, b.Octets)
	}
	return c.sendOctets(a, b, len(a))
}

// sendOctets is send to the socket. The first head octets of a are what a desk answers.
func (c *conn) sendOctets(a []byte, b Rest, head int) (left int, err error) {
	w := &c.write
	w.a, w.b, w.head, w.pages, w.err, w.wait = a, b.Octets, head, b.Pages, nil, false
	w.file.begin(b.File, len(a)+len(b.Octets))
	defer c.sendOver()
	for {
		err := c.sendOnce()
		if w.wait {
			w.wait = false
			c.writeDue.Store(0)
		}
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.writeOverdue() {
			return w.left(), err
		}
		c.nc.SetWriteDeadline(time.Time{})
	}
}

func (w *writing) left() int { return len(w.a) + len(w.b) + int(w.file.left) }

func (c *conn) sendOver() {
	w := &c.write
	w.a, w.b, w.pages, w.file = nil, nil, nil, fileOut{}
	c.holds(false)
	if w.pipe != nil {
		c.e.pipes.put(w.pipe)
		w.pipe = nil
	}
}

// writeOverdue is asked when a write was woken. The warden leaves the mark of the time that has run out.
func (c *conn) writeOverdue() bool { return c.write.err == os.ErrDeadlineExceeded }

func (c *conn) sendOnce() error {
	w := &c.write
	if c.raw == nil {
		return c.sendPlain()
	}
	if err := c.raw.Write(w.ready); err != nil {
		return c.woken(err)
	}
	return w.err
}

// woken notes whether a write that was woken was overdue.
func (c *conn) woken(err error) error {
	if due := c.writeDue.Load(); errors.Is(err, os.ErrDeadlineExceeded) && due != 0 && c.e.now.Load() >= due {
		c.write.err = os.ErrDeadlineExceeded
	}
	return err
}

// writable is called when the socket may take something. It returns false to wait.
func (c *conn) writable(fd uintptr) bool {
	w := &c.write
	for w.left() > 0 {
		if w.file.left > 0 {
			if len(w.a) == 0 && c.desk != nil {
				c.desk.sent() // the disk may take as long as it likes
			}
			if w.err = w.readFile(); w.err != nil {
				return true
			}
		}
		n, errno := c.writeSome(fd)
		if errno == syscall.EAGAIN {
			if w.head <= 0 && c.desk != nil {
				c.desk.sent() // only a body is left, and that may take as long as the viewer likes
			}
			w.wait, w.file.prompt = true, false
			c.holds(w.head > 0)
			c.writeDue.Store(c.e.after(c.e.limits.WriteTimeout)) // anew after every octet that was taken
			return false
		}
		if errno == 0 && n == 0 {
			errno = syscall.EIO // the file ends early
		}
		if errno != 0 {
			w.err = os.NewSyscallError("write", errno)
			return true
		}
		w.took(n)
	}
	return true
}

// writeSome writes what the socket takes: from pages, if there are some and a pipe is to be had.
func (c *conn) writeSome(fd uintptr) (n int, errno syscall.Errno) {
	w := &c.write
	if w.file.direct {
		if len(w.a) > 0 {
			return writeMore(fd, w.a)
		}
		return w.file.send(fd)
	}
	if w.pages != nil && w.pipe == nil {
		w.pipe = c.e.pipes.get()
	}
	if w.pipe == nil {
		return writeSocket(fd, &w.iov, w.a, w.b)
	}
	if len(w.a) > 0 {
		return writeMore(fd, w.a)
	}
	return w.pipe.send(fd, &w.iov[0], w.b)
}

func (w *writing) took(n int) {
	k := min(n, len(w.a))
	w.head -= k
	n -= k
	w.a = w.a[k:]
	k = min(n, len(w.b))
	w.b = w.b[k:]
	w.file.took(n - k)
}

// maxWrite is the piece that one deadline covers where the socket does not tell what it takes.
const maxWrite = 64 << 10

func (c *conn) sendPlain() error {
	w := &c.write
	w.file.direct = false
	for w.left() > 0 {
		if w.err = w.readFile(); w.err != nil {
			return w.err
		}
		p := w.a
		if len(p) == 0 {
			p = w.b
		}
		w.wait = true
		c.holds(w.head > 0)
		c.writeDue.Store(c.e.after(c.e.limits.WriteTimeout))
		n, err := c.nc.Write(p[:min(len(p), maxWrite)])
		w.took(n)
		if err != nil {
			return c.woken(err)
		}
	}
	return nil
}
