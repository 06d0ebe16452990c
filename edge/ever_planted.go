//go:build planted

package edge

import (
	"runtime/debug"

	mistakes "github.com/warmfront/warmfront/internal/mistake"
	"github.com/warmfront/warmfront/invalidation"
)

// ever are all rules that kill which there have ever been for a distribution. To forget rules is where an edge can go wrong without
// anybody noticing: an object that should have been dead is shown, mostly to nobody who knows better. So an edge of a build with this
// tag, in which nothing is planted, forgets none beside those that it works with, and says it when it takes something to be
// alive that one of them has killed, by its stamp alone (L2, L3).
type ever struct{ all *invalidation.Index }

// with is ever with one rule more.
func (r ever) with(seq uint64, where *invalidation.Where, items ...invalidation.Item) ever {
	return ever{r.all.AddWhere(seq, where, items...)}
}

// confirm complains about what is taken to be alive, if it is not.
func (e *Edge) confirm(x *site, s *invalidation.Subject, stamp uint64) {
	if !mistakes.Made("") {
		return
	}
	if rule := x.ever.all.Match(s, stamp); rule != 0 {
		e.log.Error("BUG: what a rule has killed is taken to be alive", "distribution", x.ID, "path", s.Path, "query", s.Query,
			"stamp", stamp, "rule", rule, "stack", string(debug.Stack()))
	}
}
