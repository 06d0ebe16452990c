package main

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

const (
	keys      = 100_000
	rate      = 10_000 // requests a second of the open loop
	idleConns = 10_000
	slowConns = 1_000
	everySec  = 100 // invalidations a second
)

// row is one load, on several servers.
type row struct {
	name, title, load string
	unit              string
	short             bool // part of the short form
	servers           []string
	fill              *fill // nil: the load itself fills the cache
	fresh             bool  // servers are started anew: memory is measured, and what was needed before is not needed again
	cacheMiB          int   // room of the caches where it is not the usual; servers are stopped behind the row
	rounds            int   // at most; 0: as many as of all rows
	longer            int   // a run is so many times longer than others; 0: it is not
	once              bool  // a run warms up by itself, or must not be warm
	anew              bool  // servers are started again before each run, with what they have on disk
	expects           bool  // the rules that a server is named for must be in force
	misses            bool  // all requests must reach the origin; otherwise none may
	written           bool  // a run begins when all that was written before is on the disk
	make              func(s *server.Server) load.Load
	run               func(ctx context.Context, b *bench, s *server.Server) (result.Run, error) // nil: what make makes is run
	beside            func(ctx context.Context, s *server.Server) (beside, error)               // nil: nothing runs beside
}

// fill puts objects into a server's cache, once for all rows that need them.
type fill struct {
	do      func(ctx context.Context, s *server.Server) error
	weighed bool // what so many objects take of memory is measured
}

// beside is what goes on while a run lasts.
type beside struct {
	release func() (count int, err error)
	conns   int // connections held: what they need of memory is measured
}

var (
	everyone     = []string{"Warmfront", "nginx", "Varnish", "HAProxy", "H2O", "Traffic Server"}
	andTheKernel = append(slices.Clone(everyone), "the kernel")
)

// starts says how each server is started.
var starts = map[string]server.Start{
	"Warmfront":                    server.StartWarmfront,
	"Warmfront with log":           server.StartWarmfrontLogging,
	oneKey:                         server.StartWarmfrontOneKey,
	"Warmfront with invalidations": server.WarmfrontNamed("Warmfront with invalidations"),
	"Warmfront on two cores":       server.StartWarmfrontTwoCores,
	"nginx":                        server.StartNginx,
	"nginx with log":               server.StartNginxLogging,
	"Varnish":                      server.StartVarnish,
	"Varnish with bans":            server.VarnishNamed("Varnish with bans"),
	"HAProxy":                      server.StartHAProxy,
	"H2O":                          server.StartH2O,
	"Traffic Server":               server.StartTrafficServer,
	"the kernel":                   server.StartFloor,
	"Warmfront on disk":            server.StartWarmfrontOnDisk,
	"Varnish on disk":              server.StartVarnishOnDisk,
	"Traffic Server on disk":       server.StartTrafficServerOnDisk,
	"Varnish with lurker":          server.StartVarnishLurking,
	"nginx, files removed":         server.StartNginxForgetting,
}

