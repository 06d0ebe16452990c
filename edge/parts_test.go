package edge

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/origin"
)

// ranged answers ranges as an origin does, of which nothing is known but the body.
func ranged(body string, lines ...string) *reply {
	return &reply{react: func(r *origin.Request) *reply {
		var from, to int
		switch r.Fields.Get("Range") {
		case "bytes=2-4":
			from, to = 2, 5
		case "bytes=-3":
			from, to = len(body)-3, len(body)
		default:
			return ok(body, lines...)
		}
		cr := "Content-Range: bytes " + string(rune('0'+from)) + "-" + string(rune('0'+to-1)) + "/10"
		return status(206, body[from:to], append([]string{cr}, lines...)...)
	}}
}

func bothLaws(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("cloudfront", func(t *testing.T) { story(t, func(w *world) { f(t, w) }, unswept) })
	t.Run("rfc", func(t *testing.T) { strictStory(t, func(w *world) { f(t, w) }) })
}

func TestPart_IsStoredAndCut(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", ranged("0123456789", `ETag: "1"`, "Cache-Control: max-age=60"))
		v := w.expect("206 Miss 234", "/a", "Range: bytes=2-4")
		if v.fields.Get("Content-Range") != "bytes 2-4/10" || v.fields.Has(spanField) {
			t.Errorf("fields: %v", v.fields)
		}
		v = w.expect("206 Hit 234", "/a", "Range: bytes=2-4")
		if v.fields.Get("Content-Range") != "bytes 2-4/10" || v.length != 3 || v.fields.Has(spanField) {
			t.Errorf("fields: %v", v.fields)
		}
		v = w.expect("206 Hit 3", "/a", "Range: bytes=3-3")
		if v.fields.Get("Content-Range") != "bytes 3-3/10" || v.length != 1 {
			t.Errorf("fields: %v", v.fields)
		}
		w.expect("304 Hit", "/a", "Range: bytes=2-4", `If-None-Match: "1"`)
		if n := w.origin.times("/a"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		// Anything else is the whole, and then that is there.
		w.expect("206 Miss 4567", "/a", "Range: bytes=4-7")
		if w.origin.last().Fields.Has("Range") {
			t.Error("a second part is asked for")
		}
		w.expect("200 Hit 0123456789", "/a")
		w.expect("206 Hit 234", "/a", "Range: bytes=2-4")
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestPart_OfTheEnd(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", ranged("0123456789", "Cache-Control: max-age=60"))
		w.expect("206 Miss 789", "/a", "Range: bytes=-3")
		w.expect("206 Hit 89", "/a", "Range: bytes=-2")
		w.expect("206 Hit 789", "/a", "Range: bytes=7-")
	})
}

func TestPart_DiesLikeEverythingElse(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", ranged("0123456789", "Cache-Control: max-age=60"))
		w.get("/a", "Range: bytes=2-4")
		w.origin.on("/a", ranged("abcdefghij", "Cache-Control: max-age=60"))
		w.invalidate("/a")
		w.expect("206 Miss cde", "/a", "Range: bytes=2-4")
		w.settle(61 * time.Second)
		w.origin.on("/a", ranged("ABCDEFGHIJ", "Cache-Control: max-age=60"))
		w.expect("206 Miss CDE", "/a", "Range: bytes=2-4")
	})
	strictStory(t, func(w *world) {
		w.origin.on("/a", ranged("0123456789", "Cache-Control: max-age=60"))
		w.get("/a", "Range: bytes=2-4")
		w.get("POST /a")
		w.origin.on("/a", ranged("abcdefghij", "Cache-Control: max-age=60"))
		w.expect("206 Miss cde", "/a", "Range: bytes=2-4")
	})
}

// A fill for a part that an invalidation overtakes is neither served nor stored.
func TestPart_OvertakenInFlight(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		slow, gate := gated(ranged("0123456789", "Cache-Control: max-age=60"))
		w.origin.on("/a", slow, ranged("abcdefghij", "Cache-Control: max-age=60"))
		v := w.ask("/a", "Range: bytes=2-4")
		w.invalidate("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "206 Miss cde")
		w.expect("206 Hit cde", "/a", "Range: bytes=2-4")
	})
}

