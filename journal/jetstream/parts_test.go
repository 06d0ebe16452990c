package jetstream

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// An answer of which a part was lost on the way is no answer: what is missing in it would look like another log.
func TestRemote_AnswerWithAGap(t *testing.T) {
	p := newPKI(t)
	l := open(t, Config{Dir: t.TempDir(), Network: p.network(t)})
	for _, lost := range []int{0, 1} {
		stop, err := l.serve(readPrefix+"*", "desk", bound{1, 1}, func(_ context.Context, m *nats.Msg) {
			for i, part := range []string{`{"More":true}`, `{"More":true,"Part":1}`, `{"Part":2}`} {
				if i != lost {
					m.Respond([]byte(part))
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r := p.dial(t, l.Addr(), "FRA50-1")
		connected(t, r)
		if entries, err := r.Read(t.Context(), 1, 10); err == nil || errors.Is(err, journal.ErrBroken) {
			t.Errorf("part %d was lost: %d entries, %v", lost, len(entries), err)
		}
		stop()
	}
}
