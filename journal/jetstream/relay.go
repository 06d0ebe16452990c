package jetstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// Relay stands between control nodes and many edges. It hears each entry once, and passes it on to all of them, so that the node which appends
// does not wait until hundreds have been written to. And it carries the edges' own connections to control nodes, octet by
// octet: what they say there (acknowledgements, probes, reads, joining) is between them and the control node, within TLS, so a relay can
// neither read nor make it. What it passes on has the authority's signature, which it cannot make either. It is trusted with
// reading what is in the journal, and with nothing else: it can keep back and delay.
//
// Not a leaf node of the engine: that speaks for its edges, and a leaf node that is stolen could acknowledge in their names.
type Relay struct {
	c   RelayConfig
	ask chan inquiry

	seq     atomic.Uint64
	tunnels atomic.Int64

	mu        sync.Mutex
	taken     int                    // connections
	listeners map[string][]*listener // by edge, oldest first
}

// RelayConfig: all members but Logger are required.
type RelayConfig struct {
	Listener net.Listener
	TLS      *tls.Config // how it shows itself to edges, whose certificates it wants

	// Who tells the edge and the serial number of a connection's verified certificate.
	Who func(*tls.ConnectionState) (edge, serial string, ok bool)

	Up     *Remote // its own connection to the control nodes, by its own name
	Logger *slog.Logger
}

// Shown is a certificate that somebody has shown.
type Shown struct{ Edge, Serial string }

type inquiry struct {
	Shown
	answer chan<- bool // capacity 1
}

// listener is an edge's connection for pushes.
type listener struct {
	Shown
	queue chan []byte
	cut   func()
	known bool // a control node has said that the certificate is the edge's; guarded by Relay.mu
}

// RelayStats is how a relay is.
type RelayStats struct {
	Edges   int    // that it passes pushes on to
	Tunnels int    // connections to control nodes that it carries
	Seq     uint64 // the newest entry that it has passed on
}

// What a relay has at once (L9). Beyond it connections are closed, the listener that does not keep up is cut, and an edge's oldest.
const (
	mostRelayed   = 32768    // connections
	mostQueued    = 256      // frames for one edge; their octets are the same for all
	mostListeners = 4        // connections for pushes of one edge; and as many of which it is not known yet whether they are
	mostInquiries = 256      // certificates in one question
	mostGathered  = 16 << 10 // octets for one edge in one write, and the last frame of them: TLS makes no larger records
	mostCarried   = 4 << 10  // octets on their way between an edge and a control node, each way
	relayWrite    = 5 * time.Second
	relayRecheck  = 5 * time.Second // a part of the edges is asked about
)

// NewRelay returns a relay that does nothing until Run.
func NewRelay(c RelayConfig) *Relay {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Relay{c: c, ask: make(chan inquiry, 4*mostInquiries), listeners: map[string][]*listener{}}
}

// Stats tells how it is.
func (r *Relay) Stats() RelayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RelayStats{len(r.listeners), int(r.tunnels.Load()), r.seq.Load()}
}

// Run passes on until ctx ends, and waits for all connections.
func (r *Relay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	stop, err := r.c.Up.overhear(r.pass)
	if err != nil {
		return err
	}
	defer stop()
	running.Go(func() { r.inquire(ctx) })
	running.Go(func() { r.watch(ctx) })
	defer context.AfterFunc(ctx, func() { r.c.Listener.Close() })()
	for {
		c, err := r.c.Listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // no descriptor is left, for a moment
			r.c.Logger.Warn("relay takes no connection", "err", err)
			wait(ctx, 100*time.Millisecond)
			continue
		}
		if !r.enter() {
			c.Close()
			continue
		}
		running.Go(func() {
			defer r.leave()
			r.serve(ctx, c)
		})
	}
}

func (r *Relay) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken >= mostRelayed {
		return false
	}
	r.taken++
	return true
}

func (r *Relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
}

// serve does for a connection what it wants.
func (r *Relay) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(time.Now().Add(relayPatient))
	var first [4]byte
	if _, err := io.ReadFull(c, first[:]); err != nil || [3]byte(first[:3]) != helloPrefix {
		return
	}
	switch first[3] {
	case wantsJournal:
		r.carry(ctx, c)
	case wantsPushes:
		if err := r.passTo(ctx, tls.Server(c, r.c.TLS)); err != nil && ctx.Err() == nil {
			r.c.Logger.Debug("edge no longer hears this relay", "address", c.RemoteAddr(), "err", err)
		}
	}
}

// passTo passes pushes on to an edge that a control node knows.
func (r *Relay) passTo(ctx context.Context, c *tls.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	state := c.ConnectionState()
	edge, serial, ok := r.c.Who(&state)
	if !ok {
		return errors.New("journal: no edge's certificate")
	}
	x := &listener{Shown: Shown{edge, serial}, queue: make(chan []byte, mostQueued), cut: cancel}
	r.add(x) // before the question: what is pushed between it and its answer is not lost, and what ends the admission then cuts x
	defer r.remove(x)
	if !r.known(ctx, x.Shown) || r.c.Up.Connected() != nil {
		return fmt.Errorf("%w: edge %s", ErrRefused, edge)
	}
	r.believe(x)
	beat := time.NewTicker(relayBeat)
	defer beat.Stop()
	next := heartbeat // at once: now it is let in
	for {
		c.SetWriteDeadline(time.Now().Add(relayWrite))
		if _, err := c.Write(x.more(next)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case next = <-x.queue:
		case <-beat.C:
			next = heartbeat
		}
	}
}