var rows = []row{
	sized("1k", "A hit of 1 KiB", 1<<10),
	sized("16k", "A hit of 16 KiB", 16<<10),
	sized("100k", "A hit of 100 KiB", 100<<10),
	sized("1m", "A hit of 1 MiB", 1<<20),
	{name: "keys", title: "100,000 keys", short: true, servers: append(slices.Clone(everyone), oneKey), fill: keysPlain,
		load: "64 keep-alive connections, 100,000 objects of 1 KiB, asked for by Zipf's law with exponent 1; one key has as many objects and is asked for one of them", make: manyKeys},
	{name: "conns", title: "512 connections", servers: andTheKernel, load: "512 keep-alive connections, one object of 1 KiB", make: closed(1<<10, 512, 1)},
	{name: "pipelined", title: "Pipelined", servers: everyone,
		load: "64 connections, each sends 16 requests for one object of 1 KiB at once and the next 16 when all are answered", make: closed(1<<10, 64, 16)},
	{name: "tls-1k", title: "HTTPS, 1 KiB", short: true, servers: everyone, load: "HTTP/1.1 over TLS 1.3, 64 keep-alive connections, one object of 1 KiB", make: secure(1 << 10)},
	{name: "tls-100k", title: "HTTPS, 100 KiB", short: true, servers: everyone, load: "HTTP/1.1 over TLS 1.3, 64 keep-alive connections, one object of 100 KiB", make: secure(100 << 10)},
	{name: "tls-new", title: "New TLS connections", unit: "connection", servers: everyone, make: handshakes,
		load: "16 clients, each: connect, full TLS 1.3 handshake (ECDSA P-256, X25519), one hit of 1 KiB, reset"},
	{name: "h2-one", title: "HTTP/2, one key", short: true, servers: everyone, make: http2One,
		load: "HTTP/2 over TLS 1.3, 16 connections with 32 streams each, one object of 1 KiB"},
	{name: "h2-keys", title: "HTTP/2, 100,000 keys", short: true, servers: everyone, fill: keysHTTP2, make: http2Keys,
		load: "HTTP/2 over TLS 1.3, 16 connections with 32 streams each, 100,000 objects of 1 KiB, by Zipf's law with exponent 1"},
	{name: "latency", title: "Latency at a fixed rate", short: true, servers: andTheKernel, make: open,
		load: "10,000 requests a second for one object of 1 KiB over 64 connections, at times that do not depend on the answers (Poisson); latency counts from when a request was due"},
	{name: "idle", title: "Beside 10,000 idle connections", servers: everyone, make: closed(1<<10, 64, 1), beside: idle, fresh: true,
		load: "64 busy keep-alive connections, one object of 1 KiB, beside 10,000 connections that had one hit and are silent"},
	{name: "slow", title: "Beside 1,000 slow connections", servers: everyone, make: closed(1<<10, 64, 1), beside: slow, fresh: true, fill: large,
		load: "64 busy keep-alive connections, one object of 1 KiB, beside 500 that send their request at 2 octets a second and 500 that read 1 MiB at 1 KiB a second"},
	{name: "log", title: "The access log", short: true, servers: []string{"Warmfront", "Warmfront with log", "nginx", "nginx with log"},
		load: "64 keep-alive connections, one object of 1 KiB; a line per request into a file", make: closed(1<<10, 64, 1)},
	{name: "invalidations", title: "While 100 invalidations a second arrive", fill: keysPlain, make: manyKeys, beside: invalidations(everySec),
		servers: []string{"Warmfront", "Warmfront with invalidations", "Varnish", "Varnish with bans"},
		load:    "as 100,000 keys; each invalidation is a new wildcard that matches nothing, ours through the API and on disk, Varnish's a ban; what accepting them costs is in the server's CPU"},
	{name: "cores", title: "One core and two", servers: []string{"Warmfront", "Warmfront on two cores"}, make: closed(1<<10, 64, 1),
		load: "64 keep-alive connections, one object of 1 KiB; on two cores the generator takes its part of the second where there are only two"},
	{name: "million", title: "{objects} keys", servers: []string{"Warmfront", oneKey, "Warmfront on disk", "nginx", "Varnish", "HAProxy", "Traffic Server"}, fill: million, fresh: true, cacheMiB: 4096,
		load: "64 keep-alive connections, {objects} objects of 1 KiB, asked for by Zipf's law with exponent 1; one key has as many objects and is asked for one of them; on disk is with next to no bodies in memory, as nginx", make: manyMore},
	missing("fill-1k", "A miss of 1 KiB", 1<<10),
	missing("fill-100k", "A miss of 100 KiB", 100<<10),
	fromDisk("disk-16k", "A hit of 16 KiB from disk", disk16k),
	fromDisk("disk-100k", "A hit of 100 KiB from disk", disk100k),
	firstFromDisk("first-16k", "A first hit of 16 KiB from disk", disk16k),
	firstFromDisk("first-100k", "A first hit of 100 KiB from disk", disk100k),
	{name: "restart", title: "Started again", unit: "restart", servers: []string{"Warmfront on disk", "nginx", "Traffic Server on disk"}, fill: keysPlain, make: manyKeys, run: restarted,
		load: "100,000 objects of 1 KiB are stored; the server is stopped in order, started again and asked for one after the other until an answer has not come from the origin"},
}

