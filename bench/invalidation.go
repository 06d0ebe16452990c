package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

// The rows of -invalidation.
var invalidationRows = []row{
	{name: "way", title: "The way to edges up to 150 ms away", unit: "invalidation", servers: fleets, run: onTheWay, once: true, rounds: 3,
		load: fmt.Sprintf("%d invalidations, one each %v, with more than %d edges one each %v, whatever has become of those before; the journal is synced to disk. Each edge comes to the control node's door "+
			"as one on another machine does, with a TCP connection of its own, TLS and a certificate, and each by a proxy that brings every octet %v to %v later, in both directions, and lets what comes behind follow at once. "+
			"What is measured begins with the call that creates an invalidation, in the control node; it is applied when the farthest edge has stopped every answer under way without it, and Completed when the control node knows the entry "+
			"that says so to be on disk, with every edge's acknowledgement. With relays there are as many places, the proxies lie between them and the control node, and the edges are beside them. "+
			"Control plane and journal are in one process on all cores, the edges in another on the same, the proxies in a third, relays in a fourth: "+
			"so it has in it what all edges together cost this machine; but the collector of the edges' process comes late, for that of one edge would be done in less than a millisecond",
			perWay, wayEvery, many, wayOfMany, nearest, farthest)},
	{name: "checked", title: "A hit while rules are active", servers: ruled, fill: rulesInForce, make: someKeys, expects: true,
		load: "64 keep-alive connections, 4,000 objects of 1 KiB by Zipf's law, each of which has been asked for since the last rule; the rules match none of them: exact, prefix, suffix, wildcard by turns. " +
			"Something older than the rules keeps them active: a fill that does not end, and 96,000 objects that nobody has asked for since"},
	{name: "first", title: "The first hit after rules came", servers: ruled, fill: keysPlain, make: eachOnce, beside: freshRules, fresh: true,
		load: "as in a hit while rules are active, but the rules are new in each round, and no object is asked for twice in it. 64 connections, so latency is mostly that of 63 others"},
	{name: "stream", title: "While 1,000 invalidations a second arrive", fill: keysPlain, make: manyKeysYielding, beside: invalidations(1000),
		longer:  20, // twice as long as from one sweep to the next in a steady stream: each run has as many as come in that time
		servers: []string{edgeBeside, edgeHears, "Warmfront", "Warmfront with invalidations", "Varnish", "Varnish with bans"},
		load: "64 keep-alive connections, 100,000 objects of 1 KiB by Zipf's law; each invalidation is a new wildcard that matches nothing. \"One edge\" is an edge whose journal and control plane are on another core and come " +
			"over the network; beside them it is the same process, and another control plane takes them, so that the load has the same rest of that core; \"Warmfront\" is everything in one process on one core, and takes them by its API, signed and synced to disk; Varnish takes a ban by varnishadm"},
	{name: "prefix", title: "{objects} objects dropped by their prefix", unit: "purge", servers: []string{"Warmfront", "Varnish with lurker", "nginx, files removed"}, run: dropped, fill: toDrop,
		once: true, fresh: true, cacheMiB: 4096, rounds: 2,
		load: "{objects} objects of 1 KiB; another one is asked for 2,000 times a second all the while. In force is when the edge has acknowledged it, the ban is answered, or the last of the files is removed"},
}

var ruled = []string{"Warmfront", "Warmfront, 100 rules", "Warmfront, 10,000 rules", "Varnish", "Varnish, 100 bans", "Varnish, 10,000 bans"}

func init() {
	starts[edgeHears], starts[edgeBeside] = server.EdgePair(edgeHears, edgeBeside)
	for _, name := range ruled {
		if starts[name] == nil {
			if strings.HasPrefix(name, "Varnish") {
				starts[name] = server.VarnishNamed(name)
			} else {
				starts[name] = server.WarmfrontNamed(name)
			}
		}
	}
}

