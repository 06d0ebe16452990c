package node

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// grow appends ticks, as freshness probes do.
func grow(t *testing.T, dir string, ticks int) {
	t.Helper()
	l, err := jetstream.Open(t.Context(), jetstream.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	for range ticks {
		if _, err := w.Commit(t.Context(), func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// A start on a journal that has grown compacts it, and everything is as before: the distribution, the
// invalidation with its receipt, the caller reference, the trail, and the numbers (L8).
func TestDev_CompactsTheJournal(t *testing.T) {
	c := testConfig(t)
	c.JournalEntries, c.compactTail = 500, 1
	d, stop := start(t, c)
	inv := invalidate(t, d, "before")
	awaitCompleted(t, d, inv)
	before := known(t, d, inv.ID)
	trail, err := d.control.Audit("", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	grow(t, filepath.Join(c.Data, "journal"), 600)

	var out bytes.Buffer
	c.Out = &out
	d, stop = start(t, c)
	if after := known(t, d, inv.ID); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if again := invalidate(t, d, "before"); again.ID != inv.ID {
		t.Errorf("the caller reference made another invalidation: %s", again.ID)
	}
	awaitCompleted(t, d, invalidate(t, d, "after"))
	after, err := d.control.Audit("", 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := 0, len(after.Items)-len(trail.Items); i < len(trail.Items); i++ {
		a, b := trail.Items[i], after.Items[n+i]
		if a.Seq != b.Seq || a.ID != b.ID || a.Action != b.Action || a.Resource != b.Resource || a.By != b.By || !a.Time.Equal(b.Time) {
			t.Errorf("trail: %+v became %+v", a, b)
		}
	}
	if d.control.Seq() < 600 {
		t.Errorf("the journal ends with entry %d", d.control.Seq())
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "compacted, it has") {
		t.Errorf("nobody was told: %s", out.String())
	}

	out.Reset()
	d, stop = start(t, c) // a short one stays
	if after := known(t, d, inv.ID); after != before {
		t.Errorf("before\n%s\nafter a third start\n%s", before, after)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "entries") {
		t.Errorf("compacted again: %s", out.String())
	}
}

// whispers is a log handler that waits for messages.
type whispers struct {
	slog.Handler
	messages chan string
}

func (h whispers) Enabled(context.Context, slog.Level) bool { return true }
func (h whispers) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h whispers) WithGroup(string) slog.Handler            { return h }
func (h whispers) Handle(_ context.Context, r slog.Record) error {
	switch {
	case strings.HasPrefix(r.Message, "journal compacted"):
		h.messages <- r.Message
	case strings.Contains(r.Message, "dropped"):
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		h.messages <- text
	}
	return nil
}

// A journal that grows while its node runs is compacted, and nobody notices but who asks; and so is one when that is told.
func TestDev_CompactsTheJournalWhileItRuns(t *testing.T) {
	c := testConfig(t)
	c.JournalEntries, c.compactTail, c.compactEvery = 500, 1, time.Millisecond
	log := whispers{slog.DiscardHandler, make(chan string, 100)}
	c.Logger = slog.New(log)
	d, stop := start(t, c)
	inv := invalidate(t, d, "before")
	awaitCompleted(t, d, inv)
	before := known(t, d, inv.ID)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticks := func(enough func() bool) {
		w := journal.NewWriter(journal.WriterConfig{Log: d.log})
		for !enough() {
			if _, err := w.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	ticks(func() bool { return len(log.messages) > 0 }) // the edges may be behind when it looks first
	x := d.log.(*jetstream.Log).Extent()
	if x.Base < 200 || x.Compacted.IsZero() {
		t.Errorf("%+v", x)
	}
	n := d.controlNodes()[0].Journal
	if n == nil || n.Base < x.Base || n.Compacted == nil {
		t.Errorf("%+v", n)
	}
	awaitCompleted(t, d, invalidate(t, d, "after"))
	var backup bytes.Buffer
	if err := d.backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadBackup(&backup); err != nil || len(b.Entries) == 0 {
		t.Error(b, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	c.JournalEntries, c.compactEvery = 2, time.Hour // it will not look within this test
	d, stop = start(t, c)
	if after := known(t, d, inv.ID); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if again := invalidate(t, d, "before"); again.ID != inv.ID {
		t.Errorf("the caller reference made another invalidation: %s", again.ID)
	}
	left := 600
	ticks(func() bool { left--; return left < 0 })
	awaitCompleted(t, d, invalidate(t, d, "third")) // all edges have applied them
	done, err := d.compactNow(t.Context(), nil)
	if err != nil || done.After >= done.Before || done.Base <= x.Base {
		t.Errorf("%+v, %v", done, err)
	}
	again, err := d.compactNow(t.Context(), nil)
	if err != nil || again.After != again.Before || again.Base != done.Base {
		t.Errorf("%+v, %v", again, err)
	}
	left = 5
	ticks(func() bool { left--; return left < 0 })
	awaitCompleted(t, d, invalidate(t, d, "fourth"))
	day, none := 24*time.Hour, time.Duration(0)
	again, err = d.compactNow(t.Context(), &day)
	if err != nil || again.After != again.Before {
		t.Errorf("what is younger than a day was to stay: %+v, %v", again, err)
	}
	again, err = d.compactNow(t.Context(), &none)
	if err != nil || again.After >= again.Before || again.After <= again.Before/2 {
		t.Errorf("some ticks were to go: %+v, %v", again, err)
	}
	if after := known(t, d, inv.ID); after != before {
		t.Errorf("before\n%s\nafter the second\n%s", before, after)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	close(log.messages)
	for m := range log.messages {
		if m != "journal compacted" {
			t.Error(m)
		}
	}
}

// known is what the control plane knows of the demonstration distribution, without numbers.
func known(t *testing.T, d *process, invalidation string) string {
	t.Helper()
	dist, err := d.control.Distribution(d.ready.DemoDistribution)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.control.Receipt(dist.ID, invalidation)
	if err != nil {
		t.Fatal(err)
	}
	history, err := d.control.History(control.HistoryFilter{}, "", 0)
	if err != nil || !slices.ContainsFunc(history.Items, func(r *control.Receipt) bool { return r.Invalidation.ID == invalidation }) {
		t.Errorf("it is not in the history: %+v, %v", history, err)
	}
	r.Invalidation.Seq = 0
	b, err := json.Marshal([]any{dist, r})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readyz speaks for the journal, too.
func TestDev_ReadyWhileTheJournalCanBeWritten(t *testing.T) {
	d, stop := start(t, testConfig(t))
	readyz := func() (int, string) {
		resp, err := http.Get(d.ready.Telemetry + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if status, text := readyz(); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	d.log.Close()
	if status, text := readyz(); status != 503 || !strings.Contains(text, "journal") {
		t.Errorf("%d %s", status, text)
	}
	stop()
}
