package invalidation

import (
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
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

// holds is what conditions mean, by another hand as well.
func holds(w *Where, s *Subject) bool {
	c := w.Conditions()
	any := func(patterns []string, full string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return pattern(p).MatchString(full) })
	}
	if s.Host != "" && !any(c.Host, s.Host) {
		return false
	}
	if s.Status == 0 {
		return true
	}
	status := strings.Replace(strconv.Itoa(s.Status), "206", "200", 1)
	is, _, _ := strings.Cut(s.ContentType, ";")
	is = strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return unicode.ToLower(c)
		}
		return c
	}, strings.Trim(is, " \t"))
	return any(c.Status, status) && any(c.ContentType, is) &&
		(c.StoredBefore.IsZero() || s.Stored.Before(c.StoredBefore))
}

// pattern makes a regular expression of a condition's value.
func pattern(value string) *regexp.Regexp {
	if re, ok := patterns.Load(value); ok {
		return re.(*regexp.Regexp)
	}
	text := strings.ReplaceAll(regexp.QuoteMeta(value), `\*`, ".+")
	if class, ok := strings.CutSuffix(value, "xx"); ok && len(class) == 1 {
		text = class + ".."
	}
	re := regexp.MustCompile("(?s)^(?:" + text + ")$")
	patterns.Store(value, re)
	return re
}

var patterns sync.Map // by value

// named is a rule as the oracle tells it from others.
type named struct {
	item  Item
	where string
}

// oracle is the index as anyone would write it first.
type oracle struct {
	rules  map[named]uint64
	wheres map[string]*Where
	newest uint64
}

func newOracle() *oracle {
	return &oracle{rules: map[named]uint64{}, wheres: map[string]*Where{}}
}

func (o *oracle) clone() *oracle { return &oracle{maps.Clone(o.rules), o.wheres, o.newest} }

func (o *oracle) add(seq uint64, w *Where, items ...Item) {
	o.wheres[w.String()] = w
	for _, it := range items {
		name := named{it, w.String()}
		o.rules[name] = max(o.rules[name], seq)
	}
	o.newest = max(o.newest, seq)
}

func (o *oracle) match(s *Subject, after uint64) uint64 {
	best := after
	for r, seq := range o.rules {
		if seq > best && holds(o.wheres[r.where], s) && r.item.Matches(s) {
			best = seq
		}
	}
	if best == after {
		return 0
	}
	return best
}

func (o *oracle) compact(below uint64) {
	maps.DeleteFunc(o.rules, func(_ named, seq uint64) bool { return seq <= below })
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
	if x.Newest() != o.newest {
		t.Fatalf("newest %d; the oracle has %d", x.Newest(), o.newest)
	}
	n, found := 0, map[named]bool{}
	for seq, r := range x.Rules {
		name := named{r.Item, r.Where.String()}
		if n++; o.rules[name] != seq {
			t.Fatalf("rule %d %v; the oracle has %d", seq, name, o.rules[name])
		}
		if found[name] && r.Where == nil {
			t.Fatalf("rule %d %v is there twice", seq, name)
		}
		found[name] = true
	}
	if n != x.Len() {
		t.Fatalf("%d rules, Len says %d", n, x.Len())
	}
	for name, seq := range o.rules {
		if !found[name] && name.where == "" {
			t.Fatalf("rule %d %v is lost", seq, name)
		}
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

// fewLines are for when many rules shall be about the same item.
var fewLines = []string{"/*", "/a*", "/a", "/*b", "/a*b", "/*ab*", "#a", "/a?x=1"}

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
	if r.IntN(3) > 0 {
		s.Host = hosts[r.IntN(len(hosts))]
	}
	if r.IntN(8) > 0 {
		s.Status = []int{200, 206, 301, 404, 410, 500}[r.IntN(6)]
		s.ContentType = []string{"", "image/png", "Image/PNG; q=1", "image/svg+xml", "text/css", "text/css;x", "image/", "/", "image"}[r.IntN(9)]
		s.Stored = moment(r.IntN(9))
	}
	return s
}

var hosts = []string{"a.example", "b.example", "c.example"}

// moment is one of few times, some of them very near to each other.
func moment(n int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(n/3)*time.Hour + time.Duration(n%3)*time.Millisecond)
}

