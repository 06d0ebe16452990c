package jetstream

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// carry connects an edge to any control node.
func (r *Relay) carry(ctx context.Context, c net.Conn) {
	d := net.Dialer{Timeout: remoteConnect}
	all := r.c.Up.Addresses()
	for _, i := range rand.Perm(len(all)) {
		far, err := d.DialContext(ctx, "tcp", all[i])
		if err != nil {
			r.c.Logger.Debug("control node not reached for an edge", "address", all[i], "err", err)
			continue
		}
		r.tunnels.Add(1)
		defer r.tunnels.Add(-1)
		c.SetDeadline(time.Time{})
		carryBoth(ctx, c, far)
		return
	}
}

// carryBoth carries octets either way until one side ends.
func carryBoth(ctx context.Context, a, b net.Conn) {
	defer b.Close()
	defer context.AfterFunc(ctx, func() { b.Close() })()
	var back sync.WaitGroup
	back.Go(func() {
		carryOne(a, b)
		a.Close()
	})
	carryOne(b, a)
	b.Close()
	back.Wait()
}

// carryOne carries octets one way until that side ends, or the other takes nothing for relayWrite: it would be waited for when the connection has long been ended
// by who sends. io.Copy would not notice, and hold two pipes, and so four descriptors, for each connection on which nothing comes.
func carryOne(to, from net.Conn) {
	b := make([]byte, mostCarried)
	for {
		n, err := from.Read(b)
		if n > 0 {
			to.SetWriteDeadline(time.Now().Add(relayWrite))
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
