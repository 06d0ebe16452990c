package jetstream

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// How long a relay tries to reach a control node for an edge. The edge itself waits no longer than remoteConnect, from before: it must have been
// told by then, or be connected, or it would give up at the moment at which the relay has found one that is there.
const (
	carryWithin = remoteConnect * 2 / 3
	carryNext   = remoteConnect / 12 // then another one is tried beside it
)

// carry connects an edge to any control node.
func (r *Relay) carry(ctx context.Context, c net.Conn) {
	far := r.reach(ctx, r.c.Up.Addresses(), (&net.Dialer{}).DialContext)
	if far == nil {
		return
	}
	r.tunnels.Add(1)
	defer r.tunnels.Add(-1)
	c.SetDeadline(time.Time{})
	carryBoth(ctx, c, far)
}

// reach connects to the first of these that can be reached, in an order that is another each time; nil: to none.
func (r *Relay) reach(ctx context.Context, all []string, dial func(ctx context.Context, network, address string) (net.Conn, error)) net.Conn {
	ctx, cancel := context.WithTimeout(ctx, carryWithin)
	var trying sync.WaitGroup
	defer trying.Wait()
	defer cancel()
	reached, failed := make(chan net.Conn), make(chan struct{}, len(all))
	try := func(address string) {
		far, err := dial(ctx, "tcp", address)
		if err != nil {
			r.c.Logger.Debug("control node not reached for an edge", "address", address, "err", err)
			failed <- struct{}{}
			return
		}
		select {
		case reached <- far:
		case <-ctx.Done():
			far.Close()
		}
	}
	next := time.NewTicker(carryNext)
	defer next.Stop()
	order, left := rand.Perm(len(all)), len(all)
	for left > 0 {
		tick := next.C
		if len(order) > 0 {
			address := all[order[0]]
			order = order[1:]
			trying.Go(func() { try(address) })
		}
		if len(order) == 0 {
			tick = nil
		}
		select {
		case far := <-reached:
			return far
		case <-failed:
			left--
		case <-tick:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
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
