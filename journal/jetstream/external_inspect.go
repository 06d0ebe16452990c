package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// InExternal tells whether the log whose directory this is, is in an external NATS.
func InExternal(dir string) bool { return exists(Config{Dir: dir}.path(external, "head")) }

// inspectExternal is Inspect of an external log, which it reads by way of NATS, while it may be in use: so it is what whoever follows it reads. Any replica may
// answer, one that cannot read an entry is asked again, and another one answers then; whether there is a hole in what the leader has, that says itself.
func inspectExternal(ctx context.Context, c Config, progress func(read, of uint64)) (found Inspected, err error) {
	x := *c.External
	x.SyncAlways = true // which is for who appends
	if err := x.Check(); err != nil {
		return found, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.External = &x; c.Dir != "" {
		if found.Confirmed, err = readHead(c.path(external, "head")); err != nil {
			return found, fmt.Errorf("%w: %s is no directory of a control node whose journal is in a NATS: %w", ErrConfig, c.Dir, err)
		}
	}
	l := newLog(c)
	l.head = &head{pos: found.Confirmed}
	defer l.Close()
	reach, cancel := context.WithTimeout(ctx, 3*readTimeout)
	defer cancel()
	if err := l.dial(reach); err != nil {
		return found, err
	}
	if err := x.suits(l.engine.nc); err != nil {
		return found, err
	}
	for {
		info, err := l.only(reach)
		if err != nil {
			return found, err
		}
		if _, err := l.mayCompact(reach, info); err != nil { // whether it may look for what was kept
			return found, err
		}
		got, err := l.inspect(ctx, info, found, progress)
		if err == nil || !l.moved(ctx, info) {
			return got, err
		}
		l.slots.now.Store(nil) // it has been compacted meanwhile
	}
}

// inspect reads the log from its beginning to its end as it was when info was.
func (l *Log) inspect(ctx context.Context, info *jetstream.StreamInfo, found Inspected, progress func(read, of uint64)) (Inspected, error) {
	s := info.State
	if n := missing(s.Msgs, s.FirstSeq, s.LastSeq); n > 0 {
		return found, l.damaged("%d of the entries %d to %d are not there", n, s.FirstSeq, s.LastSeq)
	}
	l.known.atLeast(s.LastSeq)
	var kept error
	if !l.fixed.Load() {
		kept = l.inspectKept(ctx, s)
	}
	err := l.each(ctx, func(e *journal.Entry) error {
		if progress != nil && found.Entries%maxBatch == 0 {
			progress(e.Seq-1, s.LastSeq)
		}
		found.Epoch, found.Entries, found.Last, found.Base = e.Epoch, found.Entries+1, journal.PositionOf(e), max(found.Base, e.Base)
		return nil
	})
	l.epoch = found.Epoch
	switch {
	case kept != nil:
		return found, kept
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil: // all that answered have been asked again and again
		err = l.damaged("entry %d of %d cannot be read: %v", found.Last.Seq+1, s.LastSeq, err)
		fallthrough
	case err != nil:
		return found, l.unseen(err, s)
	case found.Entries == 0 && found.Confirmed.Seq == 0:
		return found, l.damaged("it has no genesis")
	case found.Last.Seq < s.LastSeq:
		return found, l.lost("what can be read ends with entry %d, entry %d is known", found.Last.Seq, s.LastSeq)
	}
	return found, l.witness(ctx, found.Last.Seq)
}

// only is found for who makes nothing: it waits, as long as ctx lasts, until who leads the stream tells of it, which must be as it should.
func (l *Log) only(ctx context.Context) (*jetstream.StreamInfo, error) {
	x, name := l.c.External, l.c.names().stream
	for {
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		s, err := l.js.Stream(short, name)
		cancel()
		switch {
		case err == nil && s.CachedInfo().Config.Metadata[remark] == carrying:
			return nil, fmt.Errorf("%w: not all has been carried over into the stream %s of %s: start the control node whose journal that is", ErrConfig, name, x)
		case err == nil:
			info := s.CachedInfo()
			return info, l.asNeeded(info.Config, info.Config.Replicas)
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, l.lost("there is no such stream")
		case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
			return nil, fmt.Errorf("%w: NATS at %s: %w", ErrConfig, x, err)
		case l.denied() != nil:
			return nil, l.denied()
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return nil, fmt.Errorf("%w: %s does not give the stream %s: %w", ErrNATS, x, name, err)
		}
	}
}
