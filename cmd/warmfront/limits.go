package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/httpserver"
)

// limitFlags are the limits of viewers that an operator may set. What is not given is the engine's default;
// sizes of a head are CloudFront's and no flags.
type limitFlags struct {
	cmd    *cobra.Command
	limits httpserver.Limits
}

// Between these a time makes sense: below the first no viewer is fast enough, above the second it bounds nothing.
const (
	shortestTime = 10 * time.Millisecond
	longestTime  = time.Hour
)

// mostConnections is more than one address can have ports for, and than a process has descriptors.
const mostConnections = 1 << 20

func addLimits(cmd *cobra.Command) *limitFlags {
	f := &limitFlags{cmd: cmd}
	l, set := &f.limits, cmd.Flags()
	set.IntVar(&l.MaxConns, "max-connections", 0, "most connections of viewers on each address of an edge; more get 503 (default 16384, or fewer where the descriptors do not suffice)")
	set.IntVar(&l.MaxConnsPerClient, "max-connections-per-client", 0, "most of these from one IPv4 address or IPv6 /64; more get 503 (default no bound)")
	for _, t := range f.times() {
		set.DurationVar(t.value, t.name, 0, t.usage)
	}
	return f
}

// grace sets another default of --drain-grace.
func (f *limitFlags) grace(d string) {
	x := f.cmd.Flags().Lookup("drain-grace")
	x.Value.Set(d)
	x.DefValue = d
	x.Usage = strings.TrimSuffix(x.Usage, " (default none)")
}

type limitTime struct {
	value       *time.Duration
	name, usage string
}

func (f *limitFlags) times() []limitTime {
	l := &f.limits
	return []limitTime{
		{&l.ReadHeaderTimeout, "read-header-timeout", "time for the head of a request, from its first octet, and for a TLS handshake; then closed (default 10s)"},
		{&l.ReadBodyTimeout, "read-body-timeout", "time for the next octets of a request's body; then 408 (default 30s)"},
		{&l.WriteTimeout, "write-timeout", "time in which a viewer takes nothing of its answer; then cut (default 1m)"},
		{&l.IdleTimeout, "idle-timeout", "time of a connection between two requests; then closed (default 1m)"},
		{&l.DrainTimeout, "drain-timeout", "time for answers in flight at a stop; then cut (default 10s)"},
		{&l.DrainGrace, "drain-grace", "time in which a connection may still bring its next request at a stop; then closed (default none)"},
	}
}

// check returns the limits, or says by name which makes no sense.
func (f *limitFlags) check() (httpserver.Limits, error) {
	l := f.limits
	for _, n := range []struct {
		name  string
		value int
	}{{"max-connections", l.MaxConns}, {"max-connections-per-client", l.MaxConnsPerClient}} {
		if f.cmd.Flags().Changed(n.name) && (n.value < 1 || n.value > mostConnections) {
			return l, usage("--%s %d: use a number from 1 to %d, or leave it out", n.name, n.value, mostConnections)
		}
	}
	if l.MaxConns > 0 && l.MaxConnsPerClient > l.MaxConns {
		return l, usage("--max-connections-per-client %d is more than --max-connections %d and would bound nothing", l.MaxConnsPerClient, l.MaxConns)
	}
	for _, t := range f.times() {
		if f.cmd.Flags().Changed(t.name) && (*t.value < shortestTime || *t.value > longestTime) {
			return l, usage("--%s %v: use a time from %v to %v, or leave it out", t.name, *t.value, shortestTime, longestTime)
		}
	}
	return l, nil
}
