package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/certificate"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/origin"
)

// locations are the edge locations of dev, in order: airport code, number, place, as in X-Amz-Cf-Pop.
var locations = []string{"FRA50-P1", "IAD89-P2", "NRT57-P3", "GRU3-P1", "SYD62-P1", "BOM78-P2", "LHR50-P4", "SFO53-P1"}

// location names the i-th edge location; after the list they are numbered.
func location(i int) string {
	if i < len(locations) {
		return locations[i]
	}
	return fmt.Sprintf("LAX%d-P1", 50+i)
}

// place is one edge location of this process: an edge with its own memory, origin connections and ports.
type place struct {
	name     string
	location string // name, or what it has in common with other machines of the same place
	edge     *edge.Edge
	store    *memory.Store
	disk     *disk.Store // nil: none
	undisked bool        // one was wanted, and could not be opened
	kin      *kinship
	origin   *origin.Client
	servers  []*httpserver.Server // plain HTTP, and https if that is on
	l        net.Listener         // of the first
	secure   net.Listener         // of the second; nil: none
	held     bool                 // a supervisor holds the sockets: who connects waits in them, instead of being refused
}

// startEdges makes one place per listener and waits until each may serve (L5).
func (d *process) startEdges(ctx context.Context, p *phase) error {
	for i := range d.ls.edges {
		if err := d.startPlace(i, location(i), location(i), p); err != nil {
			return err
		}
	}
	head := d.control.Seq() // beyond it an edge makes no progress: entries of others come in for ever
	for _, pl := range d.places {
		applied := func() uint64 { return min(pl.edge.Stats().Seq, head) }
		slow := func() { fmt.Fprintf(d.Out, "Edge %s follows the journal: entry %d of %d.\n", pl.name, applied(), head) }
		if err := p.until(ctx, readiness{ready: pl.edge.Ready, progress: applied, slow: slow}); err != nil {
			return fmt.Errorf("edge %s: %w", pl.name, err)
		}
	}
	return nil
}

// startPlace makes the place that has the i-th listener, and runs it.
func (d *process) startPlace(i int, name, location string, p *phase) error {
	l := d.ls.edges[i]
	var secure net.Listener
	var packets net.PacketConn
	if len(d.ls.secure) > 0 {
		secure = d.ls.secure[i]
	}
	if len(d.ls.packets) > 0 {
		packets = d.ls.packets[i]
	}
	kin, err := d.kin(name, location, i)
	if err != nil {
		return err
	}
	pl, err := d.newPlace(name, location, l, secure, packets, kin)
	if err != nil {
		return err
	}
	d.places = append(d.places, pl)
	ready := ReadyEdge{Name: pl.name, URL: url(l)}
	if secure != nil {
		ready.HTTPS = secureURL(secure)
	}
	d.ready.Edges = append(d.ready.Edges, ready)
	p.run(pl.run)
	return nil
}

// newPlace makes the edge location that listens on l, on secure for https and on packets for HTTP/3 unless they
// are nil.
func (d *process) newPlace(name, location string, l, secure net.Listener, packets net.PacketConn, kin *kinship) (*place, error) {
	log := d.Logger.With("edge", name)
	store, err := memory.New(memory.Config{Capacity: d.CacheSize})
	if err != nil {
		return nil, fmt.Errorf("--cache-size: %w", err)
	}
	fetch, err := origin.New(origin.Config{Resolve: d.resolve, MaxRequests: d.OriginRequests, Changed: func(o origin.Outage, down bool) {
		if down {
			log.Warn("origin does not answer", "address", o.Address, "err", o.Failure)
		} else {
			log.Info("origin answers again", "address", o.Address, "after", time.Since(o.Since))
		}
	}})
	if err != nil {
		return nil, err
	}
	pl := &place{name: name, location: location, store: store, disk: d.openDisk(name, store, log), origin: fetch, kin: kin, l: l, secure: secure, held: d.ls.held}
	pl.undisked = d.DiskCache != 0 && pl.disk == nil
	config := edge.Config{
		Name: name, Location: location, Log: d.log, Store: store, Disk: pl.disk, Origin: fetch, Logger: log, Observe: d.observe,
		Join: d.join, Leave: d.leave,
		HTTPSPort: port(secure), HTTP3Port: udpPort(packets),
		Challenge: certificate.Challenge,
		Purge:     d.purge,
		Tier:      kin.client, Address: kin.address,
		Cut: func(older time.Duration) {
			for _, s := range pl.servers {
				s.CutHeads(older)
			}
		},
	}
	e, err := edge.New(config)
	if err != nil {
		return nil, err
	}
	pl.edge, kin.edge, kin.log = e, e, log
	serve := func(l net.Listener, t *httpserver.TLS, packets net.PacketConn) {
		pl.servers = append(pl.servers, &httpserver.Server{
			Listener: l, Packets: packets, Handler: e, Answerer: e, TLS: t, H2C: d.H2C, Proxied: d.ProxyProtocol,
			Refuse: e.Refuse, Limits: d.Limits, Logger: log,
			HandshakeFailed: func(quic bool, reason string) { d.metrics.HandshakeFailed(name, quic, reason) },
		})
	}
	serve(l, nil, nil)
	if secure != nil {
		serve(secure, d.tls(e), packets)
	}
	return pl, nil
}

// openDisk opens an edge's file. Without it the edge goes on from memory, as it does when the disk fails later.
func (d *process) openDisk(name string, above *memory.Store, log *slog.Logger) *disk.Store {
	if d.DiskCache == 0 {
		return nil
	}
	path := filepath.Join(d.Data, "cache", name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	var f disk.File
	if err == nil {
		if f, err = disk.OpenFile(path); err == nil {
			f = suffering(f)
		}
	}
	var s *disk.Store
	if err == nil {
		s, err = disk.Open(disk.Config{File: f, Capacity: d.DiskCache, Logger: log, Hot: func(key []byte) bool {
			o := above.Peek(key)
			return o != nil && o.Hits.Load() > 0
		}})
	}
	if err != nil {
		log.Error("disk cache cannot be opened; going on without it", "file", path, "err", err)
		return nil
	}
	return s
}

// heldFor is how long viewers who have connected meanwhile are left waiting for an edge that starts. After that 503 is better.
const heldFor = 10 * time.Second

// await waits until the edge may serve, or that takes too long.
func (pl *place) await(ctx context.Context, member *phase) {
	ctx, cancel := context.WithTimeout(ctx, heldFor)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for pl.edge.Ready() != nil {
		select {
		case <-again.C:
		case <-member.failed():
			return
		case <-ctx.Done():
			return
		}
	}
}

// run serves until ctx ends. The sockets drain first: an edge leaves the journal only after its last
// answer (P2).
func (pl *place) run(ctx context.Context) error {
	defer pl.origin.Close()
	defer pl.kin.client.Close()
	if pl.disk != nil {
		defer pl.disk.Close()
	}
	member := newPhase(context.WithoutCancel(ctx))
	member.run(pl.edge.Run)
	served := newPhase(ctx)
	if pl.held {
		pl.await(ctx, member)
	}
	for _, s := range pl.servers {
		served.run(s.Run)
	}
	if pl.kin.l != nil {
		served.run(pl.kin.run)
	}
	select {
	case <-served.failed(): // ctx ended, or the server could not go on
	case <-member.failed(): // without the journal nothing may be served
	}
	if err := served.stop(); err != nil {
		member.stop()
		return err
	}
	return member.stop()
}
