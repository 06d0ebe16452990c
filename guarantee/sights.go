package guarantee

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// When an edge has stored something is not to be seen from outside. But each answer of the origin has a number, which what is stored keeps; so once an
// edge has shown it to anybody, it had got it by then. From this follow two things that a viewer can hold it to:
//
//   - a condition on the time at which something was stored (where.go): it was stored before the edge first showed it;
//   - the Age of what comes from the cache: it is not less than the time since then, or whoever asks through another cache has it for longer than it is good.
//
// Both are asked of what the edge that signs has got from the origin itself. What comes through other edges has been on a way of which nothing is known.

// sightsKept bounds the answers of the origin that are remembered of an object.
const sightsKept = 128

// sight is one answer of the origin.
type sight struct {
	number uint64
	by     string  // the only edge that has asked for it; "": there is none, or it has come through several
	shown  Instant // when the edge that has asked had shown it; 0: not yet
}

// sights are in order of their numbers, or nearly so. The zero value is ready.
type sights struct{ all []sight }

// sent notes an answer that is about to leave the origin.
func (s *sights) sent(f *Fill) {
	x := sight{number: f.Number}
	if len(f.By) == 1 {
		x.by = f.By[0]
	}
	if len(s.all) == sightsKept {
		s.all = append(s.all[:0], s.all[1:]...)
	}
	s.all = append(s.all, x)
}

// see enters what the answer shows, and tells it since when that was there at least.
func (s *sights) see(a *Answer) {
	i := slices.IndexFunc(s.all, func(x sight) bool { return x.number == a.Fill })
	if i < 0 || a.Via == "" || s.all[i].by != a.Via {
		return
	}
	x := &s.all[i]
	if a.Had = x.shown; x.shown == 0 || a.Head < x.shown {
		x.shown = a.Head
	}
}

// ageSlack is what is lost where ages are cut to whole seconds, and more, for what is measured by different clocks.
const ageSlack = 2 * time.Second

// misdates says why the Age of an answer cannot be; "": it can.
func (o *Object) misdates(a *Answer) (why string) {
	if a.Age < 0 || a.Had == 0 || a.Status == 304 || o.large() || !strings.HasPrefix(strings.ToLower(a.Cache), "hit") {
		return ""
	}
	said := time.Duration(a.Age) * time.Second
	if said+ageSlack >= a.Sent-a.Had {
		return ""
	}
	return fmt.Sprintf("its Age is %d, but its edge had shown the same answer of the origin %s before", a.Age, ms(a.Sent-a.Had))
}
