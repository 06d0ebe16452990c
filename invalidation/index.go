package invalidation

// Index holds the rules of one distribution. It is immutable: any number of goroutines may read it, and Add and
// Compact return another one. The zero value and nil are empty and usable.
type Index struct {
	newest uint64
	uri    shelves // path items as written, for path?query
	cut    shelves // those with a query, cut before it, for the paths of objects whose key ignores queries
	tags   *node
}

// Add returns the index with these items added under the number seq, which is above 0. Of equal items the
// greatest number stays. Numbers may come in any order; they do come in the journal's.
func (x *Index) Add(seq uint64, items ...Item) *Index { return x.AddWhere(seq, nil, items...) }

// AddWhere is Add under conditions.
func (x *Index) AddWhere(seq uint64, w *Where, items ...Item) *Index {
	var y Index
	if x != nil {
		y = *x
	}
	y.newest = max(y.newest, seq)
	for _, it := range items {
		y.add(&rule{seq: seq, item: it, where: w})
	}
	return &y
}

func (x *Index) add(r *rule) {
	switch {
	case r.item.text == "":
	case r.item.kind == Tag:
		change := func(n *node) int { return n.renew(whole, r) }
		x.tags, _ = x.tags.put(ahead, r.item.text[1:], r.seq, change)
	default:
		x.uri.file(r)
		if cut, ok := r.item.cut(); ok {
			x.cut.file(&rule{seq: r.seq, item: cut, where: r.where})
		}
	}
}

// Newest returns the greatest number ever added, also if its rules are gone.
func (x *Index) Newest() uint64 {
	if x == nil {
		return 0
	}
	return x.newest
}

// Stale tells whether some rule above checked matches the object (law L3): a comparison for an object that
// was checked against the newest rule, one Match otherwise, after which the object may be taken to be checked up
// to Newest.
func (x *Index) Stale(s *Subject, checked uint64) bool {
	return checked < x.Newest() && x.Match(s, checked) > 0
}

// Match returns the greatest number above after of the rules that match the object, or 0.
func (x *Index) Match(s *Subject, after uint64) uint64 {
	if x.Newest() <= after {
		return 0
	}
	best := x.matchPath(s, s.Path, after)
	if s.Alias != "" {
		best = x.matchPath(s, s.Alias, best)
	}
	for _, tag := range s.Tags {
		best = x.tags.matchTag(tag, s, best)
	}
	if best == after {
		return 0
	}
	return best
}

func (x *Index) matchPath(s *Subject, path string, best uint64) uint64 {
	t := s.target(path)
	best = x.uri.match(&t, s, best)
	if s.QueryIgnored {
		// An item as written has its '?', which this text has not; cut, it may match.
		best = x.cut.match(&t, s, best)
	}
	return best
}

// Compact returns the index without the rules numbered up to below. It is for the caller to know that nothing
// stored or in flight has a stamp under below (law L4). It builds anew: the cost is that of adding the rules that stay.
func (x *Index) Compact(below uint64) *Index {
	return x.Retain(func(seq uint64) bool { return seq > below })
}

// Retain is Compact for rules that are needed for longer one by one: it returns the index with those that keep names.
func (x *Index) Retain(keep func(seq uint64) bool) *Index {
	var kept []*rule
	x.each(func(r *rule) bool {
		if keep(r.seq) {
			kept = append(kept, r)
		}
		return true
	})
	if len(kept) == x.Len() {
		return x
	}
	y := &Index{newest: x.newest}
	for i, r := range kept {
		if i == 0 || r != kept[i-1] { // under several combinations of values
			y.add(&rule{seq: r.seq, item: r.item, where: r.where})
		}
	}
	return y
}

// Len returns the number of different items with their conditions, as they are filed: one with conditions of several
// values may count for each combination of them, up to maxCells. Of those that one covers which is newer, it leaves out some.
func (x *Index) Len() int {
	if x == nil {
		return 0
	}
	return x.uri.head.count() + x.uri.tail.count() + x.uri.inner.count() + x.tags.count()
}

// Rule is what an Index has of an item.
type Rule struct {
	Item  Item
	Where *Where
}

// Rules calls yield for every rule that Len counts, in no particular order, until it returns false.
func (x *Index) Rules(yield func(seq uint64, r Rule) bool) {
	x.each(func(r *rule) bool { return yield(r.seq, Rule{r.item, r.where}) })
}

func (x *Index) each(yield func(*rule) bool) {
	if x == nil {
		return
	}
	_ = x.uri.head.each(yield) && x.uri.tail.each(yield) && x.uri.inner.each(yield) && x.tags.each(yield)
}
