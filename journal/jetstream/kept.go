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
	keptPrefix  = streamName + "_KEPT_"
	keptSubject = "warmfront.kept.0." // and the base: nobody listens
	baseRemark  = "warmfront-base"    // the ID of the entry at the base: of which log it is
)

// keptStream is one of these.
type keptStream struct {
	name        string
	first, base uint64
	id          journal.ID // of the entry at the base
	whole       bool
	made        time.Time
}

// keptConfig is such a stream. Nothing may make a hole in it, and it goes as a whole.
func keptConfig(base, first uint64, id journal.ID) jetstream.StreamConfig {
	c := streamConfig(1, first)
	number := strconv.FormatUint(base, 10)
	c.Name, c.Subjects, c.RePublish = keptPrefix+number, []string{keptSubject + number}, nil
	c.DenyPurge = true
	c.Metadata = map[string]string{baseRemark: string(id)}
	return c
}

// keptOf tells what a stream is; ok is false of one that has nothing to do with compactions.
func keptOf(i *jetstream.StreamInfo) (k keptStream, ok bool) {
	number, ok := strings.CutPrefix(i.Config.Name, keptPrefix)
	base, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return k, false
	}
	k = keptStream{name: i.Config.Name, first: max(i.Config.FirstSeq, 1), base: base, id: journal.ID(i.Config.Metadata[baseRemark]), made: i.Created}
	s := i.State
	k.whole = s.Msgs > 0 && s.FirstSeq == k.first && s.LastSeq+1 == base && s.Msgs == base-k.first && s.NumDeleted == 0
	return k, true
}

// keptStreams lists them.
func (l *Log) keptStreams(ctx context.Context) (all []keptStream, err error) {
	list := l.js.ListStreams(ctx)
	for i := range list.Info() {
		if k, ok := keptOf(i); ok {
			all = append(all, k)
		}
	}
	if err := list.Err(); err != nil {
		return nil, l.wrap("read", err)
	}
	return all, nil
}

// findKept finds out, while the log is being opened, whether what is below its base lies in a stream of its own. One that the log was purged for was
// whole: with an error it is found all the same, for who wants what is left of it.
func (l *Log) findKept(ctx context.Context, s jetstream.StreamState) (k keptStream, found bool, err error) {
	all, err := l.keptStreams(ctx)
	for _, one := range all {
		if (one.whole && one.base > s.FirstSeq || one.base == s.FirstSeq) && one.base > k.base {
			k, found = one, true
		}
	}
	if found {
		l.slots.are(k.first, k.base, k.name)
		l.compacted.Store(&k.made)
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
		return l.lost("the log ends with entry %d, and was compacted up to entry %d", state.LastSeq, k.base)
	}
	if state.FirstSeq < k.base {
		if err := l.purge(ctx, s, k); err != nil {
			return err
		}
		if _, err := s.Info(ctx); err != nil {
			return l.wrap("read", err)
		}
	}
	return l.fitsBase(ctx, k)
}

// fitsBase checks that what was kept is of this log.
func (l *Log) fitsBase(ctx context.Context, k keptStream) error {
	e, err := l.slot(ctx, k.base)
	if err == nil && (e.ID != k.id || e.Base != 0) {
		err = l.damaged("what was kept of the entries below %d is of another log: it goes on with %.8s, entry %d is %.8s", k.base, k.id, k.base, e.ID)
	}
	return err
}

// purge removes from the log's own stream what is below the base, once more after having read all that was kept instead, and the entry at the base.
func (l *Log) purge(ctx context.Context, s jetstream.Stream, k keptStream) error {
	if err := l.fitsBase(ctx, k); err != nil {
		return err
	}
	sh := &shape{first: k.first, base: k.base, kept: k.name}
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
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(k.base)); err != nil {
		return l.wrap("purge", err)
	}
	return nil
}

// dropKept removes the streams of former compactions, and of those that were not brought to their end.
func (l *Log) dropKept(ctx context.Context) error {
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
	dirs, err := filepath.Glob(l.keptDir(keptPrefix + "*"))
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
		some, _, err := l.batchOf(ctx, "$JS.API.DIRECT.GET."+s.kept, from, int(min(uint64(n-len(all)), s.base-from)), false)
		if err == nil && len(some) == 0 {
			err = l.damaged("slot %d cannot be read", from)
		}
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

// inspectKept is findKept for who only looks.
func (l *Log) inspectKept(ctx context.Context, s jetstream.StreamState) error {
	k, found, err := l.findKept(ctx, s)
	if err != nil || !found {
		return err
	}
	if s.LastSeq < k.base {
		return l.lost("the log ends with entry %d, and was compacted up to entry %d", s.LastSeq, k.base)
	}
	return l.fitsBase(ctx, k)
}
