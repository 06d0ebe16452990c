package invalidation

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// mixedItem is the i-th rule of a site that invalidates a lot, in all ways: of ten, four exact, two prefixes,
// one suffix, two wildcards, one tag.
func mixedItem(i int) Item {
	var line string
	switch i % 10 {
	case 0, 1:
		line = fmt.Sprintf("/shop/%d/item-%d.html", i%100, i)
	case 2:
		line = fmt.Sprintf("/img/%d/photo-%d.jpg", i%100, i)
	case 3:
		line = fmt.Sprintf("/img/%d/photo-%d.jpg?w=%d", i%100, i, i%7*100)
	case 4:
		line = fmt.Sprintf("/shop/%d/gallery-%d/*", i%100, i)
	case 5:
		line = fmt.Sprintf("/api/v2/customers/%d/orders*", i)
	case 6:
		line = fmt.Sprintf("/*-%x.min.js", i*7919)
	case 7:
		line = fmt.Sprintf("/shop/*/reviews-%d/*.html", i)
	case 8:
		line = fmt.Sprintf("/%d/*/thumb*.jpg?w=*", i%100)
		if i%20 == 8 {
			line = fmt.Sprintf("/*/album-%d*", i)
		}
	case 9:
		line = fmt.Sprintf("#product:%d", i)
	}
	it, err := Parse(line, Anywhere)
	if err != nil {
		panic(err)
	}
	return it
}

func mixed(n int) *Index {
	x := new(Index)
	for i := range n {
		x = x.Add(uint64(i+1), mixedItem(i))
	}
	return x
}

// mixedWhere is what the i-th rule of such a site is narrowed by: of ten, six by nothing.
func mixedWhere(i int) *Where {
	var c Conditions
	switch i / 10 % 10 {
	case 6:
		c.Status = []string{"404", "5xx"}
	case 7:
		c.ContentType = []string{"image/*"}
	case 8:
		c.Host = []string{fmt.Sprintf("www%d.example", i)}
	case 9:
		c.StoredBefore = moments(i)
	}
	return where(c)
}

func where(c Conditions) *Where {
	w, err := ParseWhere(c)
	if err != nil {
		panic(err)
	}
	return w
}

func moments(i int) time.Time { return time.Unix(1_700_000_000, 0).Add(time.Duration(i) * time.Second) }

// mixedSubjects match nothing among 10,000 rules, so that no walk is cut short by a find.
var mixedSubjects = map[string]*Subject{
	"page":    {Path: "/shop/17/item-12345678.html", Tags: []string{"product:x", "category:shoes", "brand:7"}},
	"query":   {Path: "/img/33/photo-12345678.jpg", Query: "w=640&h=480&fit=crop"},
	"ignored": {Path: "/img/33/photo-12345678.jpg", QueryIgnored: true},
	"alias":   {Path: "/index.html", Alias: "/"},
}

func BenchmarkStale_UpToDate(b *testing.B) {
	x, s := mixed(10_000), mixedSubjects["page"]
	checked := x.Newest()
	b.ReportAllocs()
	for b.Loop() {
		if x.Stale(s, checked) {
			b.Fatal("stale")
		}
	}
}

func BenchmarkMatch_10kMixed(b *testing.B) {
	x := mixed(10_000)
	fifty := &Subject{Path: "/shop/17/item-12345678.html"}
	for i := range MaxTags {
		fifty.Tags = append(fifty.Tags, fmt.Sprintf("product:%d-x", i*137))
	}
	run := func(name string, s *Subject, after uint64) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if x.Match(s, after) != 0 {
					b.Fatal("match")
				}
			}
		})
	}
	for name, s := range mixedSubjects {
		run(name, s, 0)
	}
	run("50tags", fifty, 0)
	run("page-last10", mixedSubjects["page"], 9_990)
}

// BenchmarkMatch_Worst is the case that the package comment warns of: 10,000 wildcards without a rare piece, all of
// whose pieces the object has, in an order that none of them means.
func BenchmarkMatch_Worst(b *testing.B) {
	x := new(Index)
	for i := range 10_000 {
		line := fmt.Sprintf("/*%c*%c*%c*%c*k*", 'a'+i%10, 'a'+i/10%10, 'a'+i/100%10, 'a'+i/1000%10)
		it, err := Parse(line, Anywhere)
		if err != nil {
			b.Fatal(err)
		}
		x = x.Add(uint64(i+1), it)
	}
	s := &Subject{Path: "/k/a/b/c/d/e/f/g/h/i/j"}
	b.ReportAllocs()
	for b.Loop() {
		if x.Match(s, 0) != 0 {
			b.Fatal("match")
		}
	}
}

