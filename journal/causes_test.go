package journal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/warmfront/warmfront/journal"
)

func TestCauses_EachIsSaidOnce(t *testing.T) {
	away, refused := errors.New("away"), fmt.Errorf("control1: %w", errors.New("refused"))
	var c journal.Causes
	for _, round := range []string{"the first failure", "the next one"} {
		for i, k := range []struct {
			err  error
			want bool
		}{{away, true}, {away, false}, {refused, true}, {away, false}, {refused, false}} {
			if c.New(k.err) != k.want {
				t.Errorf("%s, %d: %v is said: %t", round, i, k.err, !k.want)
			}
		}
		c.Over()
	}
	said := 0
	for port := range 100 {
		if c.New(fmt.Errorf("read from port %d: reset", port)) {
			said++
		}
	}
	if said != 8 {
		t.Errorf("of causes that differ each time %d were said", said)
	}
}
