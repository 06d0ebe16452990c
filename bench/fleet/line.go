package fleet

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lines are long ways to an address, each as a proxy by TCP: what comes on a connection to it goes on as much later as the line is long,
// in both directions.
//
// One loop serves all of them, with the kernel's readiness and its timer: a goroutine and a timer for each connection and direction cost a fifth of
// all that an invalidation of 300 edges does, stood in the queue behind everything else that the process had to do, and were woken to
// whole milliseconds. That is no part of a way through a network.
type lines struct {
	at   []string // where they begin
	to   unix.SockaddrInet4
	poll int
	due  int // the timer
	bell int // rung to stop

	ways  map[int32]time.Duration // by listening socket
	ends  map[int32]*end          // by socket
	under transit
	set   time.Time // when the timer goes off
	room  []byte
	done  sync.WaitGroup
}

// end is one of the two of a connection's.
type end struct {
	fd    int32 // -1: closed
	other *end
	way   time.Duration
	held  int    // octets that have come here and that the other has not been given
	out   []byte // arrived, and the socket has no room for it
	asked uint32 // what the kernel is to tell of
	ended bool   // nothing more comes here, and the kernel tells of nothing
	last  bool   // nothing more will arrive: it is closed when out is empty
}

// most is how many octets are under way on one connection in one direction; who sends more waits. With 150 ms one way it is 200 MB a second.
const most = 32 << 20

// lay lays lines of these lengths to an address, until they are taken up.
func lay(to string, ways []time.Duration) (x *lines, err error) {
	a, err := net.ResolveTCPAddr("tcp4", to)
	if err != nil {
		return nil, err
	}
	x = &lines{poll: -1, due: -1, bell: -1, ways: map[int32]time.Duration{}, ends: map[int32]*end{}, room: make([]byte, 64<<10)}
	x.to.Port = a.Port
	copy(x.to.Addr[:], a.IP.To4())
	if err := x.open(ways); err != nil {
		x.closeAll()
		return nil, fmt.Errorf("lines: %w", err)
	}
	x.done.Go(x.run)
	return x, nil
}

func (x *lines) open(ways []time.Duration) (err error) {
	if x.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if x.due, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	if x.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	if err := errors.Join(x.watch(int32(x.due), unix.EPOLL_CTL_ADD, unix.EPOLLIN), x.watch(int32(x.bell), unix.EPOLL_CTL_ADD, unix.EPOLLIN)); err != nil {
		return err
	}
	for _, way := range ways {
		fd, err := socket()
		if err != nil {
			return err
		}
		x.ways[fd] = way
		err = errors.Join(unix.Bind(int(fd), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(int(fd), 16),
			unix.SetNonblock(int(fd), true), x.watch(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
		if err != nil {
			return err
		}
		name, err := unix.Getsockname(int(fd))
		if err != nil {
			return err
		}
		x.at = append(x.at, fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port))
	}
	return nil
}

func socket() (int32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	return int32(fd), err
}

func (x *lines) watch(fd int32, operation int, events uint32) error {
	return unix.EpollCtl(x.poll, operation, int(fd), &unix.EpollEvent{Events: events, Fd: fd})
}

// close takes them up.
func (x *lines) close() {
	unix.Write(x.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	x.done.Wait()
}

func (x *lines) closeAll() {
	for fd := range x.ways {
		unix.Close(int(fd))
	}
	for fd := range x.ends {
		unix.Close(int(fd))
	}
	for _, fd := range []int{x.poll, x.due, x.bell} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (x *lines) run() {
	defer x.closeAll()
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(x.poll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // every connection ends with it
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == int32(x.bell) {
				return
			}
			x.happened(e)
			x.deliver() // what is due does not wait for what else has happened
		}
		if at, some := x.under.next(); some && !at.Equal(x.set) {
			x.set = at
			in := unix.NsecToTimespec(max(int64(time.Until(at)), 1))
			unix.TimerfdSettime(x.due, 0, &unix.ItimerSpec{Value: in}, nil)
		}
	}
}

func (x *lines) happened(e unix.EpollEvent) {
	if e.Fd == int32(x.due) {
		unix.Read(x.due, x.room[:8])
		x.set = time.Time{}
		return
	}
	if way, listens := x.ways[e.Fd]; listens {
		x.accept(e.Fd, way)
		return
	}
	c := x.ends[e.Fd]
	if c != nil && e.Events&unix.EPOLLOUT != 0 {
		x.write(c, nil)
	}
	if c != nil && c.fd >= 0 && !c.ended && e.Events&^unix.EPOLLOUT != 0 {
		x.read(c)
	}
}

// accept begins a connection on a line.
func (x *lines) accept(at int32, way time.Duration) {
	here, _, err := unix.Accept4(int(at), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	there, err := socket()
	if err != nil {
		unix.Close(here)
		return
	}
	a, b := &end{fd: int32(here), way: way}, &end{fd: there, way: way}
	a.other, b.other = b, a
	x.ends[a.fd], x.ends[b.fd] = a, b
	err = errors.Join(unix.Connect(int(there), &x.to), unix.SetNonblock(int(there), true))
	for _, c := range []*end{a, b} {
		err = errors.Join(err, unix.SetsockoptInt(int(c.fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), x.watch(c.fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
		c.asked = unix.EPOLLIN
	}
	if err != nil {
		x.hangUp(a)
	}
}

// read sends what has come at one end on its way.
func (x *lines) read(c *end) {
	n, err := unix.Read(int(c.fd), x.room)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	n = max(n, 0)
	c.held += n
	x.under.send(time.Now(), c.way, c.other, x.room[:n], n == 0)
	if n == 0 {
		c.ended = true
		x.watch(c.fd, unix.EPOLL_CTL_DEL, 0)
	}
	x.ask(c)
}

// deliver delivers what is due.
func (x *lines) deliver() {
	for p := x.under.arrived(time.Now()); p != nil; p = x.under.arrived(time.Now()) {
		switch {
		case p.to.fd < 0: // nobody wants it
		case p.end && len(p.to.out) > 0 && !p.to.ended:
			p.to.last = true
		case p.end:
			x.hangUp(p.to)
		default:
			x.write(p.to, p.b)
		}
		x.under.back(p)
	}
}

// write gives an end what has arrived, behind what has before.
func (x *lines) write(c *end, b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		b = c.out
	}
	n, err := unix.Write(int(c.fd), b)
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		x.hangUp(c)
		return
	}
	n = max(n, 0)
	c.out = append(c.out[:0], b[n:]...)
	c.other.held -= n
	if c.last && len(c.out) == 0 {
		x.hangUp(c)
		return
	}
	x.ask(c)
	x.ask(c.other)
}

// ask has the kernel tell of what an end can go on with.
func (x *lines) ask(c *end) {
	var events uint32
	if c.held < most {
		events |= unix.EPOLLIN
	}
	if len(c.out) > 0 {
		events |= unix.EPOLLOUT
	}
	if c.fd >= 0 && !c.ended && events != c.asked {
		c.asked = events
		x.watch(c.fd, unix.EPOLL_CTL_MOD, events)
	}
}

// hangUp ends a connection, both ends of it.
func (x *lines) hangUp(c *end) {
	for _, c := range []*end{c, c.other} {
		if c.fd >= 0 {
			delete(x.ends, c.fd)
			unix.Close(int(c.fd))
			c.fd = -1
		}
	}
}
