package invalidation

import (
	"fmt"
	"runtime"
	"testing"
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

// TestIndex_MemoryPerRule holds the budget: 200 bytes a rule beside its text.
func TestIndex_MemoryPerRule(t *testing.T) {
	if n := unsafe.Sizeof(node{}); n != 64 {
		t.Errorf("a node has %d bytes, the layout says 64", n)
	}
	const n = 10_000
	items, text := make([]Item, n), 0
	for i := range items {
		items[i] = mixedItem(i)
		text += len(items[i].text)
	}
	before := heap()
	x := new(Index)
	for i, it := range items {
		x = x.Add(uint64(i+1), it)
	}
	per := float64(heap()-before) / n
	t.Logf("%.0f bytes a rule; text %.0f bytes more", per, float64(text)/n)
	if per > 200 {
		t.Errorf("%.0f bytes a rule", per)
	}
	runtime.KeepAlive(items)
	runtime.KeepAlive(x)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
