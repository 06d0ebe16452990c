package control

import (
	"errors"
	"fmt"

	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
)

// checkWhere checks the conditions and puts them in their canonical form: what means the same is the same fact.
func (t *Terms) checkWhere() error {
	if t.Where == nil {
		return nil
	}
	w, err := invalidation.ParseWhere(invalidation.Conditions(*t.Where))
	if bad := new(invalidation.WhereError); errors.As(err, &bad) {
		return refuse("InvalidArgument", "The condition %s cannot be %s. %s", bad.Field, short(bad.Value), bad.Hint)
	}
	t.Where = nil
	if w != nil {
		c := journal.Where(w.Conditions())
		t.Where = &c
	}
	return nil
}

func short(value string) string { return fmt.Sprintf("%.100q", value) }

// WhereText is how conditions read; "" for none.
func WhereText(w *journal.Where) string {
	if w == nil {
		return ""
	}
	parsed, err := invalidation.ParseWhere(invalidation.Conditions(*w))
	if err != nil {
		return "conditions that this version does not know"
	}
	return parsed.String()
}
