package rules_test

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/journal"
)

// Who fences himself may be taken to be gone, and cannot know for how long nobody has heard him before the first proof.
func TestAnswered_BeforeTheFirstProof(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		fence time.Duration
		own   bool
		t0    time.Duration
		want  bool
	}{
		{"fetched by this process", 0, true, 90 * s, true},
		{"fetched too long ago", 0, true, 60 * s, false},
		{"stored by an earlier one", 0, false, 90 * s, false},
		{"fenced", 30 * s, true, 90 * s, false},
	} {
		l := journal.NewLease(journal.Timing{Lease: 30 * s, SelfFence: c.fence})
		if got := rules.Answered(l, 100*s, c.t0, c.own); got != c.want {
			t.Errorf("%s: answered is %v", c.name, got)
		}
		l.ProbeAnswered(l.ProbeSent(95*s), 1)
		l.Applied(1)
		if !rules.Answered(l, 100*s, c.t0, c.own) {
			t.Errorf("%s: not answered with a lease", c.name)
		}
	}
}
