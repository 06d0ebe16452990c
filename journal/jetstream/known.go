package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// knowledge is up to where this node knows the log of a cluster to go. The replica that answers a read, which may be any node's, may be
// behind what this node was told or has read from another one: such an answer is not the log's end.
type knowledge struct {
	mu    sync.Mutex
	seq   uint64
	short time.Time     // since when every read ended before seq; zero: the last one did not
	after time.Duration // how long that is before it is asked for; 0: believed
}

// believed is after how long a log that ends before what is known is believed to. A replica that had been cut off was seen to
// answer with an old end for 42 s. Then who leads the log is asked: if that says the same, whoever follows finds the chain broken (E1, W4). While
// nobody leads, as on the lesser side of a cluster that is cut in two, nothing is believed, however long that lasts: a writer that was told so would stop for good.
const believed = time.Minute

func (k *knowledge) atLeast(seq uint64) {
	k.mu.Lock()
	k.seq = max(k.seq, seq)
	k.mu.Unlock()
}

// found takes the last entry that a read has brought. A replica that has all that is known is not short, whatever it was before.
func (k *knowledge) found(seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if seq >= k.seq {
		k.seq, k.short = seq, time.Time{}
	}
}

func (k *knowledge) last() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seq
}

// ended takes the end that a read has found, and tells whether it is one; long: it is not, and has not been for long.
func (k *knowledge) ended(seq uint64, now time.Time) (whole, long bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case seq >= k.seq:
		k.seq, k.short = seq, time.Time{}
		return true, false
	case k.short.IsZero():
		k.short = now
	}
	return false, now.Sub(k.short) >= cmp.Or(k.after, believed)
}

// accept takes an end that is before what was known.
func (k *knowledge) accept(seq uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seq, k.short = seq, time.Time{}
}

// endsAt tells whether the log ends where a read by a replica has ended.
func (l *Log) endsAt(ctx context.Context, seq uint64) bool {
	whole, long := l.known.ended(seq, time.Now())
	if whole || !long {
		return whole
	}
	end, err := l.askEnd(ctx)
	if err != nil || end > seq {
		return false
	}
	l.known.accept(seq)
	return true
}

// readReplica is a read that may be answered by a replica which is behind, or is being mended: it is asked again until it is
// neither.
func (l *Log) readReplica(ctx context.Context, s *shape, from uint64, max int) ([][]byte, error) {
	for {
		all, _, err := l.batchOf(ctx, tryRead, directGets+l.c.names().stream, from, min(max, maxBatch), s.telling(from))
		end := from - 1 + uint64(len(all))
		if len(all) > 0 {
			l.known.found(end) // also of a read that was cut off: the next one may be answered by a replica that has less
		}
		switch {
		case errors.Is(err, context.DeadlineExceeded) && len(all) > 0:
			return all, nil
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			continue // the replica that was asked has just stopped
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, journal.ErrDamaged):
			// It replays what it has, or has found that this is not what the others have.
			if len(all) > 0 {
				return all, nil
			}
			if err := l.again(ctx, s, err); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return all, err
		}
		if len(all) >= min(max, 2) || from > l.known.last()+1 || l.endsAt(ctx, end) {
			return all, nil
		}
		if !pause(ctx) {
			return nil, fmt.Errorf("journal: read: the replicas that answer end with entry %d, entry %d is known: %w", end, l.known.last(), ctx.Err())
		}
	}
}

// tryRead is how long one replica is waited for. The engine asks any of them, also one that is cut off and whose connections are still up.
const tryRead = time.Second

// pause waits a moment, or less when ctx ends: then it reports false.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}
