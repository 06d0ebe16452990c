package httpcache

import (
	"slices"
	"testing"
	"time"
)

// The other model: for how long an object stays in CloudFront's caches, as its developer guide has it in tables, once more, slow,
// simple and to be checked by eye. It shares no code with the package but the reading of dates. It says what a viewer can find
// out: for how long the origin is not asked, and for how long what is stale is shown after that, in which need. What the guide
// leaves open, and Warmfront has decided, is marked "ours".

// guideKept is what becomes of an answer. The zero guideKept: nothing is kept, each request goes to the origin.
type guideKept struct {
	kept       bool
	edge       time.Duration // its time to live at the edge
	background time.Duration // then it is shown for so long while it is fetched in the background
	failing    time.Duration // and for so long when the origin fails
}

// guideBehavior is what the distribution says.
type guideBehavior struct {
	ttl      TTL
	errorMin time.Duration // error caching minimum TTL of the status
	s3       bool
	options  bool // OPTIONS is cached
}

func guideStore(a modelAnswer, b guideBehavior, now time.Time) guideKept {
	nothing := guideKept{}
	// "Minimum, maximum and default TTL 0": nothing is cached, errors neither.
	if b.ttl.Min == 0 && b.ttl.Default == 0 && b.ttl.Max == 0 {
		return nothing
	}
	// Answers to GET and HEAD are cached, to OPTIONS if that is chosen, to others never. Ours: HEAD is asked for as GET.
	if a.method != "GET" && !(a.method == "OPTIONS" && b.options) {
		return nothing
	}
	// Ours, from RFC 9111 section 3.5: what the origin has said to somebody's Authorization, which is not in the key.
	if a.authorized && !a.has("public") && !a.has("must-revalidate") && !a.has("s-maxage") {
		return nothing
	}
	switch {
	case a.status < 200 || a.status == 206 || a.status == 304 || a.status > 599:
		return nothing // no whole answers
	case a.status >= 400:
		return guideError(a, b, now)
	case (a.status == 307 || a.status == 308) && len(a.cc) == 0:
		return nothing // "only when the origin sends Cache-Control"
	case guideRefuses(a) && b.ttl.Min > 0:
		// "The minimum TTL overrides no-cache, no-store, private." Ours: and not by a second more, so nothing is shown stale.
		return guideKept{kept: true, edge: b.ttl.Min}
	case a.has("no-store"), a.has("private"), slices.Contains([]string{"*", "Foo, *"}, a.vary):
		return nothing // "respected"; Vary: * is asked for each time
	case a.has("no-cache"):
		return guideKept{kept: a.validator} // may be kept, to be revalidated each time
	}
	k := guideKept{edge: max(b.ttl.Min, b.ttl.Default)}
	if said, ok := guideSaid(a, now); ok {
		k.edge = max(b.ttl.Min, min(said, b.ttl.Max))
	}
	// "Up to the value of the directive or of the maximum TTL, whichever is less." Without stale-if-error it is the maximum
	// TTL; stale-if-error=0 switches it off. Ours: must-revalidate and proxy-revalidate do, too.
	if !a.has("must-revalidate") && !a.has("proxy-revalidate") {
		k.failing = b.ttl.Max
		if a.has("stale-if-error") {
			n, _ := modelSeconds(a.cc["stale-if-error"])
			k.failing = min(n, b.ttl.Max)
		}
		n, _ := modelSeconds(a.cc["stale-while-revalidate"])
		k.background = min(n, b.ttl.Max)
	}
	// Ours: what is stale at once is kept if there is something to revalidate it by, or the origin wants it shown.
	wanted := k.background > 0 || a.has("stale-if-error") && k.failing > 0
	if k.kept = k.edge > 0 || a.validator || wanted; !k.kept {
		return nothing
	}
	return k
}

// guideRefuses tells that the origin does not want it to be cached. Ours: Vary: * is as good as that.
func guideRefuses(a modelAnswer) bool {
	return a.has("no-store") || a.has("private") || a.has("no-cache") || a.vary == "*" || a.vary == "Foo, *"
}

// guideError is the table of errors. "404, 410, 414, 500, 501, 502, 503, 504 are cached; 400, 403, 405, 412, 415 if the origin
// sends max-age or s-maxage"; others never. An error is not shown when it is stale.
func guideError(a modelAnswer, b guideBehavior, now time.Time) guideKept {
	heeding := slices.Contains([]int{404, 410, 414, 501}, a.status) // no-store, private, no-cache
	always := heeding || slices.Contains([]int{500, 502, 503, 504}, a.status)
	ifSaid := slices.Contains([]int{400, 403, 405, 412, 415}, a.status) && (a.has("max-age") || a.has("s-maxage"))
	forbidden := a.has("no-store") || a.has("private") || a.has("no-cache")
	if !always && !ifSaid || heeding && forbidden {
		return guideKept{}
	}
	least := b.errorMin
	if b.s3 {
		least = max(least, time.Second)
	}
	// "The greater of the error caching minimum TTL and what the origin says." Ours: where it says no-store, and is not heeded, the
	// minimum.
	life := least
	if said, ok := guideSaid(a, now); ok && !forbidden {
		life = max(least, min(said, b.ttl.Max))
	}
	return guideKept{kept: life > 0, edge: life}
}

