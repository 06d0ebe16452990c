package node

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// What an edge finds fits into a message, or who asks is told that it does not.
func TestAnswer_FitsIntoAMessage(t *testing.T) {
	long := strings.Repeat("/x", 4<<10)
	preview := func(n int, sample ...string) *edge.Preview {
		p := &edge.Preview{Items: make([]edge.Previewed, n)}
		for i := range p.Items {
			p.Items[i] = edge.Previewed{Tally: edge.Tally{Objects: 7}, Sample: sample}
		}
		return p
	}
	back := func(a *answer) (b answer) {
		out := a.encode()
		if len(out) > jetstream.MaxAnswer {
			t.Errorf("%d octets", len(out))
		}
		if err := json.Unmarshal(out, &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a := back(&answer{Preview: preview(10, long)}); a.err() != nil || a.Preview.Items[9].Sample[0] != long {
		t.Errorf("a short one: %v", a.err())
	}
	if a := back(&answer{Preview: preview(3000, long, long)}); a.err() != nil || len(a.Preview.Items) != 3000 || a.Preview.Items[2999].Objects != 7 {
		t.Errorf("without samples it fits: %v", a.err())
	}
	if a := back(&answer{Error: strings.Repeat(long, 200)}); a.err() == nil || !strings.Contains(a.Error, "too long") {
		t.Errorf("far too long: %.100s", a.Error)
	}
}
