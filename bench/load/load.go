// Package load knows how to keep a server busy for less than the server's own price.
//
// # Concept
//
// A generator that costs more than the server measures itself. So over plain sockets one thread
// drives all connections by epoll and raw system calls, and never sleeps; requests are octets prepared
// before the run; of an answer only its status and where it ends are looked at (see [Counter] and
// [Frames]); what is large is discarded by the kernel without being copied (MSG_TRUNC). Nothing is
// allocated while a run lasts. TLS is crypto/tls under the same loop; there a fast server costs less than
// the generator: requests per second are bounded by it, and CPU per request is the figure that stays true.
//
// # Latency
//
// A closed loop ([Closed]) sends the next request when the answer to the last has come: a server that
// stops is asked less, and its pauses hardly show ("coordinated omission"). An open loop ([Open]) sends
// at times that were fixed before and counts from those times, whether or not the connection was free.
//
// # What it refuses
//
// It does not repair: a closed connection, a status other than 200, a length that was not asked for end
// the run with an error. It decides nothing about rows, rounds or servers.
package load

import (
	"context"
	"time"
)

// Load is one way to load one server: Open makes the connections and asks once on each, Run may then
// be called several times, Close gives everything back. Not for concurrent use.
type Load interface {
	Open(ctx context.Context) error
	Run(ctx context.Context, length time.Duration) (Outcome, error)
	Close()
}

// Outcome is what one run of a load saw.
type Outcome struct {
	Answers int
	Elapsed time.Duration
	Idle    time.Duration // in which the generator had nothing to do; 0 where that is not known
	Latency Histogram     // of units: of requests where a unit is one
}