func TestPart_TheSameIsAskedForOnce(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		slow, gate := gated(ranged("0123456789", "Cache-Control: max-age=60"))
		w.origin.on("/a", slow, ranged("0123456789", "Cache-Control: max-age=60"))
		first, same := w.ask("/a", "Range: bytes=2-4"), w.ask("/a", "Range: bytes=2-4")
		other := w.ask("/a", "Range: bytes=-3") // does not wait: it gets its own from the whole
		other.is(t, "206 Miss 789")
		close(gate)
		synctest.Wait()
		first.is(t, "206 Miss 234")
		same.is(t, "206 Hit 234")
		if n := w.origin.times("/a"); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestPart_ThatContradictsItselfIsOnlyRepeated(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/a", status(206, "01234", "Content-Range: bytes 4-9/10", "Cache-Control: max-age=60"), ok("whole"))
		w.expect("206 Miss 01234", "/a", "Range: bytes=-5")
		w.expect("206 Hit 01234", "/a", "Range: bytes=-5")
		w.expect("206 Miss ole", "/a", "Range: bytes=2-4")
		w.origin.on("/b", status(206, "ev", "Content-Range: bytes 4-5/10", "Cache-Control: max-age=60"), ok("whole"))
		w.expect("206 Miss ev", "/b", "Range: bytes=2-3") // not what was asked for
		w.expect("206 Hit ev", "/b", "Range: bytes=2-3")
		w.expect("206 Miss e", "/b", "Range: bytes=4-5")
	})
}

func TestPart_WhatIsNone(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		w.origin.on("/404", status(404, "gone", "Cache-Control: max-age=60"))
		w.expect("404 Error gone", "/404", "Range: bytes=2-4")
		w.expect("404 Error gone", "/404") // asked for anew: the first may have been about the range
		w.expect("404 Error gone", "/404")
		w.origin.on("/416", status(416, "", "Content-Range: bytes */1", "Cache-Control: max-age=60"), ok("x"))
		w.expect("416 Error", "/416", "Range: bytes=2-4")
		w.expect("200 Miss x", "/416")
		w.origin.on("/down", fails(origin.Connect))
		w.expect("502 Error page", "/down", "Range: bytes=2-4")
		w.expect("502 Error page", "/down") // kept: the first cannot have been about the range
		w.origin.on("/torn", fails(origin.Closed))
		w.expect("502 Error page", "/torn", "Range: bytes=2-4")
		w.expect("502 Error page", "/torn")
		for path, want := range map[string]int{"/404": 2, "/416": 2, "/down": 1, "/torn": 2} {
			if n := w.origin.times(path); n != want {
				t.Errorf("%s is asked for %d times, want %d", path, n, want)
			}
		}
		for _, bad := range []string{"bytes 2-4/*", "bytes 4-2/10", "lines 2-4/10", ""} {
			path := "/x" + strings.ReplaceAll(bad, " ", "_")
			w.origin.on(path, status(206, "234", "Content-Range: "+bad, "Cache-Control: max-age=60"))
			w.expect("206 Miss 234", path, "Range: bytes=2-4")
			w.expect("206 Miss 234", path, "Range: bytes=2-4")
		}
	})
}

func TestPart_OneThatVariesIsNotStored(t *testing.T) {
	strictStory(t, func(w *world) {
		w.origin.on("/a", ranged("0123456789", "Cache-Control: max-age=60", "Vary: Foo"))
		w.expect("206 Miss 234", "/a", "Range: bytes=2-4")
		w.expect("206 Miss 234", "/a", "Range: bytes=2-4")
		w.expect("200 Miss 0123456789", "/a")
		w.expect("206 Hit 234", "/a", "Range: bytes=2-4")
	})
}