func randomWhere(r *rand.Rand) *Where {
	var c Conditions
	some := func(most int, values ...string) (out []string) {
		for range r.IntN(most + 1) {
			out = append(out, values[r.IntN(len(values))])
		}
		return out
	}
	switch r.IntN(8) {
	case 0, 1, 2, 3:
		return nil
	case 4:
		c.StoredBefore = moment(r.IntN(9))
	case 5: // many values: more cells than a rule is filed under
		c.Status = some(6, "200", "404", "410", "4xx", "5xx", "301", "500")
		c.ContentType = some(6, "image/*", "image/png", "text/css", "text/*", "image/svg+xml", "a/b")
		c.Host = some(4, hosts...)
	default:
		c.Status, c.ContentType, c.Host = some(1, "200", "404", "4xx"), some(1, "image/*", "image/png", "text/css"), some(1, hosts...)
	}
	if r.IntN(3) == 0 {
		c.StoredBefore = moment(r.IntN(9))
	}
	w, err := ParseWhere(c)
	if err != nil {
		panic(err)
	}
	return w
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
	if matched < 2000 {
		t.Errorf("only %d matches: the generator is of no use", matched)
	}
}

// TestIndex_L3L4_AgreesWithOracle runs random sequences of all operations against the oracle, and keeps old
// indexes to see that they stay what they were.
func TestIndex_L3L4_AgreesWithOracle(t *testing.T) {
	type past struct {
		x *Index
		o *oracle
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		var x *Index
		o := newOracle()
		var olds []past
		subjects := make([]*Subject, 12)
		for step := range 150 {
			switch op := r.IntN(20); {
			case op == 0:
				below := r.Uint64N(o.newest + 2)
				x = x.Compact(below)
				o.compact(below)
			case op == 1 && x != nil:
				olds = append(olds, past{x, o.clone()})
			default:
				seq := o.newest + 1
				if r.IntN(6) == 0 { // out of order
					seq = 1 + r.Uint64N(seq)
				}
				items := make([]Item, r.IntN(4))
				for i := range items {
					line := randomLine(r)
					if seed%3 == 0 {
						line = fewLines[r.IntN(len(fewLines))]
					}
					items[i] = parsed(t, line, Dialect(r.IntN(2)))
				}
				w := randomWhere(r)
				for w == nil && seed%3 == 0 && r.IntN(20) > 0 {
					w = randomWhere(r)
				}
				x = x.AddWhere(seq, w, items...)
				o.add(seq, w, items...)
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

// FuzzIndex compares an index of arbitrary items, one a line, with asking each item. A line may begin with a
// condition and a blank.
func FuzzIndex(f *testing.F) {
	f.Add("/a*\n/*b\n/a*b*c\n#t\n/a?x\n/a%5B*\n/a%2A", "/abc[", "/", "x=1", "t,u", false, uint8(0), 200, "image/png", "a", int64(1))
	f.Add("/*/\n/**\n/*?v\n/a/*/b?*", "/a//b", "", "v", "", true, uint8(2), 0, "", "", int64(0))
	f.Add("404 /*\n4xx /*\nimage/* /*\n@a /a*\n<5 /*\n<4 /*\n200,404,5xx /a", "/a", "", "", "", true, uint8(2), 404, "Image/x;y", "a", int64(4))
	f.Fuzz(func(t *testing.T, lines, path, alias, query, tags string, ignored bool, below uint8, status int, is, host string, at int64) {
		s := &Subject{Path: path, Alias: alias, Query: query, QueryIgnored: ignored,
			Host: strings.ToLower(host), Status: status % 1000, ContentType: is, Stored: time.UnixMilli(at % (1 << 40))}
		s.Tags, _ = TagListOf("X-Tags").Parse(tags)
		var x *Index
		o := newOracle()
		seq := uint64(0)
		for line := range strings.SplitSeq(lines, "\n") {
			seq++
			d := Dialect(seq % 2)
			conditions, item, ok := strings.Cut(line, " ")
			if !ok {
				conditions, item = "", line
			}
			it, err := Parse(item, d)
			w, bad := ParseWhere(shorthand(conditions))
			if err != nil || bad != nil {
				continue
			}
			if got := it.Matches(s); got != truth(item, d, s) {
				t.Fatalf("%q (%v) matches %+v: %v", item, d, s, got)
			}
			if same, err := ParseWhere(w.Conditions()); err != nil || same.String() != w.String() {
				t.Fatalf("%q reads as %q, and that as %q, %v", conditions, w, same, err)
			}
			x = x.AddWhere(seq, w, it)
			o.add(seq, w, it)
		}
		o.check(t, x, []*Subject{s})
		x = x.Compact(uint64(below))
		o.compact(uint64(below))
		o.check(t, x, []*Subject{s})
	})
}

// shorthand reads conditions as tests write them: "404,4xx,image/*,@host,<milliseconds".
func shorthand(text string) (c Conditions) {
	for v := range strings.SplitSeq(text, ",") {
		switch {
		case v == "":
		case v[0] == '@':
			c.Host = append(c.Host, v[1:])
		case v[0] == '<':
			n, _ := strconv.ParseUint(v[1:], 10, 20)
			c.StoredBefore = time.UnixMilli(int64(n))
		case strings.Contains(v, "/"):
			c.ContentType = append(c.ContentType, v)
		default:
			c.Status = append(c.Status, v)
		}
	}
	return c
}
