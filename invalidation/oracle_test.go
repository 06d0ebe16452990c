package invalidation

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// truth is the language a second time, by another hand: a line as a regular expression. It shares nothing
// with Parse and Matches.
func truth(line string, d Dialect, s *Subject) bool {
	if line[0] == '#' {
		return slices.Contains(s.Tags, strings.ToLower(line[1:]))
	}
	query := strings.Index(line, "?")
	var re strings.Builder
	for i := 0; i < len(line); i++ {
		if i == query && (s.QueryIgnored || i == len(line)-1) {
			break
		}
		escaped := ""
		if line[i] == '%' {
			escaped = strings.ToUpper(line[i+1 : i+3])
		}
		raw, ok := map[string]string{"22": `"`, "3C": "<", "3E": ">", "5B": "[", "5C": `\`, "5D": "]",
			"5E": "^", "60": "`", "7B": "{", "7C": "|", "7D": "}", "2A": "*"}[escaped]
		switch {
		case line[i] == '*' && (d == Anywhere || i == len(line)-1):
			re.WriteString(".*")
		case ok && (raw != "*" || d == Anywhere):
			re.WriteString("(?:" + regexp.QuoteMeta(raw) + "|%(?i:" + escaped + "))")
			i += 2
		default:
			re.WriteString(regexp.QuoteMeta(line[i : i+1]))
		}
	}
	full := regexp.MustCompile("(?s)^(?:" + re.String() + ")$")
	uri := ""
	if s.Query != "" && !s.QueryIgnored {
		uri = "?" + s.Query
	}
	return full.MatchString(s.Path+uri) || s.Alias != "" && full.MatchString(s.Alias+uri)
}

// oracle is the index as anyone would write it first.
type oracle struct {
	rules  map[Item]uint64
	newest uint64
}

func (o *oracle) add(seq uint64, items ...Item) {
	for _, it := range items {
		o.rules[it] = max(o.rules[it], seq)
	}
	o.newest = max(o.newest, seq)
}

func (o *oracle) match(s *Subject, after uint64) uint64 {
	best := after
	for it, seq := range o.rules {
		if seq > best && it.Matches(s) {
			best = seq
		}
	}
	if best == after {
		return 0
	}
	return best
}

func (o *oracle) compact(below uint64) {
	maps.DeleteFunc(o.rules, func(_ Item, seq uint64) bool { return seq <= below })
}

// check compares an index with the oracle: contents, and the answer for each subject at several stamps.
func (o *oracle) check(t *testing.T, x *Index, subjects []*Subject) {
	t.Helper()
	if x != nil {
		for _, n := range []*node{x.uri.inner, x.cut.inner, x.uri.head, x.cut.head, x.tags} {
			n.sound(t, ahead)
		}
		x.uri.tail.sound(t, back)
		x.cut.tail.sound(t, back)
	}
	if x.Len() != len(o.rules) || x.Newest() != o.newest {
		t.Fatalf("%d rules, newest %d; the oracle has %d, %d", x.Len(), x.Newest(), len(o.rules), o.newest)
	}
	n := 0
	for seq, it := range x.Rules {
		if n++; o.rules[it] != seq {
			t.Fatalf("rule %d %q; the oracle has %d", seq, it, o.rules[it])
		}
	}
	if n != len(o.rules) {
		t.Fatalf("%d rules, Len says %d", n, len(o.rules))
	}
	for _, s := range subjects {
		for after := uint64(0); after <= o.newest; after += 1 + o.newest/4 {
			if got, want := x.Match(s, after), o.match(s, after); got != want {
				t.Fatalf("Match(%+v, %d) = %d, want %d", s, after, got, want)
			}
		}
	}
}

// A generator over a few pieces, so that things meet.
var (
	itemPieces = []string{"/", "a", "b", "ab", ".css", "*", "*", "?", "x=1", "%2A", "%2a", "%5B", "%5b", "%41"}
	pathPieces = []string{"/", "a", "b", "ab", ".css", "*", "[", "%2A", "%5b", "%5B", "%41", "%2", "%"}
	tagPieces  = []string{"a", "b", "ab", "*", "?"}
)

func pick(r *rand.Rand, pieces []string, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func randomLine(r *rand.Rand) string {
	if r.IntN(8) == 0 {
		return "#" + tagPieces[r.IntN(len(tagPieces))] + pick(r, tagPieces, 2)
	}
	return "/" + pick(r, itemPieces, 6)
}

func randomSubject(r *rand.Rand) *Subject {
	s := &Subject{Path: "/" + pick(r, pathPieces, 6), QueryIgnored: r.IntN(3) == 0}
	if r.IntN(2) == 0 {
		s.Query = pick(r, append(pathPieces, "?", "x=1"), 4)
	}
	if r.IntN(8) == 0 {
		s.Alias = "/" + pick(r, pathPieces, 3)
	}
	for range r.IntN(3) {
		s.Tags = append(s.Tags, tagPieces[r.IntN(len(tagPieces))]+pick(r, tagPieces, 2))
	}
	return s
}

func TestMatches_L3_AgreesWithRegularExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched := 0
	for range 60_000 {
		line, d, s := randomLine(r), Dialect(r.IntN(2)), randomSubject(r)
		want := truth(line, d, s)
		if got := parsed(t, line, d).Matches(s); got != want {
			t.Fatalf("%q (%v) matches %+v: %v", line, d, s, got)
		}
		if want {
			matched++
		}
	}
	if matched < 3000 {
		t.Errorf("only %d matches: the generator is of no use", matched)
	}
}

// TestIndex_L3L4_AgreesWithOracle runs random sequences of all operations against the oracle, and keeps old
// indexes to see that they stay what they were.
func TestIndex_L3L4_AgreesWithOracle(t *testing.T) {
	type past struct {
		x *Index
		o oracle
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		var x *Index
		o := oracle{rules: map[Item]uint64{}}
		var olds []past
		subjects := make([]*Subject, 12)
		for step := range 150 {
			switch op := r.IntN(20); {
			case op == 0:
				below := r.Uint64N(o.newest + 2)
				x = x.Compact(below)
				o.compact(below)
			case op == 1 && x != nil:
				olds = append(olds, past{x, oracle{maps.Clone(o.rules), o.newest}})
			default:
				seq := o.newest + 1
				if r.IntN(6) == 0 { // out of order
					seq = 1 + r.Uint64N(seq)
				}
				items := make([]Item, r.IntN(4))
				for i := range items {
					items[i] = parsed(t, randomLine(r), Dialect(r.IntN(2)))
				}
				x = x.Add(seq, items...)
				o.add(seq, items...)
			}
			if step%10 == 0 {
				for i := range subjects {
					subjects[i] = randomSubject(r)
				}
				o.check(t, x, subjects)
			}
		}
		for _, p := range olds {
			p.o.check(t, p.x, subjects)
		}
	}
}

// TestIndex_ReadersNeedNoLock is for the race detector: readers hold old indexes while new ones are made from them.
func TestIndex_ReadersNeedNoLock(t *testing.T) {
	x := mixed(500)
	s := subject("/shop/17/item-3.html?a=1 #product:3")
	want := x.Match(s, 0)
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for range 300 {
				if got := x.Match(s, 0); got != want {
					t.Errorf("an old index answers %d, was %d", got, want)
					return
				}
			}
		})
	}
	y := x
	for i := range 300 {
		y = y.Add(uint64(1000+i), mixedItem(1000+i))
	}
	y.Compact(1100)
	readers.Wait()
}

