// Package lone knows one edge by itself, with its control plane elsewhere: the edge is a process of its own that follows
// the journal over the network, so that what invalidations cost it can be told from what accepting them costs.
//
// Everything is the real thing, by what node puts it together of; but there is no API, and the edge has no metrics.
package lone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// name is the edge's.
const name = "E1"

// originName is where the edge's misses go; it is told the address.
const originName = "origin.bench"

// Plane is a control plane that lets anybody in as the edge. Start makes it.
type Plane struct {
	Address string // of the journal
	Host    string // of the distribution

	id      string
	log     *jetstream.Log
	control *control.Control
	stop    func()
}

var actor = journal.Actor{User: "bench"}

// Start opens a journal in the directory and makes a distribution. Close ends it.
func Start(ctx context.Context, dir string, cert tls.Certificate) (*Plane, error) {
	p := &Plane{}
	var err error
	p.log, err = jetstream.Open(ctx, jetstream.Config{Dir: dir, Network: &jetstream.Network{
		Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
		Admit: func(*tls.ConnectionState, string) *jetstream.Peer { return &jetstream.Peer{Edge: name} },
	}})
	if err != nil {
		return nil, err
	}
	p.Address = p.log.Addr()
	if p.control, err = control.New(control.Config{Log: p.log}); err != nil {
		return nil, errors.Join(err, p.log.Close())
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { p.control.Run(running) })
	unserve := func() {}
	p.stop = func() {
		unserve()
		cancel()
		all.Wait()
		p.log.Close()
	}
	select {
	case <-p.control.Ready():
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		unserve, err = p.log.ServeEdges(p.desk())
	}
	var made *control.Distribution
	if err == nil {
		made, err = p.control.CreateDistribution(ctx, actor, site(), nil)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.id, p.Host = made.ID, made.DomainName
	return p, nil
}

func (p *Plane) desk() jetstream.Desk {
	return jetstream.Desk{
		Join: func(ctx context.Context, j journal.EdgeJoined, _ string) error {
			_, err := p.control.Join(ctx, j)
			return err
		},
		Leave: p.control.Leave, Tick: p.control.Tick,
		Admit: func(context.Context, string, jetstream.Application) (*jetstream.Admission, error) {
			return nil, errors.New("nobody is to become an edge here")
		},
		Renew: func(context.Context, jetstream.Renewal) (*jetstream.Renewed, error) {
			return nil, errors.New("nobody stays here for so long")
		},
	}
}

// Invalidate returns when it is on disk.
func (p *Plane) Invalidate(ctx context.Context, item string) error {
	_, _, err := p.control.CreateInvalidation(ctx, actor, p.id, &wire.InvalidationBatch{
		CallerReference: wire.Ptr(fmt.Sprint("bench-", item)), Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{item}},
	})
	return err
}

// Close ends it. The edge has been stopped.
func (p *Plane) Close() { p.stop() }

func site() *wire.DistributionConfig {
	const optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6" // Managed-CachingOptimized
	return &wire.DistributionConfig{
		CallerReference: wire.Ptr("bench"), Comment: wire.Ptr("bench"), Enabled: wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: wire.Ptr("o"), DomainName: wire.Ptr(originName),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr(optimized),
		},
	}
}
