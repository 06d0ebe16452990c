package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// With Config.External a directory holds what this node knows of the log: how far it was confirmed to it (the head), and whether it is doubted. A log
// of its own that is there is carried over into a stream that is not there yet, as into a cluster's (replica.go), and put aside.
//
//	jetstream head                               a log of its own: it is carried over
//	single/{…}      external/{head}              of an external log
//	                external/{head}              the same

// openExternal opens a directory that the caller has taken.
func openExternal(ctx context.Context, c Config) (*Log, error) {
	switch {
	case c.Cluster != nil:
		return nil, fmt.Errorf("%w: External and Cluster exclude each other", ErrConfig)
	case c.Listen != "":
		return nil, fmt.Errorf("%w: External and Listen exclude each other", ErrConfig)
	case exists(c.path(replica)) && !exists(c.path("jetstream")):
		return nil, fmt.Errorf("%w: %s holds one replica of several. Back the control plane up, and restore it to an empty directory: what that holds is carried over to NATS", ErrConfig, c.Dir)
	}
	if err := c.External.Check(); err != nil {
		return nil, err
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	r := c
	r.Dir = c.path(external)
	return c.openWithin(ctx, r)
}

// elsewhere refuses to begin a log where the one that there was is in an external NATS.
func (c Config) elsewhere() error {
	return fmt.Errorf("%w: %s has its journal in a NATS of yours, and none is given. To have it here, back the control plane up and restore it to an empty directory", ErrConfig, c.Dir)
}

// openStreamExternal finds or makes the stream, checks it, and connects both sides.
func (l *Log) openStreamExternal(ctx context.Context) error {
	if err := l.dial(ctx); err != nil {
		return err
	}
	if err := l.c.External.suits(l.engine.nc); err != nil {
		return err
	}
	for began := time.Now(); ; {
		s, err := l.found(ctx)
		if err == nil {
			err = l.openFound(ctx, s)
		}
		switch {
		case err == nil:
			l.waits("")
			return l.joinExternal()
		case errors.Is(err, journal.ErrSlotTaken): // another node has just begun it
			continue
		case s == nil, ctx.Err() != nil, errors.Is(err, ErrConfig), time.Since(began) > believed:
			return err
		case s.CachedInfo().Config.Replicas == 1 && (errors.Is(err, ErrLost) || errors.Is(err, journal.ErrDamaged)) && !l.moved(ctx, s.CachedInfo()):
			return err // while replicas that have just come together may not agree yet
		}
		l.waits("what NATS holds does not fit together yet: " + err.Error())
		if !sleep(ctx, time.Second) {
			return err
		}
	}
}

// openFound opens a stream that is as it should be.
func (l *Log) openFound(ctx context.Context, stream jetstream.Stream) error {
	info := stream.CachedInfo()
	if _, err := l.mayCompact(ctx, info); err != nil {
		return err
	}
	s := info.State
	l.seen.Store(&s)
	if s.Msgs == 0 && s.LastSeq == 0 {
		return l.beginExternal(ctx)
	}
	if info.Config.Metadata[carriedDoubt] != "" && l.head.last().Seq == 0 {
		if err := l.c.doubts(); err != nil {
			return err
		}
		l.doubt = true
	}
	if l.c.External.New {
		return fmt.Errorf("%w: the stream %s of %s has the journal of a control plane, and this node is none of its control nodes. Make a token for it on one of them, and start it once with "+
			"that; or use another prefix", ErrConfig, l.c.names().stream, l.c.External)
	}
	l.known.atLeast(s.LastSeq)
	_, err := l.settleReplicas(ctx, stream)
	s = stream.CachedInfo().State // which seen points to
	if err == nil {
		err = l.verify(ctx, s)
	}
	err = l.unseen(err, s)
	if !l.c.AcceptLoss || err == nil {
		return err
	}
	if _, whole := l.beginning(ctx); !whole {
		return fmt.Errorf("%w (no loss can be accepted of what cannot be read: it is not ours to write anew)", err)
	}
	l.log.Error("journal opened in spite of loss, as told", "reason", err)
	if err := l.head.forget(); err != nil {
		return err
	}
	return l.verify(ctx, s)
}

// moved tells whether the log has been compacted since.
func (l *Log) moved(ctx context.Context, since *jetstream.StreamInfo) bool {
	s, err := l.js.Stream(ctx, since.Config.Name)
	return err == nil && s.CachedInfo().State.FirstSeq != since.State.FirstSeq
}

// beginExternal begins a log in an empty stream. Several nodes may at once: one has the first slot.
func (l *Log) beginExternal(ctx context.Context) error {
	switch err := l.mayBegin(); {
	case err != nil:
		return err
	case l.c.External.Joined:
		return l.lost("this node has joined a control plane, and there is no journal")
	}
	if err := l.unclaimed(ctx); err != nil {
		return err
	}
	return l.begin(ctx)
}

// unclaimed refuses to begin a log beside what was kept of another, whose stream is gone: the next start would take it for this one's.
func (l *Log) unclaimed(ctx context.Context) error {
	if l.fixed.Load() {
		return nil
	}
	k, found, err := l.greatestKept(ctx)
	if err == nil && found {
		err = fmt.Errorf("%w: the stream %s of %s is empty, and %s is there, which a compaction has kept of a journal. Restore the one that belongs to it; or remove it, if that is given up; or use another prefix",
			ErrConfig, l.c.names().stream, l.c.External, k.name)
	}
	return err
}

// found waits until the stream answers, is all there and ours, and makes it if it is nowhere.
func (l *Log) found(ctx context.Context) (jetstream.Stream, error) {
	for came := time.Now(); ; {
		s, err := l.tryExternal(ctx)
		var yet errYet
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %s: %w", ErrNATS, l.c.External, err)
		case errors.As(err, &yet):
			l.waits(yet.why)
		case errors.Is(err, ErrConfig), errors.Is(err, ErrLost), errors.Is(err, journal.ErrDamaged):
			return nil, err
		case l.denied() != nil:
			return nil, l.denied()
		case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
			return nil, fmt.Errorf("%w: NATS at %s: %w", ErrConfig, l.c.External, err)
		case errors.Is(err, nats.ErrNoResponders):
			l.waits(fmt.Sprintf("NATS at %s has no JetStream, or that has not come together yet: is JetStream enabled there?", l.c.External))
		default:
			l.waits(fmt.Sprintf("NATS at %s does not give the stream %s: %v", l.c.External, l.c.names().stream, err))
		}
		if time.Since(came) > natsSilent && l.move(err) {
			came = time.Now()
		}
		if !sleep(ctx, 200*time.Millisecond) {
			return nil, fmt.Errorf("%w: %s: %w", ErrNATS, l.c.External, err)
		}
	}
}