// sliced answers any "bytes=N-" and whole requests, of the version it has; If-Range is heeded.
func sliced(version *string, lines ...string) *reply {
	return &reply{react: func(r *origin.Request) *reply {
		body, etag := *version, `"`+*version+`"`
		all := append([]string{"ETag: " + etag, "Cache-Control: max-age=60", "Cache-Tag: t" + body[:1]}, lines...)
		var from, to int
		span := r.Fields.Get("Range")
		if n, _ := fmt.Sscanf(span, "bytes=%d-%d", &from, &to); n == 0 || r.Fields.Has("If-Range") && r.Fields.Get("If-Range") != etag {
			return ok(body, all...)
		} else if n == 1 {
			to = len(body) - 1
		}
		return status(206, body[from:to+1], append(all, fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, len(body)))...)
	}}
}

func TestPart_IsCompleted(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		version := "0123456789"
		w.origin.on("/a", sliced(&version))
		w.expect("206 Miss 0123", "/a", "Range: bytes=0-3")
		part := w.object("/a", 'p')
		w.settle(10 * time.Second)
		v := w.expect("200 Miss 0123456789", "/a")
		r := w.origin.last().Fields
		if r.Get("Range") != "bytes=4-" || r.Get("If-Range") != `"0123456789"` {
			t.Errorf("the rest is asked for with %v", r)
		}
		if v.fields.Has("Content-Range") || v.length != 10 {
			t.Errorf("%v, length %d", v.fields, v.length)
		}
		whole := w.object("/a")
		if whole.Stamp != part.Stamp || !whole.FetchStart.Equal(part.FetchStart) {
			t.Errorf("the whole has stamp %d and began at %v, the part %d and %v", whole.Stamp, whole.FetchStart, part.Stamp, part.FetchStart)
		}
		if w.object("/a", 'p') != nil {
			t.Error("the part is still there")
		}
		w.expect("206 Hit 89", "/a", "Range: bytes=-2")
	})
}

func TestPart_IsCompletedForAnotherRange(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		version := "0123456789"
		w.origin.on("/a", sliced(&version))
		w.get("/a", "Range: bytes=0-3")
		w.expect("206 Miss 2345", "/a", "Range: bytes=2-5")
		if got := w.origin.last().Fields.Get("Range"); got != "bytes=4-" {
			t.Errorf("Range %q", got)
		}
		w.expect("200 Hit 0123456789", "/a")
	})
}

func TestPart_OfAnotherVersionIsNotMixed(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		version := "0123456789"
		w.origin.on("/a", sliced(&version))
		w.get("/a", "Range: bytes=0-3")
		version = "abcdefghij"
		w.expect("200 Miss abcdefghij", "/a") // If-Range brings the whole
		// And from an origin that does not know If-Range.
		w.origin.on("/b", ranged("0123456789"))
		lies := []*reply{
			status(206, "efghij", "Content-Range: bytes 4-9/10", `ETag: "2"`),
			status(206, "efghij", "Content-Range: bytes 4-9/10"),
			status(206, "efghij", "Content-Range: bytes 4-9/10", `ETag: W/"1"`),
			status(206, "efghi", "Content-Range: bytes 4-8/9", `ETag: "1"`),
			status(206, "efgh", "Content-Range: bytes 4-7/10", `ETag: "1"`),
			status(206, "fghij", "Content-Range: bytes 5-9/10", `ETag: "1"`),
			status(206, "efghij", `ETag: "1"`),
			status(416, "", "Content-Range: bytes */3"),
			status(404, "not that range"),
			status(304, ""),
		}
		for i, lie := range lies {
			path := fmt.Sprintf("/b%d", i)
			w.origin.on(path, status(206, "0123", "Content-Range: bytes 0-3/10", `ETag: "1"`, "Cache-Control: max-age=60"), lie, ok("abcdefghij"))
			w.get(path, "Range: bytes=0-3")
			w.expect("200 Miss abcdefghij", path)
			if n := w.origin.times(path); n != 3 {
				t.Errorf("lie %d: asked %d times", i, n)
			}
		}
	})
}

