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

// What an earlier process has stored counts if the journal has the entry up to which it was stored, and all since; what has no such entry
// never does.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name            string
		mark, seq, base uint64
		same, synced    bool
		want            rules.Resumption
	}{
		{"not read so far", 9, 3, 0, false, false, rules.Undecided},
		{"it is there", 9, 9, 0, true, false, rules.GoesOn},
		{"it is there, where the journal goes back to", 9, 9, 9, true, false, rules.GoesOn},
		{"there is another", 9, 9, 0, false, false, rules.RolledBack},
		{"the journal ends before it", 9, 8, 0, false, true, rules.RolledBack},
		{"the journal does not go back so far", 9, 2, 10, false, false, rules.Missed},
		{"nothing is known of it", 0, 1, 0, false, false, rules.RolledBack},
		{"nothing is known of it, and the first entry seems to be it", 0, 0, 0, true, false, rules.RolledBack},
		{"nothing is known of it, and the journal was compacted", 0, 1, 5, false, true, rules.RolledBack},
	} {
		if got := rules.Resume(c.mark, c.seq, c.base, c.same, c.synced); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
