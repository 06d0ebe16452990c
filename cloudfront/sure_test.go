package cloudfront

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// behind is another control node's replica: it has nothing new, and hears of nothing, until it was asked for the end.
type behind struct {
	*memory.Log
	has    atomic.Uint64
	silent atomic.Bool // nobody leads
}

func (l *behind) MayLag() bool { return true }

func (l *behind) End(ctx context.Context) (uint64, error) {
	if l.silent.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	end := l.Last()
	l.knows(end)
	return end, nil
}

// Append is the node's own: what it has appended it has, and soon what was there before.
func (l *behind) Append(ctx context.Context, e *journal.Entry) error {
	defer func() { l.knows(l.Last()) }()
	return l.Log.Append(ctx, e)
}

func (l *behind) knows(seq uint64) {
	for has := l.has.Load(); has < seq && !l.has.CompareAndSwap(has, seq); has = l.has.Load() {
	}
}

func (l *behind) Live(func(*journal.Entry)) (stop func(), err error) { return func() {}, nil }

func (l *behind) Read(ctx context.Context, from uint64, most int) ([]*journal.Entry, error) {
	entries, err := l.Log.Read(ctx, from, most)
	for len(entries) > 0 && entries[len(entries)-1].Seq > l.has.Load() {
		entries = entries[:len(entries)-1]
	}
	return entries, err
}

// What one control node has accepted is neither unknown at another nor as it was before.
func TestRead_AfterWriteElsewhere(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		log := &behind{Log: d.journal}
		log.has.Store(d.journal.Last())
		ctl, err := control.New(control.Config{Log: log, AccountID: "123456789012"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); _ = ctl.Run(ctx) }()
		<-ctl.Ready()
		defer func() { cancel(); <-ran }()
		other := newDoor(t, ctl, nil)

		created := new(wire.Distribution)
		must(t, d, "POST", "/2020-05-31/distribution", testFile(t, "legacy.xml"), "Distribution", created)
		target := "/2020-05-31/distribution/" + *created.Id
		tag := func(w *httptest.ResponseRecorder) string {
			t.Helper()
			if w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			return spelled(w.Header(), "ETag")[0]
		}
		was := tag(other.do("viewer", "GET", target, ""))

		changed := strings.Replace(testFile(t, "legacy.xml"), "<Comment>", "<Comment>changed ", 1)
		must(t, d, "PUT "+was, target+"/config", changed, "Distribution", new(wire.Distribution))
		if now := tag(other.do("viewer", "GET", target+"/config", "")); now == was {
			t.Error("it is read as it was before the change")
		}

		t.Log("nobody says how far the journal goes")
		log.silent.Store(true)
		wantError(t, "unsure", other.do("viewer", "GET", target, ""), 503, "ServiceUnavailable")
		log.silent.Store(false)
		tag(other.do("viewer", "GET", target, ""))
		synctest.Wait()
	})
}