// FuzzIndex compares an index of arbitrary items, one a line, with asking each item.
func FuzzIndex(f *testing.F) {
	f.Add("/a*\n/*b\n/a*b*c\n#t\n/a?x\n/a%5B*\n/a%2A", "/abc[", "/", "x=1", "t,u", false, uint8(0))
	f.Add("/*/\n/**\n/*?v\n/a/*/b?*", "/a//b", "", "v", "", true, uint8(2))
	f.Fuzz(func(t *testing.T, lines, path, alias, query, tags string, ignored bool, below uint8) {
		s := &Subject{Path: path, Alias: alias, Query: query, QueryIgnored: ignored}
		s.Tags, _ = TagListOf("X-Tags").Parse(tags)
		var x *Index
		o := oracle{rules: map[Item]uint64{}}
		seq := uint64(0)
		for line := range strings.SplitSeq(lines, "\n") {
			seq++
			d := Dialect(seq % 2)
			it, err := Parse(line, d)
			if err != nil {
				continue
			}
			if got := it.Matches(s); got != truth(line, d, s) {
				t.Fatalf("%q (%v) matches %+v: %v", line, d, s, got)
			}
			x = x.Add(seq, it)
			o.add(seq, it)
		}
		o.check(t, x, []*Subject{s})
		x = x.Compact(uint64(below))
		o.compact(uint64(below))
		o.check(t, x, []*Subject{s})
	})
}
