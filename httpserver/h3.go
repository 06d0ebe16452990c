package httpserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

// HTTP/3. The transport is quic-go's; frames and fields are our own (internal/h3), because what is refused,
// how, and in which order fields go on is ours to say. Requests live the same life as those of HTTP/1.1.

const (
	// maxStreams bounds the requests of a connection at once. A viewer may open the next only when one is
	// over on our side, so that opening and resetting does not make work faster than it is done.
	maxStreams = 128
	// maxOtherStreams bounds the others: three are used.
	maxOtherStreams = 8
	// handshakeTime bounds a handshake.
	handshakeTime = 10 * time.Second
	// maxHandshakes is from how many handshakes on a viewer must first show that its address is its own.
	maxHandshakes = 128
	// Room for what a connection sends and nobody has read yet: windows begin at the one and grow to the other.
	firstWindow, maxWindow = 64 << 10, 1 << 20
)

// h3side is the HTTP/3 of an engine: one UDP socket.
type h3side struct {
	e         *engine
	packets   net.PacketConn
	transport *quic.Transport
	listener  *quic.EarlyListener
	stop      context.Context // ends when no request is to be begun any more
	halt      context.CancelFunc
	shaking   atomic.Int64  // handshakes
	accepted  chan struct{} // closed when accept has ended

	coming  sync.WaitGroup // connections that have been admitted and not accepted
	serving sync.WaitGroup // connections that have been accepted

	mu    sync.Mutex
	shut  bool                 // nobody new is admitted; guarded by mu
	conns map[*h3conn]struct{} // guarded by mu
}

// listenH3 prepares the side of a server that has a UDP socket.
func (e *engine) listenH3(s *Server) (*h3side, error) {
	h := &h3side{e: e, packets: s.Packets, accepted: make(chan struct{}), conns: map[*h3conn]struct{}{}}
	h.stop, h.halt = context.WithCancel(e.base)
	h.transport = &quic.Transport{
		Conn:                h.packets,
		StatelessResetKey:   new(quic.StatelessResetKey),
		VerifySourceAddress: h.doubts,
		ConnContext:         h.admit,
	}
	rand.Read(h.transport.StatelessResetKey[:])
	var err error
	h.listener, err = h.transport.ListenEarly(named3(s.TLS.Config(protoHTTP3)), e.limits.quic())
	if err != nil {
		h.close()
		return nil, fmt.Errorf("httpserver: QUIC on %s: %w", h.packets.LocalAddr(), err)
	}
	return h, nil
}

func (l *Limits) quic() *quic.Config {
	idle := l.IdleTimeout
	if idle <= 0 {
		idle = 24 * time.Hour
	}
	return &quic.Config{
		HandshakeIdleTimeout: handshakeTime / 2, // it may take twice this in all
		MaxIdleTimeout:       idle,
		// An answer that takes its time must not look like a dead connection. One on which nothing is
		// asked is closed by h3conn.
		KeepAlivePeriod:                idle / 2,
		InitialStreamReceiveWindow:     firstWindow,
		MaxStreamReceiveWindow:         maxWindow,
		InitialConnectionReceiveWindow: 2 * firstWindow,
		MaxConnectionReceiveWindow:     maxWindow,
		MaxIncomingStreams:             maxStreams,
		MaxIncomingUniStreams:          maxOtherStreams,
		RequireStreamCreditRelease:     true,
		Allow0RTT:                      true,
	}
}

// arrival is what is known of a connection before there is one.
type arrival struct {
	serverName atomic.Value // string
	settled    sync.Once
	entered    sync.Once
	h          *h3side
}

type arrivalKey struct{}

func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

// shaken is called when the handshake is over, either way.
func (a *arrival) shaken() { a.settled.Do(func() { a.h.shaking.Add(-1) }) }

// arrived is called when the connection is accepted, or has ended before.
func (a *arrival) arrived() { a.entered.Do(a.h.coming.Done) }

var errTooMany = errors.New("httpserver: too many connections")

// admit counts a connection, or turns it away. That costs one packet; there is no answer in HTTP before a
// handshake. ctx ends with the connection. Once it is shut nobody new is answered: a viewer that is refused gives up, one that hears nothing says its
// hello again, which is for the next process then, if that has the socket too. quic-go refuses whom an error turns away, and calls this in the goroutine
// that looks at hellos, and at nothing else: that ends here.
func (h *h3side) admit(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	if !h.expect() {
		runtime.Goexit()
	}
	a := &arrival{h: h}
	who := client(addrPort(info.RemoteAddr).Addr())
	if !h.e.gate.admitOther(who) {
		a.arrived()
		return nil, errTooMany
	}
	a.serverName.Store("")
	h.shaking.Add(1)
	context.AfterFunc(ctx, func() {
		a.shaken()
		a.arrived()
		h.e.failed3(context.Cause(ctx))
		h.e.gate.leaveOther(who)
	})
	return context.WithValue(ctx, arrivalKey{}, a), nil
}

// expect counts somebody who is coming, unless nobody may come any more.
func (h *h3side) expect() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.shut {
		h.coming.Add(1)
	}
	return !h.shut
}

// doubts tells whether a viewer must first show that its address is its own, which costs it a round trip
// (RFC 9000 section 8.1.2). Whoever sends from addresses of others can then not take the places that are left.
// At the end nobody is asked to: the next process would not know what we have asked.
func (h *h3side) doubts(addr net.Addr) bool {
	return h.stop.Err() == nil && (h.shaking.Load() >= maxHandshakes || h.e.gate.crowded(client(addrPort(addr).Addr())))
}

// named3 notes the name of a hello, which crypto/tls tells only when the handshake is complete: requests
// may come before.
func named3(c *tls.Config) *tls.Config {
	choose := c.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if a := arrivalOf(hello.Context()); a != nil {
			a.serverName.Store(serverName(hello.ServerName))
		}
		return choose(hello)
	}
	return c
}

// accept serves connections until the listener ends.
func (h *h3side) accept() error {
	for {
		qc, err := h.listener.Accept(h.e.base)
		if err != nil {
			if errors.Is(err, quic.ErrServerClosed) {
				return nil
			}
			return err
		}
		c := newH3conn(h, qc)
		h.mu.Lock()
		h.conns[c] = struct{}{}
		h.mu.Unlock()
		h.serving.Go(c.serve)
		c.came.arrived()
	}
}

// leave forgets a connection.
func (h *h3side) leave(c *h3conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

// drain ends it: nobody new, no request that is not begun yet. Handshakes that are under way come to their end first, for quic-go refuses who is in one
// when its listener closes; their viewers are told then, like the others, that what they ask has not been looked at. When no connection is left the
// socket is not read any more: what comes is for the next process, if that has it too.
func (h *h3side) drain() {
	h.halt()
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
	come := make(chan struct{})
	go func() { h.coming.Wait(); close(come) }()
	select {
	case <-come:
	case <-h.accepted: // since the socket has failed
	case <-h.e.base.Done():
	}
	h.listener.Close()
	<-h.accepted
	h.serving.Wait()
	h.close()
	<-come
}

// close gives everything back. No connection is left.
func (h *h3side) close() {
	h.transport.Close()
	h.packets.Close()
}

func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