// more is what waits behind a frame, with it.
func (x *listener) more(b []byte) []byte {
	if len(x.queue) == 0 {
		return b
	}
	b = slices.Clone(b)
	for len(b) < mostGathered {
		select {
		case next := <-x.queue:
			b = append(b, next...)
		default:
			return b
		}
	}
	return b
}

func (r *Relay) add(x *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners[x.Edge] = append(r.listeners[x.Edge], x)
	r.bound(x)
}

// believe notes that the certificate is the edge's.
func (r *Relay) believe(x *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.known = true
	r.bound(x)
}

// bound cuts the oldest of the edge's listeners of x's kind, if there are too many: who shows a certificate that was the edge's once takes no place of the edge itself.
func (r *Relay) bound(x *listener) {
	n, all := 0, r.listeners[x.Edge]
	for _, y := range all {
		if y.known == x.known {
			n++
		}
	}
	if i := slices.IndexFunc(all, func(y *listener) bool { return y.known == x.known }); n > mostListeners {
		all[i].cut()
		r.listeners[x.Edge] = slices.Delete(all, i, i+1)
	}
}

func (r *Relay) remove(x *listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.DeleteFunc(r.listeners[x.Edge], func(y *listener) bool { return x == y })
	if r.listeners[x.Edge] = all; len(all) == 0 {
		delete(r.listeners, x.Edge)
	}
}

// pass passes an entry on. Who does not keep up is cut, and waited for by nobody.
func (r *Relay) pass(signature, entry []byte) {
	f := frame(signature, entry)
	e, err := journal.DecodeForEdge(entry)
	if f == nil || err != nil {
		r.c.Logger.Warn("journal push unreadable", "err", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq.Store(e.Seq)
	for _, of := range r.listeners {
		for _, x := range of {
			select {
			case x.queue <- f:
			default:
				x.cut()
			}
		}
	}
	for i := range e.Facts {
		r.readmit(&e.Facts[i])
	}
}

// readmit cuts connections of an edge that is not, or by another certificate, what it was.
func (r *Relay) readmit(f *journal.Fact) {
	switch {
	case f.EdgeRemoved != nil:
		for _, x := range r.listeners[f.EdgeRemoved.Edge] {
			x.cut()
		}
	case f.EdgeAdmitted != nil:
		for _, x := range r.listeners[f.EdgeAdmitted.Edge] {
			if x.Serial != f.EdgeAdmitted.Serial && x.Serial != f.EdgeAdmitted.Previous {
				x.cut()
			}
		}
	}
}

// known asks a control node whether a certificate is an edge's.
func (r *Relay) known(ctx context.Context, who Shown) bool {
	answer := make(chan bool, 1)
	select {
	case r.ask <- inquiry{who, answer}:
	case <-ctx.Done():
		return false
	}
	select {
	case ok := <-answer:
		return ok
	case <-ctx.Done():
		return false
	}
}

// inquire asks about all who have come meanwhile in one question.
func (r *Relay) inquire(ctx context.Context) {
	for {
		var all []inquiry
		select {
		case <-ctx.Done():
			return
		case one := <-r.ask:
			all = append(all, one)
		}
		for len(all) < mostInquiries && len(r.ask) > 0 {
			all = append(all, <-r.ask)
		}
		who := make([]Shown, len(all))
		for i := range all {
			who[i] = all[i].Shown
		}
		known, err := r.c.Up.shown(ctx, who)
		if err != nil {
			r.c.Logger.Warn("relay cannot ask who its edges are", "err", err)
		}
		for i := range all {
			all[i].answer <- err == nil && known[i]
		}
	}
}

// watch leaves the edges alone while this relay hears nothing itself, and asks about all of them, some at a time: what ends an
// admission may have been pushed while nobody heard it.
func (r *Relay) watch(ctx context.Context) {
	soon, recheck := time.NewTicker(relayBeat/4), time.NewTicker(relayRecheck)
	defer soon.Stop()
	defer recheck.Stop()
	asked, failed := "", 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-soon.C:
			if r.c.Up.Connected() != nil {
				r.cutAll()
			}
			continue
		case <-recheck.C:
		}
		some := r.after(asked)
		who := make([]Shown, len(some))
		for i, x := range some {
			who[i] = x.Shown
		}
		known, err := r.c.Up.shown(ctx, who) // of nobody, too: an answer says that the connection is one
		if err != nil {
			if failed++; failed%2 == 0 && ctx.Err() == nil {
				r.cutAll()
				r.c.Up.again()
			}
			continue
		}
		asked, failed = "", 0
		for i, x := range some {
			if asked = x.Edge; !known[i] {
				x.cut()
			}
		}
	}
}

// after are the listeners of the edges behind that one, in the order of their names.
func (r *Relay) after(edge string) (some []*listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.listeners))
	for name := range r.listeners {
		if name > edge {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if len(some)+mostListeners > mostInquiries {
			break
		}
		for _, x := range r.listeners[name] {
			if x.known { // others are being asked about
				some = append(some, x)
			}
		}
	}
	return some
}

func (r *Relay) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range r.listeners {
		for _, x := range of {
			x.cut()
		}
	}
}