// tryExternal is one try of found.
func (l *Log) tryExternal(ctx context.Context) (jetstream.Stream, error) {
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	x, name := l.c.External, l.c.names().stream
	s, err := l.js.Stream(short, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if s, err = l.createExternal(short); err != nil {
			return nil, err
		}
	}
	if err == nil {
		err = saidByLeader(s.CachedInfo().Cluster) // else what is confirmed may be missing in it
	}
	if err != nil {
		return nil, err
	}
	got := s.CachedInfo().Config
	replicas := got.Replicas
	if x.Replicas != 0 {
		replicas = x.Replicas
	}
	if err := l.asNeeded(got, replicas); err != nil {
		return nil, err
	}
	return s, l.filled(ctx, s, got.Metadata[remark])
}

// asNeeded names the settings in which an external stream is not as it must be.
func (l *Log) asNeeded(got jetstream.StreamConfig, replicas int) error {
	want := l.c.stream(replicas, 1)
	want.Placement, want.Description = got.Placement, got.Description // where it lies is the operator's affair
	diff := differences(want, got)
	if diff == "" {
		return nil
	}
	return fmt.Errorf("%w: the stream %s of %s differs from what is needed: %s. Was it changed by hand, or made by something else? Change it back, or use another prefix",
		ErrConfig, got.Name, l.c.External, diff)
}

// denied says what the account does not permit; nil: nothing was refused so far.
func (l *Log) denied() error {
	err := l.engine.nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) || l.permits.asks(err) {
		return nil
	}
	return fmt.Errorf("%w: the account at %s does not permit what is needed: %w. See docs/operate.md, Your own NATS", ErrConfig, l.c.External, err)
}

// noPeers is the engine's code for a stream for whose replicas there are not enough servers, as when one has just been restarted.
const noPeers jetstream.ErrorCode = 10005

// createExternal makes the stream.
func (l *Log) createExternal(ctx context.Context) (jetstream.Stream, error) {
	switch err := l.mayBegin(); {
	case err != nil:
		return nil, err
	case l.c.External.Joined:
		return nil, l.lost("this node has joined a control plane, and there is no journal")
	}
	replicas := l.c.External.Replicas
	if replicas == 0 {
		replicas = 1
		if l.engine.nc.ConnectedClusterName() != "" {
			replicas = 3
		}
	}
	c := l.c.stream(replicas, 1)
	if l.c.old != nil {
		c = l.c.stream(replicas, l.c.old.slots.shape().first)
		c.Metadata = map[string]string{remark: carrying}
	}
	s, err := l.js.CreateStream(ctx, c)
	var no *jetstream.APIError
	switch {
	case !errors.As(err, &no) || no.Code >= 500:
	case no.ErrorCode == noPeers:
		err = errYet{fmt.Sprintf("NATS at %s has no %d servers for the stream %s (--nats-replicas) at the moment: %s", l.c.External, replicas, c.Name, no.Description)}
	default:
		err = fmt.Errorf("%w: NATS at %s does not make the stream %s: %s", ErrConfig, l.c.External, c.Name, no.Description)
	}
	return s, err
}
