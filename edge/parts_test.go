package edge

import (
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
		w.expect("502 Error page", "/down")
		for path, want := range map[string]int{"/404": 2, "/416": 2, "/down": 2} {
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
