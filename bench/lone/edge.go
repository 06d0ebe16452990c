package lone

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/origin"
)

// EdgeConfig is what the edge's process is told.
type EdgeConfig struct {
	Listener net.Listener
	Journal  string // address of the plane's
	Origin   string // address
	CacheMiB int
}

// Serve is the edge, until ctx ends.
func Serve(ctx context.Context, c EdgeConfig) error {
	// Whoever is at that address is the plane: it is the bench's own, on this machine.
	log, err := jetstream.Dial(jetstream.RemoteConfig{Addresses: []string{c.Journal}, Edge: name, TLS: &tls.Config{InsecureSkipVerify: true}})
	if err != nil {
		return err
	}
	defer log.Close()
	store, err := memory.New(memory.Config{Capacity: int64(c.CacheMiB) << 20})
	if err != nil {
		return err
	}
	fetch, err := origin.New(origin.Config{Resolve: map[string]string{originName: c.Origin}})
	if err != nil {
		return err
	}
	defer fetch.Close()
	e, err := edge.New(edge.Config{Name: name, Location: name, Log: log, Store: store, Origin: fetch, Join: log.Join, Leave: log.Leave})
	if err != nil {
		return err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var member sync.WaitGroup
	var failed error
	member.Go(func() { failed = e.Run(following) })
	server := &httpserver.Server{Listener: c.Listener, Handler: e, Answerer: e, Refuse: e.Refuse}
	err = server.Run(ctx)
	stop()
	member.Wait()
	if errors.Is(failed, context.Canceled) {
		failed = nil
	}
	return errors.Join(err, failed)
}
