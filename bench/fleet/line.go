package fleet

import (
	"io"
	"net"
	"sync"
	"time"
)

// line is a long way to an address, as a proxy by TCP: what comes on a connection to it goes on as much later as the line is long, in
// both directions. It is long and not narrow: what is under way takes no room of what comes behind, and holds nothing up.
type line struct {
	net.Listener
	to  string
	way time.Duration // one way

	mu    sync.Mutex
	conns map[net.Conn]bool // both ends of each; nil: it is closed; guarded by mu
	all   sync.WaitGroup
}

// lay lays a line; close takes it up.
func lay(to string, way time.Duration) (*line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &line{Listener: l, to: to, way: way, conns: map[net.Conn]bool{}}
	x.all.Go(x.serve)
	return x, nil
}

func (x *line) serve() {
	for {
		here, err := x.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("tcp", x.to)
		if err != nil {
			here.Close()
			continue
		}
		if !x.take(here, there) {
			return
		}
		x.all.Go(func() { x.carry(there, here) })
		x.all.Go(func() { x.carry(here, there) })
	}
}

// take notes a connection, or closes it if the line is closed.
func (x *line) take(ends ...net.Conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range ends {
		if x.conns == nil {
			c.Close()
		} else {
			x.conns[c] = true
		}
	}
	return x.conns != nil
}

// carry brings what comes from one end to the other, until one of them ends.
func (x *line) carry(to, from net.Conn) {
	late(to, from, x.way)
	from.Close()
	to.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.conns, to)
	delete(x.conns, from)
}

// parcel is what was read at once.
type parcel struct {
	due time.Time
	b   *[]byte // of used
}

// used are rooms of parcels that have been delivered: hundreds of lines that make garbage have the machine collect it, which is in the way
// of what is measured.
var used = sync.Pool{New: func() any { return new([]byte) }}

// room is how many parcels are under way at most on one connection; who sends more waits. With 150 ms one way it is one each 37 µs.
const room = 4096

// late copies what comes, each piece as long after it has come.
func late(to io.Writer, from io.Reader, way time.Duration) {
	under := make(chan parcel, room)
	var sending sync.WaitGroup
	sending.Go(func() {
		for p := range under {
			time.Sleep(time.Until(p.due))
			_, err := to.Write(*p.b)
			used.Put(p.b)
			if err != nil {
				break
			}
		}
		for range under { // nobody wants it
		}
	})
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			p := parcel{time.Now().Add(way), used.Get().(*[]byte)}
			*p.b = append((*p.b)[:0], b[:n]...)
			under <- p
		}
		if err != nil {
			break
		}
	}
	close(under)
	sending.Wait()
}

func (x *line) close() {
	x.Close()
	x.mu.Lock()
	for c := range x.conns {
		c.Close()
	}
	x.conns = nil
	x.mu.Unlock()
	x.all.Wait()
}
