package jetstream

import (
	"net"
	"time"
)

// gathered is an edge's connection, which is read from a little less often while something comes all the time. Of a
// thousand entries a second each would otherwise wake up the edge by itself: who reads the socket, who takes what was
// pushed, who applies it, who waits for tickets, who acknowledges it; and that costs many times what an entry does.
//
// There are readBurst reads to be had at once, and one more each readPause. Whoever has used them up waits for the next. A read
// that has found much gives back what it has cost, and the next is free: who catches up with a long log, question by question,
// is not slowed down. So what comes alone comes at once, and what comes in a stream at most readPause later. For one
// reader at a time, as a connection's is.
type gathered struct {
	net.Conn
	room []byte
	rest []byte    // of room: read, and not taken
	much bool      // the last read has found much
	used time.Time // when all reads that were had would have been used up, had each waited
}

const (
	readPause = 8 * time.Millisecond // a part of the 20 ms that Completed may take beside the way there and back
	readBurst = 8
	readRoom  = 64 << 10
	readMuch  = readRoom / 2
)

// Read implements net.Conn. Who closes the connection need not wait for longer than readPause.
func (c *gathered) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		c.pause()
		n, err := c.Conn.Read(c.room)
		c.rest = c.room[:n]
		if c.much = n >= readMuch; c.much {
			c.used = c.used.Add(-readPause)
		}
		if n == 0 {
			return 0, err
		}
		// With something read an error is left for the next read, which meets it again.
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *gathered) pause() {
	if c.much {
		return
	}
	now := time.Now()
	if c.used.Before(now) {
		c.used = now
	}
	if early := c.used.Sub(now) - (readBurst-1)*readPause; early > 0 {
		time.Sleep(early)
	}
	c.used = c.used.Add(readPause)
}

// gathering dials connections that gather.
type gathering struct{ net.Dialer }

// Dial implements nats.CustomDialer.
func (d *gathering) Dial(network, address string) (net.Conn, error) {
	c, err := d.Dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return gather(c), nil
}

func gather(c net.Conn) *gathered { return &gathered{Conn: c, room: make([]byte, readRoom)} }
