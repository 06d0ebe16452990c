package invalidation

import (
	"slices"
	"strings"
)

// position is where on a node a rule stands.
type position bool

const (
	whole position = false
	open  position = true
)

func (n *node) slot(p position) **rule {
	if p == open {
		return &n.open
	}
	return &n.whole
}

func (m *more) cells(p position) **node {
	if p == open {
		return &m.open
	}
	return &m.whole
}

// fewRules is how many rules with conditions stand in a row, each to be asked. If there are more they move into a trie by
// what their conditions say.
const fewRules = 4

// renew puts r on n, which nobody else knows yet, and tells how many rules more are there by it. The rules of one place
// are about the same item; they stand in the order of their numbers, the greatest first. One that another covers goes: a
// rule that is newer, or as old, and narrowed by no more, kills whatever it would.
func (n *node) renew(p position, r *rule) (rules int) {
	slot := n.slot(p)
	var cells *node
	if n.more != nil {
		cells = *n.more.cells(p)
	}
	had := (*slot).len() + cells.count()
	narrowed := 0
	for o := *slot; o != nil; o = o.next {
		if o.seq >= r.seq && o.where.covers(r.where) {
			return 0
		}
		if o.where != nil {
			narrowed++
		}
	}
	switch {
	case r.where == nil && cells != nil && cells.max <= r.seq:
		cells = nil
		*n.extend().cells(p) = nil
	case r.where != nil && (cells != nil || narrowed >= fewRules):
		var kept *rule
		for o := *slot; o != nil; o = o.next {
			if o.where == nil {
				kept = &rule{seq: o.seq, item: o.item}
			} else {
				cells, _ = putCells(cells, &rule{seq: o.seq, item: o.item, where: o.where})
			}
		}
		*slot = kept
		cells, _ = putCells(cells, r)
		*n.extend().cells(p) = cells
		return kept.len() + cells.count() - had
	}
	*slot = r.into(*slot)
	return (*slot).len() + cells.count() - had
}

// into returns the row with r in it, and without what r covers.
func (r *rule) into(row *rule) *rule {
	kept := make([]*rule, 0, fewRules+2)
	stands := false
	for o := row; o != nil; o = o.next {
		if o.seq <= r.seq && !stands {
			kept, stands = append(kept, r), true
		}
		if o.seq > r.seq || !r.where.covers(o.where) {
			kept = append(kept, o)
		}
	}
	if !stands {
		kept = append(kept, r)
	}
	row = nil
	for _, o := range slices.Backward(kept) {
		if o.next != row {
			o = &rule{seq: o.seq, item: o.item, where: o.where, next: row} // others may know the one that there was
		}
		row = o
	}
	return row
}

// covers tells whether conditions hold, or might, wherever others do.
func (w *Where) covers(other *Where) bool {
	if w == nil || w == other {
		return true
	}
	return other != nil && w.before >= other.before &&
		within(other.status, w.status, func(v string) string { return v[:1] + "xx" }) &&
		within(other.types, w.types, func(v string) string { return v[:strings.IndexByte(v, '/')] + "/*" }) &&
		within(other.hosts, w.hosts, func(v string) string { return v })
}

// within tells whether each of the values is in a condition, or its class is.
func within(values, condition []string, class func(string) string) bool {
	if len(condition) == 0 {
		return true
	}
	for _, v := range values {
		if !slices.Contains(condition, v) && !slices.Contains(condition, class(v)) {
			return false
		}
	}
	return len(values) > 0
}
