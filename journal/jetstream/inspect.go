package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// Inspected is what an inspection found.
type Inspected struct {
	Epoch     journal.ID
	Entries   uint64           // of the unbroken chain, and those that were kept of what is before Base
	Base      uint64           // what was before it has been compacted; 0: nothing has been
	Last      journal.Position // of that
	Confirmed journal.Position // by the head: the last entry that is known to have been confirmed; zero: not known
	Replica   bool             // one of several: it may end before Confirmed, and is mended from the others when it starts
	Kept      uint64           // of a replica that has not got yet all that was kept of what is before Base: how many entries of that it has; Entries does not count them
	Behind    bool             // … and that is so
}

// Inspect reads the log in c.Dir from its genesis to its end, and checks that each entry continues the chain, and that what
// was confirmed is there. ErrLost, journal.ErrDamaged: it is not as it should be; what Inspected says is in order. The log
// must not be open.
//
// The engine cuts off what it cannot read when it opens a store. So what is opened is a copy, made beside the log and removed
// at the end; the log is only read. journal.ErrFull: there is no room for it.
//
// Of c.External the log is read where it is, and may be open. c.Dir is the directory of a control node, for what was confirmed to that; "": that is not known.
func Inspect(ctx context.Context, c Config, progress func(read, of uint64)) (found Inspected, err error) {
	if c.External != nil {
		return inspectExternal(ctx, c, progress)
	}
	found.Replica = exists(c.path(replica, "jetstream"))
	if InExternal(c.Dir) {
		return found, fmt.Errorf("%w: %s has its journal in a NATS of yours: say where that is (warmfront fsck --nats)", ErrConfig, c.Dir)
	}
	if !exists(c.path("jetstream")) && !found.Replica {
		return found, fmt.Errorf("%w: there is no journal in %s", ErrConfig, c.Dir)
	}
	c, lock, err := hold(c)
	if err != nil {
		return found, err
	}
	defer lock.Close()
	dir, copy := c.Dir, Config.copy
	if found.Replica {
		c.Dir, c.part, copy = c.path(replica), true, Config.copyReplica
	}
	copied, err := copy(c)
	if err != nil {
		return found, fmt.Errorf("journal: copy to inspect: %w", err)
	}
	defer os.RemoveAll(copied.Dir)
	return copied.walk(ctx, dir, found, progress)
}

// copyReplica copies what a replica has of the log into a new one, which is nobody's replica. The engine opens a replica only where
// it meets the others.
func (c Config) copyReplica() (copied Config, err error) {
	if copied, err = c.room(); err != nil {
		return copied, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(copied.Dir)
		}
	}()
	kept, err := c.keptReplicas()
	if err != nil {
		return copied, err
	}
	l := newLog(copied)
	if err := l.start(); err != nil {
		return copied, err
	}
	all := append(kept, streamConfig(1, 1))
	for _, s := range all {
		if _, err = l.js.CreateStream(context.Background(), s); err != nil {
			break
		}
	}
	l.stop()
	if err != nil {
		return copied, err
	}
	for _, s := range all {
		entries := filepath.Join("jetstream", "$G", "streams", s.Name, "msgs")
		if err := os.RemoveAll(copied.path(entries)); err != nil {
			return copied, err
		}
		if exists(c.path(entries)) {
			if err := os.CopyFS(copied.path(entries), os.DirFS(c.path(entries))); err != nil {
				return copied, err
			}
		}
	}
	return copied, copied.copyHead(c)
}

