package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Handshakes makes new TLS connections, Clients at a time: connect, full handshake, one request, one
// answer, reset. Its answers are connections. One goroutine per client: what a handshake costs both sides
// is far more than what the goroutine costs.
type Handshakes struct {
	Address netip.AddrPort
	Config  *tls.Config
	Clients int
	Request []byte
	Size    int
}

// Open makes one connection.
func (h *Handshakes) Open(ctx context.Context) error { return h.one(ctx, make([]byte, scratch)) }

// Close has nothing to give back.
func (h *Handshakes) Close() {}

func (h *Handshakes) Run(ctx context.Context, length time.Duration) (Outcome, error) {
	var wg sync.WaitGroup
	outcomes, errs := make([]Outcome, h.Clients), make([]error, h.Clients)
	began := time.Now()
	for i := range h.Clients {
		wg.Go(func() { errs[i] = h.client(ctx, began, length, &outcomes[i]) })
	}
	wg.Wait()
	o := Outcome{Elapsed: time.Since(began)}
	for i := range outcomes {
		o.Answers += outcomes[i].Answers
		o.Latency.Merge(&outcomes[i].Latency)
		if errs[i] != nil {
			return o, errs[i]
		}
	}
	return o, nil
}

func (h *Handshakes) client(ctx context.Context, began time.Time, length time.Duration, o *Outcome) error {
	buf := make([]byte, scratch)
	for now := began; now.Sub(began) < length; {
		asked := now
		if err := h.one(ctx, buf); err != nil {
			return err
		}
		now = time.Now()
		o.Answers++
		o.Latency.Add(now.Sub(asked))
	}
	return nil
}

func (h *Handshakes) one(ctx context.Context, buf []byte) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", h.Address.String())
	if err != nil {
		return err
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0) // no port waits in TIME_WAIT
	c.SetDeadline(time.Now().Add(drain))
	secure := tls.Client(&buffered{c, bufio.NewReaderSize(c, 4096)}, h.Config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if err := speaks(secure, h.Config); err != nil {
		return err
	}
	if _, err := secure.Write(h.Request); err != nil {
		return err
	}
	counter := Counter{Size: h.Size}
	for {
		n, err := secure.Read(buf)
		if err != nil {
			return err
		}
		if answers, err := counter.Feed(buf[:n]); answers > 0 || err != nil {
			return err
		}
	}
}

// buffered reads the socket less often than crypto/tls alone does, which wants each record's header first.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (c *buffered) Read(p []byte) (int, error) { return c.r.Read(p) }
