package jetstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// routes is where an edge's connection to the control plane goes: through a relay while one can be reached, else to a control node
// itself. The engine's client believes to have one address.
type routes struct {
	relays []string
	dialer net.Dialer

	mu     sync.Mutex
	direct []string // control nodes; guarded by mu
	left   []hop    // what is tried next, until there is a connection; guarded by mu
	last   hop      // what was tried last; guarded by mu
}

// hop is one address.
type hop struct {
	address string
	relay   bool
}

// anywhere is the one address. It is dialled by nobody.
const anywhere = "journal.warmfront.internal:4443"

func newRoutes(relays, direct []string) *routes {
	return &routes{relays: relays, direct: direct, dialer: net.Dialer{Timeout: remoteConnect}}
}

// options make a connection go by them.
func (r *routes) options() []nats.Option {
	return []nats.Option{nats.SetCustomDialer(r), nats.SkipHostLookup(), nats.IgnoreDiscoveredServers()}
}

// Dial implements nats.CustomDialer. Each call begins where the one before has ended: what has taken the connection and was no control node
// then is not tried again before all others were.
func (r *routes) Dial(network, _ string) (net.Conn, error) {
	var failed []error
	for range r.many() {
		s := r.next()
		c, err := r.dialer.Dial(network, s.address)
		if err == nil && s.relay {
			err = hello(c, wantsJournal)
		}
		if err == nil {
			return gather(c), nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

func (r *routes) many() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.relays) + len(r.direct)
}

// next is what to try: all relays, in another order each time, then all control nodes. What was there last comes last of its kind.
func (r *routes) next() hop {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		r.left = append(r.shuffled(r.relays, true), r.shuffled(r.direct, false)...)
	}
	r.last, r.left = r.left[0], r.left[1:]
	return r.last
}

// shuffled is for next.
func (r *routes) shuffled(all []string, relay bool) (hops []hop) {
	var again []hop
	for _, i := range rand.Perm(len(all)) {
		if s := (hop{all[i], relay}); s != r.last {
			hops = append(hops, s)
		} else {
			again = append(again, s)
		}
	}
	return append(hops, again...)
}

// settled says that there is a connection: the next one begins with the relays.
func (r *routes) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = nil
}

// moved says where the control nodes are now.
func (r *routes) moved(direct []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.direct = direct
}

// relayed tells whether the connection goes through a relay.
func (r *routes) relayed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.relay
}

// What an edge wants of a relay is the last octet of its first four.
const (
	wantsJournal = 'J' // all that follows is the edge's own, with a control node
	wantsPushes  = 'P' // TLS with the relay; then what is pushed
)

var helloPrefix = [3]byte{'W', 'F', 1} // 1: of this protocol

func hello(c net.Conn, wants byte) error {
	c.SetWriteDeadline(time.Now().Add(remoteConnect))
	_, err := c.Write(append(helloPrefix[:], wants))
	c.SetWriteDeadline(time.Time{})
	if err != nil {
		c.Close()
		return fmt.Errorf("relay %s: %w", c.RemoteAddr(), err)
	}
	return nil
}
