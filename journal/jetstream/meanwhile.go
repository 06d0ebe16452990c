package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A log with replicas is compacted by one of several nodes, and the others are not told. They find out when a
// read does not find what was there (again), and look now and then (Refresh): the kept stream that counts is the whole one with the greatest base.
// That never goes back: none that counts is ever removed before one with a greater base counts.

// errMoved says that the log has another shape by now.
var errMoved = errors.New("journal: compacted meanwhile")

// lookEvery is how often a node looks at most, while its reads do not find what was there.
const lookEvery = 200 * time.Millisecond

// looking is when a node has last looked.
type looking struct {
	mu sync.Mutex // held while it looks
	at time.Time
}

// adopt goes by what was kept, unless the log goes by something newer.
func (l *Log) adopt(k keptStream) {
	l.adopting.Lock()
	defer l.adopting.Unlock()
	if sh := l.slots.shape(); k.base > sh.base || k.base == sh.base && sh.kept == "" {
		l.slots.are(k.first, k.base, k.name)
		l.compacted.Store(&k.made)
	}
}

// look finds out whether another node has compacted the log.
func (l *Log) look(ctx context.Context) error {
	k, found, err := l.greatestKept(ctx)
	if err != nil || !found || k.base <= l.slots.shape().base {
		return err
	}
	e, err := l.askEntry(ctx, k.base)
	if err == nil {
		l.known.atLeast(e.Seq) // a replica that does not have it yet is asked again, and not taken for damaged
	}
	if err == nil && (e.ID != k.id || e.Base != 0) {
		err = l.damaged("what was kept of the entries below %d is of another log: it goes on with %.8s, entry %d is %.8s", k.base, k.id, k.base, e.ID)
	}
	if err == nil {
		l.adopt(k)
	}
	return err
}

// settleReplicas goes by what was kept, while the log is being opened, and brings to its end what a node has begun that was killed. It leaves in s how the stream is
// then, and returns what was kept, also with an error.
func (l *Log) settleReplicas(ctx context.Context, s jetstream.Stream) (k keptStream, err error) {
	if l.fixed.Load() {
		return k, nil
	}
	ctx, cancel := context.WithTimeout(ctx, believed/2)
	defer cancel()
	k, found, err := l.findKept(ctx, s.CachedInfo().State)
	if err != nil || !found {
		return k, err
	}
	if l.Uncompacted() != "" && s.CachedInfo().State.FirstSeq < k.base { // this node may not bring it to its end: to it the log is still what it was
		l.slots.now.Store(nil)
		return keptStream{}, nil
	}
	if err := l.replicated(ctx, s, k); err != nil {
		return k, err
	}
	return k, l.settleKept(ctx, s, k)
}

// replicated gives what was kept as many replicas as the log has by now, in whose place those are.
func (l *Log) replicated(ctx context.Context, s jetstream.Stream, k keptStream) error {
	c, like := k.config, s.CachedInfo().Config
	if c.Replicas >= like.Replicas || l.Uncompacted() != "" {
		return nil
	}
	c.Replicas, c.Placement = like.Replicas, like.Placement
	_, err := l.js.UpdateStream(ctx, c)
	if err != nil && l.c.External != nil { // whose servers are the operator's affair
		l.log.Warn("what was kept of the journal has fewer replicas than the journal", "stream", c.Name, "err", err)
		return nil
	}
	return l.wrap("update "+c.Name, err)
}

// again is for a read that has not found what should be there: the replica that was asked may be behind, or being mended. It waits a moment, and returns nil if the
// read is to be tried again; errMoved: elsewhere.
func (l *Log) again(ctx context.Context, s *shape, why error) error {
	if l.slots.shape() != s {
		return errMoved
	}
	if !pause(ctx) {
		return l.wrap("read", fmt.Errorf("this replica: %w", why))
	}
	if l.opened.Load() && !l.fixed.Load() && l.looking.mu.TryLock() {
		defer l.looking.mu.Unlock()
		if time.Since(l.looking.at) > lookEvery {
			short, cancel := context.WithTimeout(ctx, tryRead)
			defer cancel()
			if err := l.look(short); err != nil {
				l.log.Debug("journal not looked at", "err", err)
			}
			l.looking.at = time.Now()
		}
	}
	if l.slots.shape() != s {
		return errMoved
	}
	return nil
}

