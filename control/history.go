package control

import (
	"container/heap"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// HistoryFilter says which invalidations are wanted; a zero field wants all.
type HistoryFilter struct {
	DistributionID string
	Text           string    // is part of an item, a condition, the comment, the caller reference or the id; case does not matter
	By             string    // the user, the access key or the address
	Status         string    // InProgress, Completed, Scheduled, Withdrawn
	From, Before   time.Time // when it was accepted
}

// scanned bounds how many invalidations one call looks at, so that a search for what is not there holds up
// nobody: the page then ends early, and the next one goes on.
const scanned = 50_000

// History searches the invalidations of all distributions, newest first, those older than marker, at most max
// (0 and more than 100 mean 100), each with its receipt. A page may have fewer, even none, and not be the last.
// What a deleted distribution had is gone; the audit trail still says who it was. InvalidArgument: no marker.
func (c *Control) History(f HistoryFilter, marker string, max int) (Page[*Receipt], error) {
	if max <= 0 || max > maxPage {
		max = maxPage
	}
	before := age{seq: ^uint64(0)}
	if marker != "" {
		var ok bool
		if before, ok = parseAge(marker); !ok {
			return Page[*Receipt]{}, refuse("InvalidArgument", "The marker %.40q is none of this list. Start again without a marker.", marker)
		}
	}
	f.Text = strings.ToLower(f.Text)
	p := Page[*Receipt]{Marker: marker, MaxItems: max}
	c.mu.RLock()
	defer c.mu.RUnlock()
	newest, err := c.state.newestBefore(f.DistributionID, before)
	if err != nil {
		return p, err
	}
	looked := 0
	for inv := newest.pop(); inv != nil; inv = newest.pop() {
		if len(p.Items) == max || looked == scanned {
			last := inv.age()
			last.part++
			p.Truncated, p.NextMarker = true, last.String()
			break
		}
		if looked++; f.wants(inv) {
			p.Items = append(p.Items, c.receipt(inv))
		}
	}
	return p, nil
}

func (f *HistoryFilter) wants(inv *invalidationState) bool {
	v := inv.view()
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), f.Text) }
	switch {
	case f.Status != "" && v.Status != f.Status,
		!f.From.IsZero() && v.CreateTime.Before(f.From),
		!f.Before.IsZero() && !v.CreateTime.Before(f.Before),
		f.By != "" && v.By.User != f.By && v.By.AccessKey != f.By && v.By.Address != f.By:
		return false
	}
	return f.Text == "" || has(v.Comment) || has(v.ID) || has(v.CallerReference) || has(WhereText(v.Where)) || has(whenText(v.Plan)) || slices.ContainsFunc(v.Items, has)
}

// whenText is the condition that an invalidation waits or waited for; "" for none.
func whenText(p *journal.Plan) string {
	if p == nil || p.When == nil {
		return ""
	}
	return p.When.URL + " " + p.When.Field + ": " + p.When.Value
}

// newestBefore begins a walk through the invalidations of one distribution, or of all when id is "".
func (s *state) newestBefore(id string, before age) (all ages, err error) {
	add := func(d *distributionState) {
		for _, list := range [][]*invalidationState{d.invalidations, d.planned} {
			if n := sort.Search(len(list), func(i int) bool { return !list[i].age().before(before) }); n > 0 {
				all = append(all, list[:n])
			}
		}
	}
	if id != "" {
		d, err := s.distribution(id)
		if err != nil {
			return nil, err
		}
		add(d)
	} else {
		for _, d := range s.distributions {
			add(d)
		}
	}
	heap.Init(&all)
	return all, nil
}

// age is where in the journal an invalidation is: several may be in one entry.
type age struct {
	seq  uint64
	part int
}

func (inv *invalidationState) age() age { return age{inv.seq, inv.part} }

func (a age) before(b age) bool { return a.seq < b.seq || a.seq == b.seq && a.part < b.part }

// String is a marker.
func (a age) String() string { return fmt.Sprintf("%d.%d", a.seq, a.part) }

func parseAge(s string) (a age, ok bool) {
	seq, part, cut := strings.Cut(s, ".")
	n, err := strconv.ParseUint(seq, 10, 64)
	m, err2 := strconv.ParseUint(part, 10, 31)
	return age{n, int(m)}, cut && err == nil && err2 == nil
}

// ages are lists of invalidations, oldest first, as a heap by their newest. None is empty.
type ages [][]*invalidationState

func (a ages) Len() int           { return len(a) }
func (a ages) Less(i, j int) bool { return a[j][len(a[j])-1].age().before(a[i][len(a[i])-1].age()) }
func (a ages) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *ages) Push(x any)        { *a = append(*a, x.([]*invalidationState)) }
func (a *ages) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// pop takes the newest, nil when there is none left.
func (a *ages) pop() *invalidationState {
	if len(*a) == 0 {
		return nil
	}
	list := (*a)[0]
	newest := list[len(list)-1]
	if list = list[:len(list)-1]; len(list) == 0 {
		heap.Pop(a)
	} else {
		(*a)[0] = list
		heap.Fix(a, 0)
	}
	return newest
}
