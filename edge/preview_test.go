package edge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/warmfront/warmfront/invalidation"
)

func items(t *testing.T, lines ...string) (all []invalidation.Item) {
	t.Helper()
	for _, l := range lines {
		it, err := invalidation.Parse(l, invalidation.Anywhere)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, it)
	}
	return all
}

func TestPreview(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/img/a", ok("12345", "Cache-Tag: news"))
		w.origin.on("/img/b", ok("123"))
		w.origin.on("/img/b.gz", ok("12"))
		w.origin.on("/c", ok("1"))
		w.origin.on("/gone", ok("1"))
		for _, path := range []string{"/img/a", "/img/a?x=1", "/img/a", "/img/b", "/img/b", "/img/b", "/c", "/gone"} {
			w.get(path)
		}
		w.get("/img/b", "Accept-Encoding: gzip") // a variant: another object, the same path
		w.invalidate("/gone")
		origins := len(w.origin.asked)

		p, err := w.edge.Preview(w.t.Context(), "D1", items(t, "/img/*", "/img/b", "#NEWS", "/none", "/gone", "/img/*"))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []Previewed{
			{Tally{4, 16, 7}, []string{"/img/a", "/img/a?x=1", "/img/b"}},
			{Tally{2, 6, 4}, []string{"/img/b"}},
			{Tally{2, 10, 3}, []string{"/img/a", "/img/a?x=1"}},
			{}, {},
			{Tally{4, 16, 7}, []string{"/img/a", "/img/a?x=1", "/img/b"}},
		} {
			got := p.Items[i]
			slices.Sort(got.Sample)
			if got.Tally != want.Tally || !slices.Equal(got.Sample, want.Sample) {
				t.Errorf("item %d: %+v, want %+v", i, got, want)
			}
		}
		if p.Total != (Tally{4, 16, 7}) || p.All != (Tally{5, 17, 8}) {
			t.Errorf("%+v", p)
		}
		if len(w.origin.asked) != origins {
			t.Error("the origin was asked")
		}
		w.expect("200 Hit 12345", "/img/a") // no effect
		if _, err := w.edge.Preview(w.t.Context(), "D2", nil); !errors.Is(err, ErrNoDistribution) {
			t.Error(err)
		}
	})
}

func TestPreview_GivenUp(t *testing.T) {
	story(t, func(w *world) {
		for i := range 2 * scanBatch {
			path := fmt.Sprint("/", i)
			w.origin.on(path, ok("x"))
			w.get(path)
		}
		gone, leave := context.WithCancel(w.t.Context())
		leave()
		if _, err := w.edge.Preview(gone, "D1", items(t, "/*")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		p, err := w.edge.Preview(w.t.Context(), "D1", items(t, "/*"))
		if err != nil || p.Total.Objects != 2*scanBatch || len(p.Items[0].Sample) != maxSample {
			t.Errorf("%+v %v", p, err)
		}
	})
}

// The oracle is to ask each item in turn.
func TestSieve_FindsWhatEachItemSays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string { return string([]byte{"ab/*"[random.IntN(4)], "ab/*"[random.IntN(4)]}) }
	for range 200 {
		var lines []string
		for range 1 + random.IntN(80) {
			lines = append(lines, "/"+word()+word())
		}
		all := items(t, lines...)
		s := newSieve(all, 0)
		for range 50 {
			subject := &invalidation.Subject{Path: "/" + items(t, "/"+word())[0].String()}
			var got, want []int
			s.each(subject, func(i int) { got = append(got, i) })
			for i := range all {
				if all[i].Matches(subject) {
					want = append(want, i)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q by %q: %v, want %v", subject.Path, lines, got, want)
			}
		}
	}
}

func BenchmarkPreview_3000Items(b *testing.B) {
	var lines []invalidation.Item
	for i := range 3000 {
		it, err := invalidation.Parse(fmt.Sprintf("/dir%d/*/x%d*", i%50, i), invalidation.Anywhere)
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines, it)
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			newSieve(lines, 0)
		}
	})
	s := newSieve(lines, 0)
	for _, path := range []string{"/dir7/a/x57y", "/elsewhere/a"} {
		subject := &invalidation.Subject{Path: path}
		b.Run(path[1:4], func(b *testing.B) {
			for b.Loop() {
				s.each(subject, func(int) {})
			}
		})
	}
}
