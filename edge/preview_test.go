package edge

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
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
		origins := len(w.origin.all())

		p, err := w.edge.Preview(w.t.Context(), "D1", NewSelection(items(t, "/img/*", "/img/b", "#NEWS", "/none", "/gone", "/img/*"), nil))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []Previewed{
			{Tally{4, 16, 3}, []string{"/img/a", "/img/a?x=1", "/img/b"}},
			{Tally{2, 6, 2}, []string{"/img/b"}},
			{Tally{2, 10, 1}, []string{"/img/a", "/img/a?x=1"}},
			{}, {},
			{Tally{4, 16, 3}, []string{"/img/a", "/img/a?x=1", "/img/b"}},
		} {
			got := p.Items[i]
			slices.Sort(got.Sample)
			if got.Tally != want.Tally || !slices.Equal(got.Sample, want.Sample) {
				t.Errorf("item %d: %+v, want %+v", i, got, want)
			}
		}
		if p.Total != (Tally{4, 16, 3}) || p.All != (Tally{5, 17, 3}) {
			t.Errorf("%+v", p)
		}
		if len(w.origin.all()) != origins {
			t.Error("the origin was asked")
		}
		w.expect("200 Hit 12345", "/img/a") // no effect
		if _, err := w.edge.Preview(w.t.Context(), "D2", NewSelection(nil, nil)); !errors.Is(err, ErrNoDistribution) {
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
		if _, err := w.edge.Preview(gone, "D1", NewSelection(items(t, "/*"), nil)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		p, err := w.edge.Preview(w.t.Context(), "D1", NewSelection(items(t, "/*"), nil))
		if err != nil || p.Total.Objects != 2*scanBatch || len(p.Items[0].Sample) != maxSample {
			t.Errorf("%+v %v", p, err)
		}
	})
}

// What is asked of many edges is made ready once, whoever of them is first.
func TestPreview_OfManyEdgesIsMadeReadyOnce(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/f/1", ok("x"))
		w.get("/f/1")
		lines := make([]string, 1000)
		for i := range lines {
			lines[i] = fmt.Sprintf("/f/*%d", i)
		}
		of := NewSelection(items(t, lines...), nil)
		look := func() {
			if p, err := w.edge.Preview(t.Context(), "D1", of); err != nil || p.Total.Objects != 1 || p.Items[1].Objects != 1 || p.Items[2].Objects != 0 {
				t.Error(p, err)
			}
		}
		look()
		if n := testing.AllocsPerRun(5, look); n >= float64(len(lines)) {
			t.Errorf("%.0f allocations for a preview of %d items that are ready", n, len(lines))
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

// What a preview counts the receipt counts, if nothing happens in between: whatever is stored, in either tier, whole, in
// slices, in parts and in variants, alive, stale, marked so or an error, and whatever the items are and have in common.
func TestPreview_AgreesWithTheReceipt(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 1))
		options := []func(*world){smallSlices}
		if seed%2 == 1 {
			options = append(options, withDisk)
		}
		story(t, func(w *world) {
			w.configure(func(put *journal.DistributionPut) {
				if seed%4 >= 2 {
					rfc(put)
				}
			})
			paths := shelf(w, r)
			dropped := int64(0)
			for round := range 12 {
				browse(w, r, paths)
				if seed%2 == 1 && r.IntN(2) == 0 {
					w.emptied()
					browse(w, r, paths[:1+r.IntN(len(paths)-1)]) // some are in both tiers
				}
				w.settle(time.Minute)
				lines := []string{"/f/*", "/*5", "/f/1*/x", "#t1", "#t2", "/f/3?q=*", "/f/2", "/none", "/f/7?q=1", "*"}
				r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				lines = slices.DeleteFunc(lines[:1+r.IntN(4)], func(l string) bool { return l == "*" })
				if len(lines) == 0 {
					lines = []string{"/*"}
				}
				where := []journal.Where{{}, {}, {Status: []string{"200"}}, {Status: []string{"4xx", "206"}}, {ContentType: []string{"text/*"}},
					{StoredBefore: w.edge.now().Add(-30 * time.Second)}, {Host: []string{"elsewhere.test"}}}[r.IntN(7)]
				narrowed, err := invalidation.ParseWhere(invalidation.Conditions(where))
				if err != nil {
					t.Fatal(err)
				}
				p, err := w.edge.Preview(t.Context(), "D1", NewSelection(items(t, lines...), narrowed))
				if err != nil {
					t.Fatal(err)
				}
				id, mode := fmt.Sprint("I", round), journal.Remove
				if r.IntN(2) == 0 {
					mode = journal.Stale
				}
				w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: id, Items: lines, Mode: mode, Where: &where}})
				w.settle(time.Minute)
				got, ok := w.edge.Receipt("D1", id)
				if mode == journal.Stale { // it counts what was not marked before
					if !ok || got.Objects != 0 || got.Marked > p.Total.Objects || got.MarkedBytes > p.Total.Bytes || round == 0 && got.Marked != p.Total.Objects {
						t.Errorf("seed %d, round %d, %q: the preview said %d objects, %d octets, marked were %d and %d (%+v)", seed, round, lines,
							p.Total.Objects, p.Total.Bytes, got.Marked, got.MarkedBytes, got)
					}
					continue
				}
				if !ok || got.Swept.IsZero() || got.Objects != p.Total.Objects || got.Bytes != p.Total.Bytes {
					t.Errorf("seed %d, round %d, %q: the preview said %d objects, %d octets, the receipt %d and %d (%+v)", seed, round, lines,
						p.Total.Objects, p.Total.Bytes, got.Objects, got.Bytes, got)
				}
				dropped += got.Objects
			}
			if dropped == 0 {
				t.Error("nothing was dropped: the experiment shows nothing")
			}
		}, options...)
	}
}

// shelf makes an origin with all that can be stored, and returns what can be asked for.
func shelf(w *world, r *rand.Rand) (paths []string) {
	for i := range 20 {
		path := fmt.Sprint("/f/", i)
		switch {
		case i%5 == 4: // in slices
			a := &archive{size: 95, lines: []string{"Cache-Control: max-age=600", "Content-Type: text/plain", fmt.Sprint("Cache-Tag: t", i%3)}}
			w.origin.on(path, &reply{react: a.reply})
		case i%7 == 6:
			w.origin.on(path, status(404, "gone", "Cache-Control: max-age=600", fmt.Sprint("Cache-Tag: t", i%3)))
		default:
			w.origin.on(path, ok(letters(i, 0, int64(5+r.IntN(40))), "Vary: Accept-Encoding, X-Wish", fmt.Sprintf("Cache-Control: max-age=%d", 30+r.IntN(600)),
				fmt.Sprintf("Cache-Tag: t%d, t%d", i%3, i%4)))
		}
		paths = append(paths, path, path+"?q=1", path+"?q=2")
	}
	return append(paths, "/f/1/x")
}

// browse asks for some of it, in all ways.
func browse(w *world, r *rand.Rand, paths []string) {
	for range 60 {
		path := paths[r.IntN(len(paths))]
		switch r.IntN(6) {
		case 0:
			w.get(path, "Accept-Encoding: gzip")
		case 1:
			w.get(path, "X-Wish: much")
		case 2:
			w.get(path, fmt.Sprintf("Range: bytes=%d-", r.IntN(60)))
		case 3:
			w.get(path, "Range: bytes=0-3")
		default:
			w.get(path)
		}
	}
}
