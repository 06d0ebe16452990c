package httpserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/warmfront/warmfront/internal/h3"
	"github.com/warmfront/warmfront/internal/message"
)

// stalled is a viewer's socket. What comes in waits until heard is closed. From then on it lets out early
// data only, until freed: the viewer's part of the handshake stays away.
type stalled struct {
	net.PacketConn
	heard, freed chan bool
	early        chan bool // a datagram of early data has gone out
}

func (s *stalled) ReadFrom(p []byte) (int, net.Addr, error) {
	n, a, err := s.PacketConn.ReadFrom(p)
	<-s.heard
	return n, a, err
}

// early tells whether one of the packets of a datagram is early data, going from head to head (RFC 9000
// section 17.2).
func early(p []byte) bool {
	for len(p) > 7 && p[0]&0x80 != 0 {
		if p[0]&0x30 == 0x10 {
			return true
		}
		r := bytes.NewReader(p[5:])
		for range 2 { // connection IDs
			n, _ := r.ReadByte()
			r.Seek(int64(n), io.SeekCurrent)
		}
		if p[0]&0x30 == 0 { // an Initial packet has a token
			n, _ := h3.ReadInt(r)
			r.Seek(int64(n), io.SeekCurrent)
		}
		n, _ := h3.ReadInt(r)
		p = p[min(len(p), len(p)-r.Len()+int(n)):]
	}
	return false
}

func (s *stalled) WriteTo(p []byte, a net.Addr) (int, error) {
	if early(p) {
		select {
		case s.early <- true:
		default:
		}
		return s.PacketConn.WriteTo(p, a)
	}
	select {
	case <-s.freed:
	case <-s.heard:
		return len(p), nil // lost
	default:
	}
	return s.PacketConn.WriteTo(p, a)
}

// ticketed tells when a ticket has come.
type ticketed struct {
	tls.ClientSessionCache
	put chan bool
}

func (c *ticketed) Put(key string, s *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, s)
	select {
	case c.put <- true:
	default:
	}
}

func TestH3_EarlyDataGetsPlainHitsOnly(t *testing.T) {
	served := make(chan string, 4)
	v := serveH3(t, &Server{Answerer: &hits{}, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		served <- r.Method + " " + r.Path
		w.Begin(200, message.Fields{{Name: "x-tls", Value: r.TLS.Handshake}}, 0)
	})})
	tickets := &ticketed{tls.NewLRUClientSessionCache(1), make(chan bool, 8)}
	v.tls.ClientSessionCache = tickets
	c := v.conn()
	for _, want := range []string{message.FullHandshake, message.ConnectionReused} {
		if got := ask(t, c, asked(":path=/miss")); !strings.Contains(got, "x-tls="+want) {
			t.Errorf("%q, want %s", got, want)
		}
		<-served
	}
	select {
	case <-tickets.put:
	case <-time.After(time.Minute):
		t.Fatal("no ticket comes")
	}
	c.CloseWithError(0, "")

	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	socket := &stalled{udp, make(chan bool), make(chan bool), make(chan bool, 1)}
	tr := &quic.Transport{Conn: socket}
	hear := sync.OnceFunc(func() { close(socket.heard) })
	defer udp.Close()
	defer tr.Close()
	defer hear() // or the other would wait for it
	c, err = tr.DialEarly(t.Context(), v.addr, v.tls, &quic.Config{MaxIdleTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var streams []*quic.Stream
	for _, fields := range [][]byte{asked(":path=/hit1"), asked(":path=/miss"), asked(":method=POST", ":path=/hit2")} {
		s, err := c.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(time.Minute))
		s.Write(fields)
		s.Close()
		select {
		case <-socket.early:
		case <-time.After(time.Minute):
			t.Fatal("no early data goes out")
		}
		streams = append(streams, s)
	}
	hear()
	if got := answerOn(streams[0]); got != "status=200 content-length=5 x-inline=1 /hit1" {
		t.Errorf("a hit in early data: %q", got)
	}
	select {
	case x := <-served:
		t.Errorf("%s came to the handler before the handshake was over", x)
	default:
	}
	close(socket.freed)
	for _, s := range streams[1:] {
		if got := answerOn(s); got != "status=200 content-length=0 x-tls=connectionReused " {
			t.Errorf("behind the handshake: %q", got)
		}
	}
	if !c.ConnectionState().Used0RTT || len(served) != 2 {
		t.Errorf("early data used: %v, %d requests came to the handler", c.ConnectionState().Used0RTT, len(served))
	}
}