// What stands for one edge: the same process, see server.EdgePair.
const (
	edgeHears  = "one edge with invalidations"
	edgeBeside = "one edge beside them"
)

// rulesOf is how many rules a server is to have, by its name.
func rulesOf(s *server.Server) int {
	switch {
	case strings.Contains(s.Name, ", 100 "):
		return 100
	case strings.Contains(s.Name, ", 10,000 "):
		return 10_000
	}
	return 0
}

// numbered is how many rules have been given out: none comes twice.
var numbered int

func addRules(ctx context.Context, s *server.Server, n int) error {
	if n == 0 {
		return nil
	}
	first := numbered + 1
	numbered += n
	return s.AddRules(ctx, first, n)
}

// busyKeys are the objects that are asked for while rules are active.
const busyKeys = 4000

var zipfOfBusy = load.Zipf(busyKeys, 1<<18)

func someKeys(s *server.Server) load.Load {
	return &load.Closed{Address: s.Plain, Connections: 64, Requests: load.Many(getsOf(s, load.Keys(busyKeys)), zipfOfBusy), Size: server.KeySize}
}

// rulesInForce stores the keys, holds one fill, adds the rules, weighs them, and asks for the busy keys: so they are
// checked.
var rulesInForce = &fill{do: func(ctx context.Context, s *server.Server) error {
	if err := keysPlain.do(ctx, s); err != nil {
		return err
	}
	n := rulesOf(s)
	if n > 0 {
		if err := load.Begin(s.Plain, load.Get(s.Host, server.Endless)); err != nil {
			return err
		}
	}
	memory := s.Memory()
	if err := addRules(ctx, s, n); err != nil {
		return err
	}
	if n > 0 {
		perRule[s] = float64(s.Memory()-memory) / float64(n)
	}
	return load.Fill(ctx, s.Plain, load.Many(getsOf(s, load.Keys(busyKeys)), nil), server.KeySize, busyKeys)
}}

// perRule is the octets that each of a server's rules has added to its memory, the history of them included.
var perRule = map[*server.Server]float64{}

// eachOnce asks for keys of which none comes again before all have. Varnish with many bans gets few of them: all must be
// asked for between two rounds, or the bans of a round would add to those before.
func eachOnce(s *server.Server) load.Load {
	n := onceKeys(s)
	return &load.Closed{Address: s.Plain, Connections: 64, Requests: load.Many(getsOf(s, load.Keys(n)), load.Shuffled(n)), Size: server.KeySize}
}

func onceKeys(s *server.Server) int {
	if strings.HasPrefix(s.Name, "Varnish") {
		switch rulesOf(s) {
		case 100:
			return 20_000
		case 10_000:
			return 2000
		}
	}
	return keys
}

// freshRules adds rules, and after the run asks for what was not asked for.
func freshRules(ctx context.Context, s *server.Server) (beside, error) {
	if err := addRules(ctx, s, rulesOf(s)); err != nil {
		return beside{}, err
	}
	return beside{release: func() (int, error) {
		n := onceKeys(s)
		return 0, load.Fill(ctx, s.Plain, load.Many(getsOf(s, load.Keys(n)), nil), server.KeySize, n)
	}}, nil
}

// manyKeysYielding lets those that invalidate go first: they have the generator's core, and a rate to keep.
func manyKeysYielding(s *server.Server) load.Load {
	l := manyKeys(s).(*load.Closed)
	l.Yields = true
	return l
}

// inForce says how many rules a server keeps, or that there are too few.
func inForce(ctx context.Context, s *server.Server, m *result.Server) error {
	want := rulesOf(s)
	if want == 0 {
		return nil
	}
	n, err := s.ActiveRules(ctx)
	if err != nil {
		return err
	}
	m.Rules, m.PerRule = n, max(perRule[s], 0)
	if n < want {
		return fmt.Errorf("%d rules are active, not %d", n, want)
	}
	return nil
}
