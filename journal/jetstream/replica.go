package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// What a directory can be, with Config.Cluster:
//
//	jetstream head                               a log of its own: it is carried over
//	jetstream head  replica/{jetstream head}     being carried over, or it has been and the next line is not reached
//	single/{…}      replica/{jetstream head}     a replica; single is what it was before, for whoever wants it back (single-…, of a later time)
//	                replica/{jetstream head}     a replica
const (
	replica = "replica"
	single  = "single"
)

// The stream of a cluster is made with this remark, and is nobody's log until it is gone: everything carried over is in it then.
const (
	remark   = "warmfront"
	carrying = "carrying"
)

// Of a log that was doubted when it was carried over, the stream says so for good: each node that has no replica yet doubts it, too, until it
// has settled that for itself. Otherwise the others would complete what the one that carried it over does not.
const carriedDoubt = "warmfront-doubted"

// openReplica opens a node of a cluster whose directory the caller has taken.
func openReplica(ctx context.Context, c Config) (*Log, error) {
	if err := c.Cluster.Check(); err != nil {
		return nil, err
	}
	if c.AcceptLoss {
		return nil, fmt.Errorf("%w: a loss is accepted for a log without replicas alone; this one has others", ErrConfig)
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	r := c
	r.Dir = c.path(replica)
	if !exists(c.path("jetstream")) && !exists(filepath.Join(r.Dir, "jetstream")) && !c.Cluster.Fresh {
		return nil, fmt.Errorf("%w: there is no replica in %s, and this node is not new. If its disk was lost, let it take its own place: make a token for it on another control node, "+
			"and start it with that", ErrConfig, c.Dir)
	}
	return c.openWithin(ctx, r)
}

// openWithin opens r, which has a directory within that of c. If c has a log of this node alone, that is carried over, and moved out of the way.
func (c Config) openWithin(ctx context.Context, r Config) (*Log, error) {
	if exists(c.path("jetstream")) {
		own := c
		own.Cluster, own.External, own.Network = nil, nil, nil
		old, err := openHeld(ctx, own)
		if err != nil {
			return nil, err
		}
		defer old.Close()
		r.old = old
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	l, err := openHeld(ctx, r)
	if err != nil || r.old == nil {
		return l, err
	}
	if err := errors.Join(r.old.Close(), c.putAside()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// leave makes a log of its own of what this replica has, as a rewrite puts a log into place. The replica is kept aside.
func (c Config) leave() error {
	c.Logger.Error("this node goes on without the others, as told, with what its replica has", "dir", c.Dir)
	if !exists(c.path(rewritten)) { // else it was cut off here
		r := c
		r.Dir = c.path(replica)
		copied, err := r.copyReplica()
		if err != nil {
			return err
		}
		if err := syncTree(copied.Dir); err != nil {
			return errors.Join(err, os.RemoveAll(copied.Dir))
		}
		if err := c.rename(filepath.Join(replica, filepath.Base(copied.Dir)), rewritten); err != nil {
			return err
		}
	}
	return c.rename(replica, fmt.Sprintf("%s.left-%d", replica, time.Now().UnixNano()))
}

// putAside moves the log that was carried over out of the way.
func (c Config) putAside() error {
	aside := single
	if exists(c.path(single, "jetstream")) { // of an earlier time
		aside = fmt.Sprintf("%s-%d", single, time.Now().UnixNano())
	}
	if err := os.MkdirAll(c.path(aside), 0o700); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, part := range parts {
		if err := c.rename(part, filepath.Join(aside, part)); err != nil {
			return fmt.Errorf("journal: the log that was carried over cannot be moved: %w", err)
		}
	}
	c.Logger.Info("journal carried over", "before", c.path(aside))
	return nil
}

// openStreamReplica waits for the cluster's stream, and checks it.
func (l *Log) openStreamReplica(ctx context.Context) error {
	mended := 0
	for began := time.Now(); ; {
		s, err := l.gather(ctx)
		if err != nil {
			return err
		}
		info := s.CachedInfo()
		if info.Config.Metadata[carriedDoubt] != "" && l.head.last().Seq == 0 { // nothing is known of this replica: it is a new one
			if err := l.c.doubts(); err != nil {
				return err
			}
			l.doubt = true
		}
		l.known.atLeast(info.State.LastSeq)
		l.fixed.Store(info.Config.DenyPurge)
		k, err := l.settleReplicas(ctx, s)
		info = s.CachedInfo()
		holed, begun, unholed := l.unholed(ctx, info, k, err != nil, mended < maxMended)
		if begun {
			mended++
			if unholed != nil {
				return unholed
			}
			continue
		}
		if err == nil {
			err = unholed
		}
		if err == nil {
			err = l.verify(ctx, info.State)
		}
		if err == nil && holed > 0 {
			err = l.damaged("%d entries are missing in the middle of this replica", holed)
		}
		if err == nil {
			l.dropHoled(info.State.LastSeq)
		}
		// A cluster that has just come together may not know its end yet, or this replica may have to be mended.
		if err == nil || ctx.Err() != nil || time.Since(began) > believed {
			return err
		}
		l.waits("what the replicas hold does not fit together yet: " + err.Error())
		if !sleep(ctx, time.Second) {
			return err
		}
	}
}

// unholed looks for holes in what this node holds: of what was kept, and if that is not all that there is to be done, of the log. It reports whether it has begun
// to have one of the two fetched anew, if it may.
func (l *Log) unholed(ctx context.Context, info *jetstream.StreamInfo, k keptStream, keptOnly, may bool) (holed uint64, begun bool, err error) {
	if k.name != "" && may {
		if holed, begun, err = l.refillKept(ctx, k); begun || err != nil || holed > 0 {
			return holed, begun, err
		}
	}
	if keptOnly {
		return 0, false, nil
	}
	if holed, err = l.catchUp(ctx, info); err == nil && holed > 0 && may {
		begun, err = l.refill(ctx, info, holed)
	}
	return holed, begun, err
}

// errYet says that it will come by itself.
type errYet struct{ why string }

func (e errYet) Error() string { return e.why }

// gather waits until the cluster has the whole log. Each try ends soon: what is asked of a node without the others is not answered.
func (l *Log) gather(ctx context.Context) (jetstream.Stream, error) {
	for {
		s, err := l.try(ctx)
		var yet errYet
		switch {
		case err == nil:
			l.waits("")
			return s, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &yet):
			l.waits(yet.why)
		case errors.Is(err, ErrConfig), errors.Is(err, ErrLost), errors.Is(err, journal.ErrDamaged):
			return nil, err
		default:
			words, _ := l.standing()
			words = "waiting for a quorum: " + words
			var no *jetstream.APIError
			if errors.As(err, &no) {
				words = "the other control nodes say: " + no.Description
			}
			l.waits(words)
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// try looks whether the whole log is there, and carries it over if that is this node's to do.
func (l *Log) try(ctx context.Context) (jetstream.Stream, error) {
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	want := streamConfig(l.c.replicas(), 1)
	s, err := l.js.Stream(short, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if err := l.mayBegin(); err != nil {
			return nil, err
		}
		if l.c.old == nil {
			return nil, errYet{"none of the control nodes that are here has the journal: start the one that has it"}
		}
		c := streamConfig(l.c.replicas(), l.c.old.slots.shape().first)
		c.Metadata = map[string]string{remark: carrying}
		s, err = l.js.CreateStream(short, c)
	}
	if err != nil {
		return nil, err
	}
	got := s.CachedInfo().Config
	if n := got.Replicas; n != want.Replicas && (n == 3 || n == 5) {
		if n > want.Replicas {
			return nil, fmt.Errorf("%w: the journal has %d replicas, and %d nodes are given. Nodes can be added, and not taken away", ErrConfig, n, want.Replicas)
		}
		c := want
		c.FirstSeq, c.Metadata, c.DenyPurge = got.FirstSeq, got.Metadata, got.DenyPurge
		if s, err = l.js.UpdateStream(short, c); err != nil {
			return nil, err
		}
		got = s.CachedInfo().Config
	}
	state := got.Metadata[remark]
	if diff := differences(want, got); diff != "" {
		return nil, fmt.Errorf("%w: the stream differs from what this version needs: %s. Was it changed by hand, or made by another version?", ErrConfig, diff)
	}
	return s, l.filled(ctx, s, state)
}

// filled carries over into a stream what this node alone had, if it has not been, or finds that another node is about to.
func (l *Log) filled(ctx context.Context, s jetstream.Stream, state string) error {
	switch {
	case state == carrying && l.c.old == nil:
		return errYet{fmt.Sprintf("the journal is being carried over from another control node: %d entries so far", s.CachedInfo().State.LastSeq)}
	case l.c.old != nil:
		if err := l.carry(ctx, s, state == carrying); err != nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return l.refresh(short, s)
}

func (l *Log) refresh(ctx context.Context, s jetstream.Stream) error {
	_, err := s.Info(ctx)
	return err
}

// carry brings the old log into the cluster's stream, from where that ends; unless it is not filling, then the stream must hold
// what is there to bring.
func (l *Log) carry(ctx context.Context, s jetstream.Stream, filling bool) error {
	old, n := l.c.old, s.CachedInfo().State.LastSeq
	last := old.head.last().Seq
	if first := s.CachedInfo().State.FirstSeq; n >= old.slots.shape().first && first != old.slots.shape().first {
		return l.another("it begins in slot %d here, there in %d", old.slots.shape().first, first)
	}
	if n >= old.slots.shape().first {
		l.known.atLeast(n)
		if err := l.begins(ctx, min(n, last)); err != nil {
			return err
		}
	}
	if !filling {
		if n < last {
			return fmt.Errorf("%w: this node's own journal ends with entry %d, that of the others with %d", ErrConfig, last, n)
		}
		return nil
	}
	l.waits(fmt.Sprintf("this node's journal is being carried over: %d entries", last))
	sent, count := 0, 0
	err := old.eachFrom(ctx, n+1, func(slot uint64, e *journal.Entry) error {
		b, err := journal.Encode(e)
		if err != nil {
			return err
		}
		sent, count = sent+len(b), count+1
		if count%fillEntries == 0 || sent > fillBytes || e.Seq == last {
			sent = 0
			return l.appendAt(ctx, slot, e) // its confirmation is one for all before: had any been dropped, this would not be the next
		}
		return l.engine.nc.PublishMsg(l.message(slot, b))
	})
	if err == nil {
		err = l.begins(ctx, last)
	}
	if err != nil {
		return fmt.Errorf("journal carried over: %w", err)
	}
	c := l.c.stream(s.CachedInfo().Config.Replicas, old.slots.shape().first)
	c.DenyPurge = s.CachedInfo().Config.DenyPurge
	if old.doubt {
		c.Metadata = map[string]string{carriedDoubt: "yes"}
	}
	_, err = l.js.UpdateStream(ctx, c)
	return err
}

// begins checks that the cluster's log and this node's own are the same up to entry n.
func (l *Log) begins(ctx context.Context, n uint64) error {
	for _, slot := range []uint64{l.c.old.slots.shape().first, n} {
		ours, err := l.c.old.slot(ctx, slot)
		if err != nil {
			return err
		}
		theirs, err := l.slot(ctx, slot)
		if err != nil {
			return err
		}
		if journal.PositionOf(ours) != journal.PositionOf(theirs) {
			return l.another("entry %d here is %v, there %v", slot, journal.PositionOf(ours), journal.PositionOf(theirs))
		}
	}
	return nil
}

// another says that the log that is to be carried over is not the one that there is.
func (l *Log) another(format string, args ...any) error {
	return fmt.Errorf("%w: this node has a journal of its own in %s, and the others have another: %s. If this node is to join, move its journal away",
		ErrConfig, l.c.old.c.Dir, fmt.Sprintf(format, args...))
}

// waits tells for what Open waits; "" for nothing any more.
func (l *Log) waits(why string) {
	if why == l.waiting {
		return
	}
	l.waiting = why
	if why != "" {
		l.log.Warn("journal not open yet", "why", why)
	}
	f := (func(string))(nil)
	switch {
	case l.c.Cluster != nil:
		f = l.c.Cluster.Waiting
	case l.c.External != nil:
		f = l.c.External.Waiting
	}
	if f != nil {
		f(why)
	}
}

// sleep waits d, or less when ctx ends: then it reports false.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
