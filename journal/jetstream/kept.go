package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// What a compaction of a running log keeps lies in a stream of its own, beside the log's:
//
//	WARMFRONT_0_KEPT_100   slot 96 97 98 99          entries 1 7 23 80, that say Base 100
//	WARMFRONT_0            slot 100 101 102 …        entries 100 101 102 …
//
// It is written first, each entry synced, all but its last one read back and compared before that is appended. So the append of the entry in the slot
// below the base is the moment: a stream that ends there is whole, and counts; one that ends before never has. Only then is the log's own stream
// purged up to the base, and only then goes the one that was kept before. Whatever is interrupted, the next start brings it to its
// end (settleKept), before anybody reads: what is not whole goes, what is below the base goes.
const (
	keptInfix   = "_KEPT_"            // behind the name of the log's stream, and then the base; of replicas also _ and a name that differs each time
	keptSubject = "warmfront.kept.0." // and the base, by naming: nobody listens. Of two nodes that make one of the same base the engine refuses one
	baseRemark  = "warmfront-base"    // the ID of the entry at the base: of which log it is
)

// keptStream is one of these.
type keptStream struct {
	name        string
	first, base uint64
	id          journal.ID // of the entry at the base
	whole       bool
	holed       bool // something is missing in its middle, or at its beginning
	made        time.Time
	ends        uint64 // its last slot so far
	config      jetstream.StreamConfig
}

// keptConfig is such a stream. Nothing may make a hole in it, and it goes as a whole. Where several nodes make and remove them, no two ever have the same
// name: who stood still and wakes up removes its own, and nothing that another has made in its place.
func (c Config) keptConfig(replicas int, base, first uint64, id journal.ID) jetstream.StreamConfig {
	s, n, number := c.stream(replicas, first), c.names(), strconv.FormatUint(base, 10)
	s.Name, s.Subjects, s.RePublish = n.stream+keptInfix+number, []string{n.kept + number}, nil
	if c.Cluster != nil || c.External != nil {
		s.Name += "_" + string(journal.NewID())
	}
	s.DenyPurge = true
	s.Metadata = map[string]string{baseRemark: string(id)}
	return s
}

// baseOf is the base that is in a stream's name.
func (c Config) baseOf(name string) (uint64, error) {
	number, ok := strings.CutPrefix(name, c.names().stream+keptInfix)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	number, _, _ = strings.Cut(number, "_")
	return strconv.ParseUint(number, 10, 64)
}

// keptOf tells what a stream is; ok is false of one that has nothing to do with compactions of this log.
func (c Config) keptOf(i *jetstream.StreamInfo) (k keptStream, ok bool) {
	base, err := c.baseOf(i.Config.Name)
	if err != nil {
		return k, false
	}
	k = keptStream{name: i.Config.Name, first: max(i.Config.FirstSeq, 1), base: base, id: journal.ID(i.Config.Metadata[baseRemark]), made: i.Created, ends: i.State.LastSeq,
		config: i.Config}
	s := i.State
	k.holed = s.Msgs > 0 && (s.FirstSeq != k.first || s.Msgs != k.ends+1-k.first || s.NumDeleted > 0)
	k.whole = s.Msgs > 0 && s.FirstSeq == k.first && s.LastSeq+1 == base && s.Msgs == base-k.first && s.NumDeleted == 0
	return k, true
}

