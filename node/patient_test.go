package node

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// one is a listener with one connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (l one) Accept() (net.Conn, error) { return l.conn, nil }

func TestPatient(t *testing.T) {
	const slow = controlStall - time.Second
	for _, c := range []struct {
		name   string
		pieces int           // that the client takes, each as late as it may
		within time.Duration // that the answer gives itself; 0: any
		cut    time.Duration // 0: it gets all
	}{
		{"slow", 4, 0, 0},
		{"stops", 2, 0, 2*slow + controlStall},
		{"never begins", 0, 0, controlStall},
		{"an answer in a hurry", 2, 10 * time.Second, 10 * time.Second},
		{"an answer that is not", 4, time.Hour, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			conn, err := patient{one{conn: server}}.Accept()
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			defer func() { client.Close(); <-done }()
			go func() {
				defer close(done)
				for range c.pieces {
					<-time.After(slow)
					if _, err := io.ReadFull(client, make([]byte, controlPiece)); err != nil {
						return
					}
				}
			}()
			began := time.Now()
			if c.within > 0 {
				conn.SetWriteDeadline(began.Add(c.within))
			}
			n, err := conn.Write(make([]byte, 4*controlPiece))
			took := time.Since(began)
			switch {
			case c.cut == 0 && (err != nil || n != 4*controlPiece):
				t.Errorf("%s: %d octets, %v", c.name, n, err)
			case c.cut > 0 && (!errors.Is(err, os.ErrDeadlineExceeded) || took != c.cut || n > c.pieces*controlPiece):
				t.Errorf("%s: %d octets, %v after %v, cut after %v", c.name, n, err, took, c.cut)
			}
		})
	}
}