// keptReplicas returns what a replica has of what was kept, as streams that are nobody's replicas. One of which the engine had not written down yet what it is
// has nothing in it.
func (c Config) keptReplicas() (all []jetstream.StreamConfig, err error) {
	dirs, err := filepath.Glob(c.path("jetstream", "$G", "streams", streamName+keptInfix+"*"))
	for _, dir := range dirs {
		b, err := os.ReadFile(filepath.Join(dir, "meta.inf"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var is struct {
			Name     string            `json:"name"`
			First    uint64            `json:"first_seq"`
			Metadata map[string]string `json:"metadata"`
		}
		if err == nil {
			err = json.Unmarshal(b, &is)
		}
		if err != nil {
			return nil, err
		}
		base, err := Config{}.baseOf(is.Name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		s := Config{}.keptConfig(1, base, max(is.First, 1), journal.ID(is.Metadata[baseRemark]))
		// What was given up may be there in part, and that of the same base which was made in its place.
		s.Name, s.Subjects = is.Name, []string{keptSubject + strings.TrimPrefix(is.Name, streamName+keptInfix)}
		all = append(all, s)
	}
	return all, err
}

// copyHead copies the witness.
func (c Config) copyHead(from Config) error {
	if !exists(from.path("head")) {
		return nil
	}
	b, err := os.ReadFile(from.path("head"))
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("head"), b, 0o600)
}

// copy copies the parts of a log to a new directory beside it.
func (c Config) copy() (copied Config, err error) {
	if copied, err = c.room(); err != nil {
		return copied, err
	}
	err = os.CopyFS(copied.path("jetstream"), os.DirFS(c.path("jetstream")))
	if err == nil {
		err = copied.copyHead(c)
	}
	if err != nil {
		os.RemoveAll(copied.Dir)
	}
	return copied, err
}

// room makes the directory for a copy, if there is room for one.
func (c Config) room() (copied Config, err error) {
	var size int64
	err = filepath.Walk(c.path("jetstream"), func(_ string, f os.FileInfo, err error) error {
		if err == nil && f.Mode().IsRegular() {
			size += f.Size()
		}
		return err
	})
	if err != nil {
		return copied, err
	}
	if n, err := free(c.Dir); err != nil || n < size+c.Reserve {
		return copied, errors.Join(err, fmt.Errorf("%w: %d MiB free in %s, %d needed", journal.ErrFull, n>>20, c.Dir, (size+c.Reserve)>>20))
	}
	copied = c
	copied.Dir, err = os.MkdirTemp(c.Dir, "inspect-")
	return copied, err
}

// walk opens the copy and reads it. dir is what the errors speak of.
func (c Config) walk(ctx context.Context, dir string, found Inspected, progress func(read, of uint64)) (_ Inspected, err error) {
	h, err := openHead(c.path("head"))
	if err != nil {
		return found, err
	}
	found.Confirmed = h.last()
	if err := h.close(); err != nil {
		return found, err
	}
	l := newLog(c)
	if l.head, err = openHead(c.path("head")); err != nil {
		return found, err
	}
	defer l.Close()
	if err := l.start(); err != nil {
		return found, err
	}
	l.c.Dir = dir
	s, err := l.js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return found, l.lost("the engine cannot read the store")
	}
	if err != nil {
		return found, l.wrap("read", err)
	}
	kept := l.inspectKept(ctx, s.CachedInfo().State)
	if found.Replica {
		if found.Kept, found.Behind, err = l.keptBehind(ctx, s.CachedInfo().State, c); err != nil {
			return found, err
		}
	}
	count := func(e *journal.Entry) error {
		if progress != nil && e.Seq%maxBatch == 1 {
			progress(e.Seq-1, found.Confirmed.Seq)
		}
		found.Epoch, found.Entries, found.Last, found.Base = e.Epoch, found.Entries+1, journal.PositionOf(e), max(found.Base, e.Base)
		return nil
	}
	if found.Behind {
		kept, found.Base = nil, s.CachedInfo().State.FirstSeq
		err = l.eachFromBase(ctx, found.Base, count)
	} else {
		err = l.each(ctx, count)
	}
	l.epoch = found.Epoch
	switch {
	case kept != nil:
		return found, kept
	case err != nil:
		return found, err
	case found.Replica && found.Confirmed.Seq < found.Base:
		return found, nil
	case found.Replica && found.Last.Seq < found.Confirmed.Seq:
		return found, nil
	case found.Entries == 0 && found.Confirmed.Seq == 0:
		return found, l.damaged("it has no genesis")
	}
	return found, l.witness(ctx, found.Last.Seq)
}

// keptBehind reports whether a replica has the log from a base on and not yet all that was kept instead of what was before, and how much of that: it has then begun to get it, and
// what it has is without an end. What is missing in the middle is damage, and so is what was cut off of a stream, since it could not be read.
func (l *Log) keptBehind(ctx context.Context, s jetstream.StreamState, copied Config) (n uint64, behind bool, err error) {
	if s.Msgs == 0 || s.FirstSeq <= 1 {
		return 0, false, nil
	}
	begins, err := l.slotIn(ctx, unknown, s.FirstSeq)
	if err != nil {
		return 0, false, nil // which reading it all says better
	}
	all, err := l.keptStreams(ctx)
	for _, k := range all {
		switch {
		case k.base < s.FirstSeq:
			continue
		case k.whole || k.holed || copied.cutOff(k.name):
			return 0, false, err
		case k.base == s.FirstSeq && k.id == begins.ID:
			n, behind = max(n, max(k.ends+1, k.first)-k.first), true
		}
	}
	return n, behind || err == nil && copied.unwritten(s.FirstSeq), err
}

// unwritten reports whether the replica that was copied knows that there is a stream of what was kept below a base, and has nothing of it: the engine makes its
// directory, and then writes down what it is, before anything comes into it.
func (c Config) unwritten(base uint64) bool {
	dirs, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Dir), "jetstream", "$G", "streams", streamName+keptInfix+"*"))
	for _, dir := range dirs {
		blocks, _ := filepath.Glob(filepath.Join(dir, "msgs", "*"))
		if b, err := (Config{}).baseOf(filepath.Base(dir)); err == nil && b == base && len(blocks) == 0 && !exists(filepath.Join(dir, "meta.inf")) {
			return true
		}
	}
	return false
}

// cutOff reports whether the engine, when it opened a copy of a replica, has cut off something of a stream: all that it could not read, and what is behind that.
func (c Config) cutOff(stream string) bool {
	octets := func(dir string) (n int64) {
		blocks, _ := filepath.Glob(filepath.Join(dir, "jetstream", "$G", "streams", stream, "msgs", "*.blk"))
		for _, name := range blocks {
			if f, err := os.Stat(name); err == nil {
				n += f.Size()
			}
		}
		return n
	}
	return octets(c.Dir) < octets(filepath.Dir(c.Dir))
}

// eachFromBase is each for a log that begins at its base.
func (l *Log) eachFromBase(ctx context.Context, base uint64, f func(*journal.Entry) error) error {
	l.slots.are(base, 0, "")
	begins, err := l.slot(ctx, base)
	if err == nil {
		err = f(begins)
	}
	if err != nil {
		return err
	}
	return l.eachFrom(ctx, base+1, func(_ uint64, e *journal.Entry) error { return f(e) })
}
