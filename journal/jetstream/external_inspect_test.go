package jetstream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// An external log is read from its genesis to its end while it is in use; what is not as it should be is named.
func TestInspect_External(t *testing.T) {
	y := newYours(t, 1)
	c := y.config(t, "")
	said := func(c Config, want error, words string) {
		t.Helper()
		if found, err := Inspect(minute(t), c, nil); !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v, %v, not %v, %q", found, err, want, words)
		}
	}
	inOrder := func(c Config) Inspected {
		t.Helper()
		found, err := Inspect(minute(t), c, nil)
		if err != nil {
			t.Error(err)
		}
		return found
	}
	said(c, ErrConfig, "is no directory of a control node")
	no := c
	no.Dir = ""
	said(no, ErrLost, "there is no such stream")
	l := mustOpen(t, c)
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	for i := range 3 {
		if _, err := w.Commit(minute(t), fact(i)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := l.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	at := w.Position()
	if found := inOrder(c); found.Last != at || found.Entries != at.Seq || found.Confirmed != at || found.Epoch != l.Epoch() {
		t.Errorf("%+v, not up to %v", found, at)
	}
	if found := inOrder(no); found.Last != at || found.Confirmed.Seq != 0 {
		t.Errorf("%+v, not up to %v", found, at)
	}

	t.Log("settings")
	_, js := y.conn(t)
	changed := l.c.stream(1, 1)
	changed.MaxMsgs = 1000
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	said(c, ErrConfig, "MaxMsgs is 1000, not -1")

	t.Log("another log, and a chain that is broken")
	l.Close()
	if err := js.DeleteStream(t.Context(), "WARMFRONT_0"); err != nil {
		t.Fatal(err)
	}
	other := mustOpen(t, y.config(t, ""))
	said(c, ErrLost, "was confirmed")
	inOrder(no)
	b, err := journal.Encode(after(first))
	if err == nil {
		_, err = js.PublishMsg(t.Context(), other.message(2, b))
	}
	if err != nil {
		t.Fatal(err)
	}
	said(no, journal.ErrDamaged, "does not continue the chain")

	t.Log("a hole, in a stream that was made to have one")
	if err := js.DeleteStream(t.Context(), "WARMFRONT_0"); err != nil {
		t.Fatal(err)
	}
	loose := l.c.stream(1, 1)
	loose.DenyDelete = false
	s, err := js.CreateStream(t.Context(), loose)
	for seq := uint64(1); seq <= 3 && err == nil; seq++ {
		_, err = js.PublishMsg(t.Context(), other.message(seq, b))
	}
	if err == nil {
		err = s.DeleteMsg(t.Context(), 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	said(no, ErrConfig, "DenyDelete is false, not true")
	if _, err := js.UpdateStream(t.Context(), l.c.stream(1, 1)); err != nil {
		t.Fatal(err)
	}
	said(no, journal.ErrDamaged, "1 of the entries 1 to 3 are not there")

	t.Log("NATS is away")
	y.stop(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Inspect(ctx, no, nil); !errors.Is(err, ErrNATS) {
		t.Errorf("%v", err)
	}
}