// Refresh finds out what other nodes have done with the log, for Extent. A log of one node needs none.
func (l *Log) Refresh(ctx context.Context) error {
	if l.c.External != nil {
		s, err := l.js.Stream(ctx, l.c.names().stream)
		if err != nil {
			return l.wrap("read", err)
		}
		l.seen.Store(&s.CachedInfo().State)
	}
	if !l.MayLag() || l.fixed.Load() {
		return nil
	}
	return l.look(ctx)
}

// spoil marks a stream that is not whole, so that it never will be. It reports false if somebody goes on writing it.
func (l *Log) spoil(ctx context.Context, k keptStream) (bool, error) {
	m := keptMessage(k.config, max(k.ends, k.first-1)+1, []byte("given up"))
	err := l.putMessage(ctx, m, 0)
	var no *jetstream.APIError
	if errors.As(err, &no) && no.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return false, nil
	}
	return err == nil, err
}

// unfinished is after how long a compaction that was not brought to its end is removed, by whoever compacts next. Nothing depends on it: who still writes
// is told by the engine that it is too late.
const unfinished = 10 * time.Minute

// dropKeptReplicas removes what was kept by former compactions, once one with a greater base counts, and what was not brought to its end.
func (l *Log) dropKeptReplicas(ctx context.Context) error {
	s, err := l.js.Stream(ctx, l.c.names().stream)
	if err != nil {
		return l.wrap("read", err)
	}
	all, err := l.keptStreams(ctx)
	if err != nil {
		return err
	}
	// One that the log goes by already stays, even if it is not whole where it was asked for.
	base := max(l.slots.shape().base, s.CachedInfo().State.FirstSeq)
	for _, k := range all {
		if k.whole {
			base = max(base, k.base)
		}
	}
	for _, k := range all {
		switch {
		case k.base == base, !k.whole && k.base > base && time.Since(k.made) < unfinished:
			continue
		case !k.whole:
			if spoilt, err := l.spoil(ctx, k); err != nil || !spoilt {
				continue // whoever compacts next looks again
			}
		}
		if err := l.js.DeleteStream(ctx, k.name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return l.wrap("compaction", fmt.Errorf("%s: %w", k.name, err))
		}
	}
	return nil
}

// purgeWithin is how long a purge is tried for: who leads may be changing.
const purgeWithin = 30 * time.Second

// purgeTo removes what is below the base from the log's own stream. To ask twice does no harm.
func (l *Log) purgeTo(ctx context.Context, s jetstream.Stream, base uint64) error {
	if !l.MayLag() {
		return l.wrap("purge", s.Purge(ctx, jetstream.WithPurgeSequence(base)))
	}
	ctx, cancel := context.WithTimeout(ctx, purgeWithin)
	defer cancel()
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := s.Purge(short, jetstream.WithPurgeSequence(base))
		cancel()
		if err == nil {
			return nil
		}
		if !sleep(ctx, lookEvery) {
			return l.wrap("purge", err)
		}
	}
}

// everywhere waits until each replica of a stream that is there has all of it, for a moment: one that is left alone later has it then.
func (l *Log) everywhere(ctx context.Context, s jetstream.Stream) error {
	for began := time.Now(); ; {
		info, err := s.Info(ctx)
		if err != nil {
			return l.wrap("read", err)
		}
		behind := false
		if info.Cluster != nil {
			for _, r := range info.Cluster.Replicas {
				behind = behind || !r.Offline && (!r.Current || r.Lag > 0)
			}
		}
		if !behind || time.Since(began) > caughtUpWithin {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// Compacts reports whether it is this node that compacts the log when it has grown: the only one, or who leads; of those that have it in the same external NATS, whose turn it is
// (turn.go). Should two take themselves for that one, no harm is done.
func (l *Log) Compacts() bool {
	switch {
	case l.c.External != nil:
		return l.others.turn()
	case l.c.Cluster == nil:
		return true
	}
	return l.leader() == l.c.Cluster.Node
}