func TestPart_OnlyABeginningWithAStrongTagIsCompleted(t *testing.T) {
	bothLaws(t, func(t *testing.T, w *world) {
		for i, part := range []*reply{
			status(206, "0123", "Content-Range: bytes 0-3/10", "Cache-Control: max-age=60"),
			status(206, "0123", "Content-Range: bytes 0-3/10", `ETag: W/"1"`, "Cache-Control: max-age=60"),
			status(206, "01234", "Content-Range: bytes 0-3/10", `ETag: "1"`, "Cache-Control: max-age=60"),
			status(206, "1234", "Content-Range: bytes 1-4/10", `ETag: "1"`, "Cache-Control: max-age=60"),
			status(206, "01234", "Content-Range: bytes 0-4/10", `ETag: "1"`, "Cache-Control: max-age=60"), // more than was asked for
		} {
			path := fmt.Sprintf("/%d", i)
			w.origin.on(path, part, ok("whole"))
			w.get(path, "Range: bytes=0-3")
			w.expect("200 Miss whole", path)
			if w.origin.last().Fields.Has("Range") {
				t.Errorf("%d: the rest is asked for", i)
			}
		}
	})
}

// L2, L3: what is made of a part and its rest dies by what either would have died by, also when the rule comes
// while the rest is fetched, and by the tags of either.
func TestL2_ACompletedPartCarriesTheLeastStamp(t *testing.T) {
	for _, item := range []string{"/a", "#t0", "#t1"} {
		bothLaws(t, func(t *testing.T, w *world) {
			rest, gate := gated(status(206, "456789", "Content-Range: bytes 4-9/10", `ETag: "1"`, "Cache-Control: max-age=60", "Cache-Tag: t1"))
			w.origin.on("/a", status(206, "0123", "Content-Range: bytes 0-3/10", `ETag: "1"`, "Cache-Control: max-age=60", "Cache-Tag: t0"),
				rest, ok("new", "Cache-Tag: t2"))
			w.get("/a", "Range: bytes=0-3")
			v := w.ask("/a")
			w.invalidate(item)
			close(gate)
			synctest.Wait()
			v.is(t, "200 Miss new")
			w.expect("200 Hit new", "/a")
		})
	}
	for _, item := range []string{"#t0", "#t1"} {
		bothLaws(t, func(t *testing.T, w *world) {
			w.origin.on("/a", status(206, "0123", "Content-Range: bytes 0-3/10", `ETag: "1"`, "Cache-Control: max-age=60", "Cache-Tag: t0"),
				status(206, "456789", "Content-Range: bytes 4-9/10", `ETag: "1"`, "Cache-Control: max-age=60", "Cache-Tag: t1"), ok("new"))
			w.get("/a", "Range: bytes=0-3")
			w.expect("200 Miss 0123456789", "/a")
			w.expect("200 Hit 0123456789", "/a")
			w.invalidate(item)
			w.expect("200 Miss new", "/a")
		})
	}
	bothLaws(t, func(t *testing.T, w *world) {
		version := "0123456789"
		w.origin.on("/a", sliced(&version))
		w.get("/a", "Range: bytes=0-3")
		w.invalidate("/other") // the part is older than this rule, and alive
		w.get("/a")
		version = "abcdefghij"
		w.invalidate("#t0")
		w.expect("200 Miss abcdefghij", "/a")
	})
}

func TestUnsafe_APartFromBeforeCompletesNothing(t *testing.T) {
	strictStory(t, func(w *world) {
		rest, gate := gated(status(206, "456789", "Content-Range: bytes 4-9/10", `ETag: "1"`, "Cache-Control: max-age=60"))
		w.origin.on("/a", status(206, "0123", "Content-Range: bytes 0-3/10", `ETag: "1"`, "Cache-Control: max-age=60"), rest, ok("done"), ok("after"))
		w.get("/a", "Range: bytes=0-3")
		v := w.ask("/a")
		w.get("POST /a")
		later := w.ask("/a")
		close(gate)
		synctest.Wait()
		v.is(t, "200 Miss 0123456789") // it was there before the write
		later.is(t, "200 Miss after")
		w.expect("200 Hit after", "/a")
	})
}
