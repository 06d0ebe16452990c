package node

import (
	"log/slog"
	"math"
	"syscall"

	"github.com/warmfront/warmfront/httpserver"
)

// descriptors is how many files and sockets this process may have. Go has raised the soft limit to the
// hard one at the start.
func descriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(l.Cur)
}

// roomFor is how many connections each listener may have.
func roomFor(listeners, descriptors int) int { return max(descriptors/4*3/max(listeners, 1), 1) }

// fit makes the connections of viewers fit the descriptors: without one left, nobody could be accepted,
// nor an origin be asked. A quarter is for origins and everything else. A number that somebody has asked for
// stands, with a warning; the default gives way.
func fit(l httpserver.Limits, listeners, descriptors int, log *slog.Logger) httpserver.Limits {
	room := roomFor(listeners, descriptors)
	switch {
	case l.MaxConns == 0 && room < httpserver.DefaultMaxConns:
		l.MaxConns = room
		log.Info("fewer connections than usual: descriptors are short", "connections", room, "listeners", listeners, "descriptors", descriptors)
	case l.MaxConns > room:
		log.Warn("--max-connections is more than the descriptors allow: raise the limit (ulimit -n), or viewers and origins will be refused for the want of them",
			"connections", l.MaxConns, "listeners", listeners, "descriptors", descriptors, "fits", room)
	}
	return l
}
