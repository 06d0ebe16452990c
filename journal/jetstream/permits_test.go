package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/warmfront/warmfront/journal"
)

// permitted is a NATS with an account that permits to publish to these alone, and the config of a control node that has it.
func permitted(t *testing.T, y *yours, c Config, publish ...string) Config {
	t.Helper()
	y.stop(0)
	y.tune = func(o *server.Options) {
		o.Users = []*server.User{{Username: "a", Password: "b", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: []string{"WARMFRONT.>"}}}}}
	}
	y.start(t, 0)
	c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "nats://a:b@", 1)}
	return c
}

// What an account permits that was made for a version before compactions, and what it must permit besides.
var (
	forTheLog = []string{"WARMFRONT.log.0", "WARMFRONT.ack.0.*", "WARMFRONT.control", "WARMFRONT.ask", "WARMFRONT.inbox.>", "$JS.API.STREAM.INFO.WARMFRONT_0", "$JS.API.STREAM.CREATE.WARMFRONT_0",
		"$JS.API.STREAM.UPDATE.WARMFRONT_0", "$JS.API.STREAM.MSG.GET.WARMFRONT_0", "$JS.API.DIRECT.GET.WARMFRONT_0"}
	toLook    = []string{"$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.*"}
	toCompact = []string{"$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*", "$JS.API.STREAM.DELETE.*", "WARMFRONT.kept.0.*", "$JS.API.STREAM.PURGE.WARMFRONT_0"}
)

// An account that does not permit to compact is named once, and everything else goes on; also when a compaction was cut off before. What was compacted cannot be read
// without being permitted to.
func TestExternal_NotPermittedToCompact(t *testing.T) {
	y := newYours(t, 1)
	said := &warnings{}
	c := y.config(t, "")
	c.Logger = slog.New(slog.NewTextHandler(said, nil))
	all := append(append(append([]string{}, forTheLog...), toLook...), toCompact...)
	write := func(l *Log) {
		t.Helper()
		w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
		for range 30 {
			if _, err := w.Tick(minute(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused := func(l *Log, words ...string) {
		t.Helper()
		_, err := l.Compact(minute(t), Compaction{Tail: 5, Extract: everyTenth()})
		for _, words := range words {
			if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), words) || !strings.Contains(l.Uncompacted(), words) {
				t.Errorf("%v, not with %s; uncompacted: %s", err, words, l.Uncompacted())
			}
		}
		if l.Compacts() || l.Refresh(minute(t)) != nil || l.Extent().Base != 0 || l.Extent().Last < 31 {
			t.Errorf("%+v", l.Extent())
		}
	}

	t.Log("none of it")
	c = permitted(t, y, c, forTheLog...)
	l := mustOpen(t, c)
	write(l)
	refused(l, "STREAM.NAMES", "STREAM.CREATE.*", "STREAM.PURGE.WARMFRONT_0")
	l.Close()
	if n := strings.Count(said.String(), "is not compacted by this node"); n != 1 || strings.Contains(strings.ToLower(said.String()), "journal connection") {
		t.Errorf("said %d times: %s", n, said)
	}
	if found, err := Inspect(minute(t), c, nil); err != nil || found.Entries != 31 {
		t.Errorf("inspected: %+v, %v", found, err)
	}

	t.Log("each of it")
	for i, without := range append(append([]string{}, toCompact...), toLook...) {
		var some []string
		for _, s := range all {
			if s != without {
				some = append(some, s)
			}
		}
		c = permitted(t, y, c, some...)
		l = mustOpen(t, c)
		refused(l, strings.TrimSuffix(without, "*"))
		if l.fixed.Load() != (i >= len(toCompact)) {
			t.Errorf("without %s", without)
		}
		l.Close()
	}

	t.Log("a compaction was cut off between its moment and the purge")
	c = permitted(t, y, c, all...)
	c.step = func(step string) {
		if step == "kept" {
			l.Close()
		}
	}
	l = mustOpen(t, c)
	before := (&trio{logs: []*Log{l}}).all(t, 0)
	if done, err := l.Compact(minute(t), Compaction{Tail: 5, Extract: everyTenth()}); err == nil {
		t.Fatal("it has gone on", done)
	}
	c.step = nil
	c = permitted(t, y, c, append(append([]string{}, forTheLog...), toLook...)...)
	l = mustOpen(t, c)
	refusedOne := &trio{logs: []*Log{l}}
	refusedOne.wantAll(t, "not purged", before)
	l.Close()
	c = permitted(t, y, c, all...)
	l = mustOpen(t, c)
	want := compacted(before, 5)
	(&trio{logs: []*Log{l}}).wantAll(t, "purged", want)
	l.Close()

	t.Log("it is compacted, and may be read alone")
	c = permitted(t, y, c, append(append([]string{}, forTheLog...), toLook...)...)
	l = mustOpen(t, c)
	(&trio{logs: []*Log{l}}).wantAll(t, "read", want)
	l.Close()
	c = permitted(t, y, c, forTheLog...)
	words := fmt.Sprintf("what was kept of the entries below %d cannot be looked for", want[0].Base)
	refuses(t, c, journal.ErrDamaged, words, "STREAM.NAMES")
	if found, err := Inspect(minute(t), c, nil); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), words) {
		t.Errorf("inspected: %+v, %v", found, err)
	}
}

// A stream that an earlier version has made forbids to be purged, for good.
func TestExternal_MadeByAnEarlierVersion(t *testing.T) {
	y := newYours(t, 1)
	c := y.config(t, "")
	_, js := y.conn(t)
	old := c.stream(1, 1)
	old.DenyPurge = true
	if _, err := js.CreateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, c)
	if _, err := l.Compact(minute(t), Compaction{Extract: everyTenth()}); !errors.Is(err, ErrNotRunning) || l.Uncompacted() == "" || l.Compacts() {
		t.Errorf("%v; uncompacted: %s", err, l.Uncompacted())
	}
	if found, err := Inspect(minute(t), c, nil); err != nil || found.Entries != 1 {
		t.Errorf("inspected: %+v, %v", found, err)
	}
}

// A log whose stream is gone leaves what was kept of it. None is begun beside that, for it would count as this one's from the next start on.
func TestExternal_NotBegunBesideWhatWasKept(t *testing.T) {
	y := newYours(t, 1)
	c := y.config(t, "")
	l := mustOpen(t, c)
	write := func() {
		t.Helper()
		w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
		for range 30 {
			if _, err := w.Tick(minute(t)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Compact(minute(t), Compaction{Tail: 5, Extract: everyTenth()}); err != nil || l.Extent().Base != l.Extent().Last-4 {
			t.Fatalf("%+v, %v", l.Extent(), err)
		}
	}
	write()
	kept := l.slots.shape().kept
	l.Close()
	_, js := y.conn(t)
	remove := func(name string) {
		t.Helper()
		if err := js.DeleteStream(minute(t), name); err != nil {
			t.Fatal(err)
		}
	}
	remove(c.names().stream)
	c.AcceptLoss = true
	refuses(t, c, ErrConfig, kept)
	refuses(t, c, ErrConfig, kept) // the empty stream is there now
	remove(kept)
	l = mustOpen(t, c)
	write()
	l.Close()
	c.AcceptLoss = false
	l = mustOpen(t, c)
	if x := l.Extent(); x.Last < 31 {
		t.Errorf("%+v", x)
	}
}