// keptStreams lists them. Of replicas the names come from who leads the cluster, and what each holds from who leads it: without an error that is all.
func (l *Log) keptStreams(ctx context.Context) (all []keptStream, err error) {
	if !l.MayLag() {
		return l.listKept(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for {
		short, cancel := context.WithTimeout(ctx, tryKept)
		all, err = l.listKept(short)
		cancel()
		if err == nil || !pause(ctx) { // who leads may be changing, and then nobody answers
			return all, err
		}
	}
}

// tryKept is for how long a list of streams is waited for.
const tryKept = 2 * time.Second

func (l *Log) listKept(ctx context.Context) (all []keptStream, err error) {
	names, prefix := l.js.StreamNames(ctx), l.c.names().stream+keptInfix
	var found []string
	for name := range names.Name() {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	if err := names.Err(); err != nil && !errors.Is(err, jetstream.ErrEndOfData) {
		return nil, l.wrap("read", err)
	}
	for _, name := range found {
		s, err := l.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // it has just been removed
		}
		if err != nil {
			return nil, l.wrap("read", err)
		}
		k, ok := l.c.keptOf(s.CachedInfo())
		if !ok {
			continue
		}
		if k.whole && l.MayLag() {
			if k.whole, err = l.ends(ctx, k); err != nil {
				return nil, err
			}
		}
		all = append(all, k)
	}
	return all, nil
}

// ends tells whether the last slot of a stream holds an entry that was kept, and not a mark (spoil).
func (l *Log) ends(ctx context.Context, k keptStream) (bool, error) {
	b, err := l.askStored(ctx, k.name, k.ends)
	if err != nil {
		return false, err
	}
	e, err := journal.Decode(b)
	return err == nil && e.Base == k.base && fitsSlot(e, k.ends), nil
}

// greatestKept returns the one that counts: the greatest base of those that are whole.
func (l *Log) greatestKept(ctx context.Context) (k keptStream, found bool, err error) {
	all, err := l.keptStreams(ctx)
	for _, one := range all {
		if one.whole && one.base > k.base {
			k, found = one, true
		}
	}
	return k, found, err
}

// findKept finds out, while the log is being opened, whether what is below its base lies in a stream of its own. One that the log was purged for was
// whole: with an error it is found all the same, for who wants what is left of it.
func (l *Log) findKept(ctx context.Context, s jetstream.StreamState) (k keptStream, found bool, err error) {
	all, err := l.keptStreams(ctx)
	for _, one := range all {
		counts := one.whole && one.base > s.FirstSeq || one.base == s.FirstSeq
		if counts && (one.base > k.base || one.base == k.base && one.whole) {
			k, found = one, true
		}
	}
	if found {
		l.adopt(k)
		if !k.whole && err == nil {
			err = l.damaged("not all is there that was kept of the entries below %d", k.base)
		}
	}
	return k, found, err
}

// settleKept purges what should have been when it was written.
func (l *Log) settleKept(ctx context.Context, s jetstream.Stream, k keptStream) error {
	state := s.CachedInfo().State
	if state.LastSeq < k.base {
		return l.lost("the log ends with entry %d, and was compacted up to entry %d; what that has kept is the stream %s", state.LastSeq, k.base, k.name)
	}
	if state.FirstSeq < k.base {
		if err := l.purge(ctx, s, k); err != nil {
			return err
		}
		if _, err := s.Info(ctx); err != nil {
			return l.wrap("read", err)
		}
	}
	return l.fitsBase(ctx, l.slots.shape(), k)
}

// fitsBase checks that what was kept is of this log, of which it gives the shape.
func (l *Log) fitsBase(ctx context.Context, sh *shape, k keptStream) error {
	e, err := l.slotIn(ctx, sh, k.base)
	if err == nil && (e.ID != k.id || e.Base != 0) {
		err = l.damaged("what was kept of the entries below %d, the stream %s, is of another log: it goes on with %.8s, entry %d is %.8s", k.base, k.name, k.id, k.base, e.ID)
	}
	return err
}

// purge removes from the log's own stream what is below the base, once more after having read all that was kept instead, and the entry at the base.
func (l *Log) purge(ctx context.Context, s jetstream.Stream, k keptStream) error {
	sh := l.slots.shape()
	if sh.kept != k.name {
		return errMoved
	}
	if err := l.fitsBase(ctx, sh, k); err != nil {
		return err
	}
	var chain journal.Chain
	for slot := k.first; slot <= k.base; {
		entries, err := l.readShape(ctx, sh, slot, int(min(k.base+1-slot, maxBatch)))
		if err == nil && len(entries) == 0 {
			err = l.damaged("slot %d cannot be read", slot)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !chain.Next(e) || slot < k.base && e.Base != k.base {
				return l.damaged("entry %d does not continue what was kept", e.Seq)
			}
			slot++
		}
	}
	return l.purgeTo(ctx, s, k.base)
}

// dropKept removes the streams of former compactions, and of those that were not brought to their end.
func (l *Log) dropKept(ctx context.Context) error {
	if l.MayLag() {
		return l.dropKeptReplicas(ctx)
	}
	all, err := l.keptStreams(ctx)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.name == l.slots.shape().kept {
			continue
		}
		if err := l.js.DeleteStream(ctx, k.name); err != nil {
			return l.wrap("compaction", fmt.Errorf("%s: %w", k.name, err))
		}
	}
	// The engine passes over what it had only begun to make, or to remove, when the process was killed.
	dirs, err := filepath.Glob(l.keptDir(streamName + keptInfix + "*"))
	for _, dir := range dirs {
		if filepath.Base(dir) != l.slots.shape().kept {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// readKept reads what was kept, and on from the base.
func (l *Log) readKept(ctx context.Context, s *shape, from uint64, n int) (all [][]byte, err error) {
	from = max(from, s.first)
	for size := 0; from < s.base && len(all) < n && size < batchBytes; {
		some, err := l.keptBatch(ctx, s, s.kept, from, int(min(uint64(n-len(all)), s.base-from)))
		for _, b := range some {
			size += len(b)
		}
		all, from = append(all, some...), from+uint64(len(some))
		if err != nil {
			return all, err
		}
	}
	if from < s.base || len(all) == n {
		return all, nil
	}
	rest, err := l.readBatch(ctx, s, s.base, n-len(all))
	if err == nil && len(rest) == 0 {
		err = l.damaged("entry %d cannot be read", s.base)
	}
	return append(all, rest...), err
}

// keptBatch reads some of what was kept. Of replicas one may be asked that has not all of it yet, and the stream may just have been removed.
func (l *Log) keptBatch(ctx context.Context, s *shape, name string, from uint64, n int) ([][]byte, error) {
	for {
		within := time.Duration(0)
		if l.MayLag() {
			within = tryRead
		}
		some, _, err := l.batchOf(ctx, within, directGets+name, from, n, false)
		if err == nil && len(some) == 0 {
			err = l.damaged("slot %d cannot be read", from)
		}
		if err == nil || !l.MayLag() {
			return some, err
		}
		if len(some) > 0 {
			return some, nil
		}
		if errors.Is(err, journal.ErrDamaged) { // who leads may have it
			if b, asked := l.askStored(ctx, name, from); asked == nil {
				return [][]byte{b}, nil
			}
		}
		if err := l.again(ctx, s, err); err != nil {
			return nil, err
		}
	}
}

// inspectKept is findKept for who only looks.
func (l *Log) inspectKept(ctx context.Context, s jetstream.StreamState) error {
	k, found, err := l.findKept(ctx, s)
	if err != nil || !found {
		return err
	}
	if s.LastSeq < k.base {
		return l.lost("the log ends with entry %d, and was compacted up to entry %d", s.LastSeq, k.base)
	}
	return l.fitsBase(ctx, l.slots.shape(), k)
}