// BenchmarkFirstCheck_10kMixed says how long a first check takes of objects as they come, at the 50th and 99th of a hundred,
// with conditions or without. Reading the clock is in it.
func BenchmarkFirstCheck_10kMixed(b *testing.B) {
	x, subjects := new(Index), make([]*Subject, 10_000)
	for i := range subjects {
		x = x.AddWhere(uint64(i+1), mixedWhere(i), mixedItem(i))
		n := i*7919%20_000 + 1 // every other one has a rule of its own
		s := &Subject{Status: 200, ContentType: "text/html", Host: fmt.Sprintf("www%d.example", n), Stored: moments(n)}
		switch i % 4 {
		case 0:
			s.Path = fmt.Sprintf("/shop/%d/item-%d.html", n%100, n)
		case 1:
			s.Path, s.Query, s.ContentType = fmt.Sprintf("/img/%d/photo-%d.jpg", n%100, n), "w=640&h=480", "image/jpeg"
		case 2:
			s.Path, s.Tags = fmt.Sprintf("/shop/%d/gallery-%d/reviews.html", n%100, n), []string{fmt.Sprintf("product:%d", n), "shoes", "brand:7"}
		case 3:
			s.Path, s.QueryIgnored = fmt.Sprintf("/assets/%x/app-%x.min.js", n, n*7919), true
		}
		subjects[i] = s
	}
	took := make([]time.Duration, 0, 1<<20)
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		x.Match(subjects[i*31%len(subjects)], 0)
		if took = append(took, time.Since(began)); len(took) == cap(took) {
			took = took[:0]
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "ns-p50")
	b.ReportMetric(float64(took[len(took)*99/100]), "ns-p99")
}

// conditional are 10,000 rules for the same path, none of whose conditions holds for the object.
var conditional = map[string]func(i int) Conditions{
	"times-rise": func(i int) Conditions { return Conditions{StoredBefore: moments(i)} },
	"times-fall": func(i int) Conditions { return Conditions{StoredBefore: moments(10_000 - i)} },
	"times-any":  func(i int) Conditions { return Conditions{StoredBefore: moments(i * 7919 % 10_007)} },
	"hosts":      func(i int) Conditions { return Conditions{Host: []string{fmt.Sprintf("www%d.example", i)}} },
	"types":      func(i int) Conditions { return Conditions{ContentType: []string{fmt.Sprintf("image/x-%d", i)}} },
	"all": func(i int) Conditions {
		return Conditions{Status: []string{fmt.Sprint(300 + i%299), "404"}, Host: []string{fmt.Sprintf("www%d.example", i%100)},
			ContentType: []string{fmt.Sprintf("image/x-%d", i%37), "image/*", "text/css"}, StoredBefore: moments(i)}
	},
	"many values": func(i int) Conditions {
		c := Conditions{Status: []string{"4xx"}, StoredBefore: moments(i)}
		for k := range MaxValues {
			c.Host = append(c.Host, fmt.Sprintf("www%d.example", i+k))
		}
		return c
	},
}

func BenchmarkMatch_10kConditions(b *testing.B) {
	s := &Subject{Path: "/a/b.html", Host: "a.example", Status: 200, ContentType: "image/png", Stored: moments(20_000)}
	hostless := *s
	hostless.Host = ""
	for name, c := range conditional {
		x, it := new(Index), mixedItem(4)
		for i := range 10_000 {
			if i%10 == 0 {
				it, _ = Parse("/*", Anywhere)
			}
			x = x.AddWhere(uint64(i+1), where(c(i)), it)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if x.Match(s, 0) != 0 {
					b.Fatal("match")
				}
			}
		})
		b.Run(name+"/hostless", func(b *testing.B) {
			for b.Loop() {
				x.Match(&hostless, 0)
			}
		})
		b.Run(name+"/add", func(b *testing.B) {
			b.ReportAllocs()
			w := where(c(10_000))
			for b.Loop() {
				x.AddWhere(10_001, w, it)
			}
		})
	}
}

func BenchmarkAdd_At10k(b *testing.B) {
	x := mixed(10_000)
	for _, k := range []struct {
		name string
		i    int
	}{{"exact", 10_000}, {"query", 10_003}, {"prefix", 10_004}, {"suffix", 10_006}, {"wildcard", 10_007}, {"tag", 10_009}} {
		b.Run(k.name, func(b *testing.B) {
			it := mixedItem(k.i)
			b.ReportAllocs()
			for b.Loop() {
				x.Add(10_001, it)
			}
		})
	}
}

func BenchmarkCompact_HalfOf10k(b *testing.B) {
	x := mixed(10_000)
	b.ReportAllocs()
	for b.Loop() {
		x.Compact(5_000)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("/shop/*/reviews-17/*.html", Anywhere); err != nil {
			b.Fatal(err)
		}
	}
}

// TestIndex_MemoryPerRule holds the budget: 200 bytes a rule beside its text, and what its conditions say, which all items
// of an invalidation share.
func TestIndex_MemoryPerRule(t *testing.T) {
	if n := unsafe.Sizeof(node{}); n != 64 {
		t.Errorf("a node has %d bytes, the layout says 64", n)
	}
	const n = 10_000
	for name, narrowed := range map[string]func(i int) *Where{
		"no conditions": func(int) *Where { return nil },
		"four of ten":   mixedWhere,
	} {
		items, wheres, text := make([]Item, n), make([]*Where, n), 0
		for i := range items {
			items[i], wheres[i] = mixedItem(i), narrowed(i)
			text += len(items[i].text)
		}
		before := heap()
		x := new(Index)
		for i, it := range items {
			x = x.AddWhere(uint64(i+1), wheres[i], it)
		}
		per := float64(heap()-before) / n
		t.Logf("%s: %.0f bytes a rule; text %.0f bytes more", name, per, float64(text)/n)
		if per > 200 {
			t.Errorf("%s: %.0f bytes a rule", name, per)
		}
		runtime.KeepAlive(items)
		runtime.KeepAlive(wheres)
		runtime.KeepAlive(x)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