func rowNames() (names []string) {
	for _, r := range slices.Concat(rows, invalidationRows) {
		names = append(names, r.name)
	}
	return names
}

func object(size int) string { return fmt.Sprintf("/o/%d", size) }

func sized(name, title string, size int) row {
	return row{name: name, title: title, short: true, servers: andTheKernel, load: "64 keep-alive connections, one object", make: closed(size, 64, 1)}
}

func closed(size, conns, depth int) func(s *server.Server) load.Load {
	return func(s *server.Server) load.Load {
		return &load.Closed{Address: s.Plain, Connections: conns, Requests: load.One(load.Get(s.Host, object(size)), depth), Size: size}
	}
}

func open(s *server.Server) load.Load {
	return &load.Open{Address: s.Plain, Connections: 64, Requests: load.One(load.Get(s.Host, object(1<<10)), 1), Size: 1 << 10, Rate: rate}
}

func secure(size int) func(s *server.Server) load.Load {
	return func(s *server.Server) load.Load {
		if !s.TLS.IsValid() {
			return nil
		}
		return &load.Secure{Address: s.TLS, Config: load.ClientConfig(s.Host, "http/1.1"), Connections: 64,
			Requests: load.One(load.Get(s.Host, object(size)), 1), Size: size}
	}
}

func handshakes(s *server.Server) load.Load {
	if !s.TLS.IsValid() {
		return nil
	}
	return &load.Handshakes{Address: s.TLS, Config: load.ClientConfig(s.Host, "http/1.1"), Clients: 16,
		Request: load.Get(s.Host, object(1<<10)), Size: 1 << 10}
}

func http2(s *server.Server, requests *load.Requests) *load.HTTP2 {
	return &load.HTTP2{Address: s.TLS, Config: load.ClientConfig(s.Host, "h2"), Connections: 16, Streams: 32,
		First: load.First(s.Host, object(1<<10)), Requests: requests, Size: 1 << 10}
}

func http2One(s *server.Server) load.Load {
	if !s.HTTP2 {
		return nil
	}
	return http2(s, load.Many(load.Blocks(s.Host, []string{object(1 << 10)}), nil))
}

func http2Keys(s *server.Server) load.Load {
	if !s.HTTP2 {
		return nil
	}
	return http2(s, load.Many(load.Blocks(s.Host, load.Keys(keys)), zipf()))
}

// zipf is the same for all servers.
var zipf = sync.OnceValue(func() []uint32 { return load.Zipf(keys, 1<<20) })

func gets(s *server.Server) (requests [][]byte) {
	return getsOf(s, load.Keys(keys))
}

func getsOf(s *server.Server, paths []string) (requests [][]byte) {
	for _, path := range paths {
		requests = append(requests, load.Get(s.Host, path))
	}
	return requests
}

// oneKey is measured beside what is asked for many keys, round by round: two rows are minutes apart, and a machine may have another
// speed by then.
const oneKey = "Warmfront with one key"

func manyKeys(s *server.Server) load.Load {
	order := zipf()
	if s.Name == oneKey {
		order = order[:1]
	}
	return &load.Closed{Address: s.Plain, Connections: 64, Requests: load.Many(gets(s), order), Size: server.KeySize}
}

var keysPlain = &fill{do: func(ctx context.Context, s *server.Server) error {
	return load.Fill(ctx, s.Plain, load.Many(gets(s), nil), server.KeySize, keys)
}}

// keysHTTP2 fills by HTTP/2: some servers keep apart what was asked for by https.
var keysHTTP2 = &fill{do: func(ctx context.Context, s *server.Server) error {
	return http2(s, load.Many(load.Blocks(s.Host, load.Keys(keys)), nil)).Fill(ctx)
}}

var large = &fill{do: func(ctx context.Context, s *server.Server) error {
	return load.Fill(ctx, s.Plain, load.One(load.Get(s.Host, object(1<<20)), 1), 1<<20, 1)
}}