// guideSaid is the origin's word on the time to live: s-maxage before max-age before Expires. Ours: less the age with which it
// comes, by RFC 9111 section 4.2; where its Age cannot be read it is stale.
func guideSaid(a modelAnswer, now time.Time) (said time.Duration, ok bool) {
	age, readable := modelSeconds(a.age)
	if a.age == "" {
		age, readable = 0, true
	}
	switch {
	case a.has("s-maxage"):
		said, _ = modelSeconds(a.cc["s-maxage"])
		said -= age
	case a.has("max-age"):
		said, _ = modelSeconds(a.cc["max-age"])
		said -= age
	case len(a.expires) > 0:
		expires, ok := ParseDate(a.expires[0], now)
		if !ok {
			return 0, true // "0" and the like are past
		}
		// In the origin's own time: how long from its Date to its Expires, less what has passed of that.
		date, ok := ParseDate(a.date, now)
		if !ok {
			date = now
		}
		said = expires.Sub(date) - max(age, now.Sub(date))
	default:
		return 0, false
	}
	if !readable {
		return 0, true
	}
	return max(0, said), true
}

// FuzzCloudFront_LikeTheGuide draws an answer and a behavior, asks both, and then asks both at some times later on.
func FuzzCloudFront_LikeTheGuide(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 3, 0, 2, 0, 1, 0, 1, 1, 0, 0, 30, 0})
	f.Add([]byte{0, 15, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 24, 0, 1, 5, 1, 2, 3, 9, 4, 9, 5, 9, 6, 1, 7, 3, 8, 4, 9, 5, 0, 2, 3, 4, 1, 2, 3, 6})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := choice(data)
		compareWithGuide(t, &c)
	})
}

// TestCloudFront_LikeTheGuide is the same for twenty thousand answers on each run.
func TestCloudFront_LikeTheGuide(t *testing.T) {
	state := uint32(2026)
	for range 20_000 {
		c := make(choice, 48)
		for i := range c {
			state = state*1664525 + 1013904223
			c[i] = byte(state >> 24)
		}
		compareWithGuide(t, &c)
	}
}

func compareWithGuide(t *testing.T, c *choice) {
	t.Helper()
	b := guideBehavior{
		ttl: pick(c, TTL{0, day, 365 * day}, TTL{time.Second, day, 365 * day}, TTL{0, 0, 0}, TTL{time.Minute, time.Minute, time.Minute},
			TTL{0, 0, 30 * time.Second}, TTL{10 * time.Second, time.Hour, 2 * time.Hour}),
		errorMin: pick(c, 10*time.Second, 0, 70*time.Second), s3: pick(c, false, true), options: pick(c, false, true),
	}
	a, req, f := drawAnswer(c, t0)
	if pick(c, false, true) {
		a.status = pick(c, 404, 410, 414, 501, 500, 502, 503, 504, 400, 403, 405, 412, 415, 416, 418, 429)
	}
	opt := Options{ErrorMinTTL: b.errorMin, S3Origin: b.s3, Authorized: a.authorized, CacheOPTIONS: b.options}
	want := guideStore(a, b, t0)
	got := Store(req, a.status, f, b.ttl, opt, t0)
	if got.OK != want.kept {
		t.Fatalf("%d to %+v\n%v\n%+v: kept %v (%v), the guide says %+v", a.status, req, f, b, got.OK, got.Reason, want)
	}
	if !got.OK {
		return
	}
	windows := map[StaleUse]time.Duration{WhileRevalidating: want.background, OnError: want.failing, OnUnreachable: want.failing}
	for _, edge := range []time.Duration{0, want.edge, want.edge + want.background, want.edge + want.failing, time.Hour} {
		for _, beside := range []time.Duration{-time.Second, -1, 0, time.Second} {
			later := max(0, edge+beside)
			if is, should := got.Fresh.IsFresh(t0.Add(later)), later < want.edge; is != should {
				t.Fatalf("%d\n%v\n%+v, %v later: fresh %v, the guide says %+v", a.status, f, b, later, is, want)
			}
			for use, window := range windows {
				is := got.Fresh.MayServeStale(t0.Add(later), use) == StaleAllowed
				if should := later < want.edge+window; is != should {
					t.Fatalf("%d\n%v\n%+v, %v later, stale for %d: %v, the guide says %+v", a.status, f, b, later, use, is, want)
				}
			}
		}
	}
}
