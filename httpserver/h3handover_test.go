package httpserver

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
)

// sender is a viewer's socket, which sends some packets and then waits.
type sender struct {
	net.PacketConn
	most  int64         // as many go at once
	more  chan struct{} // the others when it is closed
	tried atomic.Int64
}

func (s *sender) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.tried.Add(1) > s.most {
		<-s.more
	}
	return s.PacketConn.WriteTo(b, to)
}

// dialed is what became of a connection.
type dialed struct {
	*quic.Conn
	err error
}

// dialFrom connects by a socket of its own, of which so many packets are sent at once.
func (v *h3served) dialFrom(most int64) (*sender, <-chan dialed) {
	v.t.Helper()
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		v.t.Fatal(err)
	}
	s, became := &sender{PacketConn: packets, most: most, more: make(chan struct{})}, make(chan dialed, 1)
	tr := &quic.Transport{Conn: s}
	v.t.Cleanup(func() { tr.Close(); packets.Close() })
	c := v.tls.Clone()
	c.InsecureSkipVerify = true // the next process has another certificate here
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	go func() {
		defer cancel()
		qc, err := tr.Dial(ctx, v.addr, c, &quic.Config{HandshakeIdleTimeout: time.Minute})
		became <- dialed{qc, err}
	}()
	return s, became
}

// A handshake that is under way at a stop comes to its end. Who says hello while others come to theirs hears nothing, says it again, and is answered by
// the next process that has the socket: nobody is refused.
func TestH3_DrainRefusesNobody(t *testing.T) {
	packets, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := packets.File()
	if err != nil {
		t.Fatal(err)
	}
	next, err := net.FilePacketConn(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	s := &Server{Packets: packets}
	v := serveH3(t, s)
	slow, half := v.dialFrom(1) // of a hello of two packets
	for {
		e := s.running.Load()
		if e != nil && e.h3.Load() != nil && e.h3.Load().shaking.Load() == 1 {
			break
		}
		runtime.Gosched()
	}
	stopped := make(chan struct{})
	go func() { v.stop(); close(stopped) }()
	<-s.running.Load().h3.Load().stop.Done()
	late, whole := v.dialFrom(1 << 30)
	for late.tried.Load() < 4 && len(whole) == 0 { // it has said its hello twice
		runtime.Gosched()
	}
	close(slow.more)
	if c := <-half; c.err != nil {
		t.Errorf("a handshake under way: %v", c.err)
	} else if got := closedWith(t, c.Conn); got != h3.NoError {
		t.Errorf("closed with %#x", got)
	}
	<-stopped
	v = serveH3(t, &Server{Packets: next})
	c := <-whole
	if c.err != nil {
		t.Fatalf("a hello during the stop: %v", c.err)
	}
	if got := ask(t, c.Conn, asked()); got[:min(len(got), 10)] != "status=200" {
		t.Errorf("by the next process: %q", got)
	}
}
