package httpcache

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// The model: RFC 9111 for a shared cache once more, slow, simple and to be checked by eye. It shares no code
// with the package but the reading of dates and the words for what comes out. Each step quotes its section.

// modelAnswer is an answer of an origin as the model sees it: its directives are a plain map.
type modelAnswer struct {
	method, reqCC string
	authorized    bool
	status        int
	cc            map[string]string // of Cache-Control; a value is "" where there is none
	expires       []string
	date, lm, age string
	vary          string
	validator     bool
	cookie        bool
}

// modelStored is what becomes of it.
type modelStored struct {
	why       NoStoreReason // Storable: then the rest
	lifetime  time.Duration // freshness lifetime (4.2.1, 4.2.2)
	age       time.Duration // corrected_initial_age (4.2.3)
	always    bool          // must be validated before each use (no-cache)
	never     bool          // must not be used stale (must-revalidate, proxy-revalidate, s-maxage)
	immutable bool
}

func (a modelAnswer) has(directive string) bool { _, ok := a.cc[directive]; return ok }

func modelStore(a modelAnswer, ttl TTL, errorTTL, delay time.Duration, now time.Time) modelStored {
	refuse := func(why NoStoreReason) modelStored { return modelStored{why: why} }

	// 3: "the request method is understood by the cache". This one answers GET only.
	if a.method == "HEAD" {
		return refuse(HeadWithoutBody)
	}
	if a.method != "GET" {
		return refuse(MethodNotCacheable)
	}
	// 3: "the response status code is final"; 206 and 304 only if the cache understands them, which for a
	// question without Range and without condition there is nothing to understand of. 416 is about a Range.
	if a.status == 206 {
		return refuse(PartialContent)
	}
	if a.status < 200 || a.status == 304 || a.status == 416 || a.status >= 600 {
		return refuse(StatusNotCacheable)
	}
	// 5.2.2.3: must-understand limits caching to what is understood, and then no-store is ignored.
	if a.has("must-understand") && !slices.Contains(modelUnderstood, a.status) {
		return refuse(NotUnderstood)
	}
	// 3: "the no-store cache directive is not present in the response"; 5.2.1.5: nor in the request.
	if a.has("no-store") && !a.has("must-understand") {
		return refuse(NoStore)
	}
	if strings.Contains(a.reqCC, "no-store") {
		return refuse(RequestNoStore)
	}
	// 3: "if the cache is shared: the private response directive is not present".
	if a.has("private") {
		return refuse(Private)
	}
	// 3.5: "the Authorization header field is not present in the request or a response directive is present that
	// explicitly allows shared caching": must-revalidate, public, s-maxage.
	if a.authorized && !a.has("must-revalidate") && !a.has("public") && !a.has("s-maxage") {
		return refuse(Authorized)
	}
	// 4.1: "A stored response with a Vary header field value containing a member '*' always fails to match."
	if strings.Contains(a.vary, "*") {
		return refuse(VaryStar)
	}

	s := modelStored{immutable: a.has("immutable")}
	// 4.2.3: apparent_age = max(0, response_time - date_value); corrected_age_value = age_value + response_delay;
	// corrected_initial_age = max(apparent_age, corrected_age_value). 6.6.1 of RFC 9110: without Date its arrival.
	date, ok := ParseDate(a.date, now)
	if !ok {
		date = now
	}
	ageValue, ageOK := modelSeconds(a.age)
	if a.age == "" || !ageOK {
		ageValue = 0
	}
	s.age = max(0, now.Sub(date), ageValue+delay)

	// 4.2.1: s-maxage, else max-age, else Expires - Date. "Caches are encouraged to consider responses that have
	// invalid freshness information to be stale."
	explicit := true
	switch {
	case a.has("s-maxage"):
		s.lifetime, _ = modelSeconds(a.cc["s-maxage"])
	case a.has("max-age"):
		s.lifetime, _ = modelSeconds(a.cc["max-age"])
	case len(a.expires) > 0:
		if at, ok := ParseDate(a.expires[0], now); ok && len(a.expires) == 1 {
			s.lifetime = at.Sub(date)
		} else {
			s.lifetime = s.age + longPast // in the past, and nobody knows for how long
		}
	default:
		explicit = false
	}
	// 3: at least one of public, private, Expires, max-age, s-maxage, "a status code that is defined as
	// heuristically cacheable".
	if !explicit {
		if !a.has("public") && !slices.Contains(modelHeuristic, a.status) {
			return refuse(NoLifetime)
		}
		// Ours: a cookie is not given to others on a guess.
		if a.cookie && !a.has("no-cache") {
			return refuse(GuessedCookie)
		}
		// 4.2.2: "a typical setting of this fraction might be 10 %"; ours: a day at most, and the operator's guess
		// where there is no Last-Modified.
		if lm, ok := ParseDate(a.lm, now); ok {
			s.lifetime = min(max(0, date.Sub(lm))/10, 24*time.Hour)
		} else if a.status >= 400 {
			s.lifetime = errorTTL
		} else {
			s.lifetime = ttl.Default
		}
	}
	s.always = a.has("no-cache") // 5.2.2.4
	// 5.2.2.2, 5.2.2.8, and 5.2.2.10: s-maxage "incorporates the semantics of the proxy-revalidate".
	s.never = s.always || a.has("must-revalidate") || a.has("proxy-revalidate") || a.has("s-maxage")
	if a.age != "" && !ageOK {
		s.lifetime = s.age + longPast
	}
	// The operator's maximum counts from the arrival.
	s.lifetime = min(s.lifetime, ttl.Max+s.age)
	if s.always {
		s.lifetime = min(s.lifetime, s.age)
	}
	// Ours: what can never be used is not kept.
	mayBeStale := !s.never && (modelPositive(a, "stale-while-revalidate") || modelPositive(a, "stale-if-error"))
	if s.lifetime <= s.age && !a.validator && !mayBeStale {
		return refuse(NeverUsable)
	}
	return s
}

// modelUse is section 4 for a request with these directives, so long after the answer arrived.
func (s modelStored) use(a modelAnswer, req map[string]string, later time.Duration) Use {
	current := s.age + later // 4.2.3: current_age = corrected_initial_age + resident_time
	fresh := s.lifetime > current
	wish := func(name string) (time.Duration, bool) {
		v, ok := req[name]
		n, _ := modelSeconds(v)
		return n, ok
	}
	if _, ok := req["no-cache"]; ok { // 5.2.1.4
		return AskNoCache
	}
	if most, ok := wish("max-age"); ok && current > most { // 5.2.1.1
		if !(s.immutable && fresh && most == 0) { // RFC 8246
			return AskTooOld
		}
	}
	if least, ok := wish("min-fresh"); ok && s.lifetime-current < least { // 5.2.1.3
		return AskTooShort
	}
	if fresh && !s.always {
		return UseFresh
	}
	if v, ok := req["max-stale"]; ok && !s.never { // 5.2.1.2
		if most, _ := modelSeconds(v); v == "" || current-s.lifetime <= most {
			return UseStale
		}
	}
	return AskStale
}

// mayBeStale is 4.2.4, RFC 5861 and the operator's maximum: how long after the end of its freshness an
// answer may be used for each purpose.
func (s modelStored) mayBeStale(a modelAnswer, ttl TTL, use StaleUse, later time.Duration) bool {
	window := func(directive string, otherwise time.Duration) time.Duration {
		if !a.has(directive) {
			return otherwise
		}
		n, _ := modelSeconds(a.cc[directive])
		return min(n, ttl.Max)
	}
	most := map[StaleUse]time.Duration{
		WhileRevalidating: window("stale-while-revalidate", 0), // RFC 5861 section 3
		OnError:           window("stale-if-error", 0),         // section 4
		OnUnreachable:     window("stale-if-error", ttl.Max),   // 4.2.4: "unless it is disconnected"
	}[use]
	stale := s.age + later - s.lifetime
	return stale < 0 || !s.never && stale < most
}

// modelSeconds is delta-seconds (1.2.2), and garbage is zero.
func modelSeconds(v string) (time.Duration, bool) {
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n > 1<<31 {
		n = 1 << 31
	}
	return time.Duration(n) * time.Second, true
}

func modelPositive(a modelAnswer, directive string) bool {
	n, _ := modelSeconds(a.cc[directive])
	return a.has(directive) && n > 0
}

// RFC 9110 section 15.1, and section 15 as a whole.
var (
	modelHeuristic  = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}
	modelUnderstood = []int{200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407,
		408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503, 504, 505}
)

// choice draws one of several from a fuzz input; at its end always the first.
type choice []byte

func pick[T any](c *choice, of ...T) T {
	if len(*c) == 0 {
		return of[0]
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return of[int(b)%len(of)]
}

// drawAnswer makes an answer twice: for the model, and in fields.
func drawAnswer(c *choice, now time.Time) (modelAnswer, *message.Request, message.Fields) {
	ago := func(s int) string { return formatDate(now.Add(-time.Duration(s) * time.Second)) }
	a := modelAnswer{cc: map[string]string{}}
	a.method = pick(c, "GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS")
	a.status = pick(c, 200, 200, 200, 201, 203, 204, 206, 299, 300, 301, 302, 304, 307, 308, 403, 404, 410, 416, 418, 451, 500, 501, 503, 599, 600, 999, 100)
	req := &message.Request{Method: a.method, Path: "/a"}
	if a.reqCC = pick(c, "", "", "", "no-store", "max-age=1"); a.reqCC != "" {
		req.Fields.Add("Cache-Control", a.reqCC)
	}
	a.authorized = pick(c, false, false, false, true)

	var f message.Fields
	for range pick(c, 0, 1, 1, 2, 3, 4) {
		name := pick(c, "max-age", "s-maxage", "no-store", "no-cache", "private", "public", "must-revalidate", "proxy-revalidate",
			"immutable", "must-understand", "stale-if-error", "stale-while-revalidate", "unheard-of")
		if a.has(name) {
			continue // of one that comes twice the first counts: tables have that
		}
		value := ""
		switch name {
		case "max-age", "s-maxage", "stale-if-error", "stale-while-revalidate":
			value = pick(c, "60", "0", "1", "10", "3600", "-1", "1.5", "", "99999999999999999999")
		}
		a.cc[name] = value
		line := pick(c, name, strings.ToUpper(name), "  "+name)
		if value != "" {
			line += "=" + value
		}
		f.Add("Cache-Control", line)
	}
	for range pick(c, 0, 0, 1, 1, 2) {
		v := pick(c, ago(-60), ago(-3600), ago(0), ago(60), "0", "soon")
		a.expires = append(a.expires, v)
		f.Add("Expires", v)
	}
	add := func(field *string, name string, of ...string) {
		if *field = pick(c, of...); *field != "" {
			f.Add(name, *field)
		}
	}
	add(&a.date, "Date", "", ago(0), ago(5), ago(120), ago(-120), "today")
	add(&a.lm, "Last-Modified", "", ago(100), ago(100000), ago(10000000), ago(-100), "once")
	add(&a.age, "Age", "", "0", "5", "70", "old", "-1", "99999999999999999999")
	add(&a.vary, "Vary", "", "", "Foo", "Foo, *")
	if pick(c, false, false, true) {
		f.Add("ETag", `"1"`)
	}
	a.validator = f.Has("ETag") || f.Has("Last-Modified")
	if a.cookie = pick(c, false, false, false, true); a.cookie {
		f.Add("Set-Cookie", "a=1")
	}
	return a, req, f
}

func drawWishes(c *choice) (map[string]string, message.Fields) {
	w, f := map[string]string{}, message.Fields{}
	for range pick(c, 0, 1, 1, 2) {
		name := pick(c, "max-age", "min-fresh", "max-stale", "no-cache")
		if _, twice := w[name]; twice {
			continue
		}
		if name != "no-cache" {
			w[name] = pick(c, "60", "0", "5", "100", "99999999999999999999")
			if name == "max-stale" && pick(c, false, true) {
				w[name] = ""
			}
		} else {
			w[name] = ""
		}
		line := name
		if w[name] != "" {
			line += "=" + w[name]
		}
		f.Add("Cache-Control", line)
	}
	return w, f
}

// FuzzStrict_LikeTheModel draws an answer, asks both, and then asks both for some requests later on.
func FuzzStrict_LikeTheModel(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 3, 0, 2, 0, 1, 0, 1, 1, 0, 0, 30, 0})
	f.Add([]byte{0, 15, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 24, 0, 1, 5, 1, 2, 3, 9, 4, 9, 5, 9, 6, 1, 7, 3, 8, 4, 9, 5, 0, 2, 3, 4, 1, 2, 3, 6})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := choice(data)
		compareWithModel(t, &c)
	})
}

// TestStrict_LikeTheModel is the same for ten thousand answers on each run.
func TestStrict_LikeTheModel(t *testing.T) {
	state := uint32(9111)
	for range 10_000 {
		c := make(choice, 48)
		for i := range c {
			state = state*1664525 + 1013904223
			c[i] = byte(state >> 24)
		}
		compareWithModel(t, &c)
	}
}

func compareWithModel(t *testing.T, c *choice) {
	t.Helper()
	a, req, f := drawAnswer(c, t0)
	ttl := pick(c, TTL{0, 0, 100 * day}, TTL{time.Hour, 2 * time.Hour, 3 * time.Hour}, TTL{0, time.Second, 30 * time.Second})
	errorTTL := pick(c, 0, 10*time.Second)
	delay := pick(c, 0, 100*time.Millisecond, 3*time.Second)
	opt := Options{Semantics: RFC, ErrorMinTTL: errorTTL, Authorized: a.authorized, Delay: delay, CacheOPTIONS: true}
	want := modelStore(a, ttl, errorTTL, delay, t0)
	got := Store(req, a.status, f, ttl, opt, t0)
	if got.Reason != want.why || got.OK != (want.why == Storable) {
		t.Fatalf("%d to %+v\n%v\nTTL %v: %v, the model says %v", a.status, req, f, ttl, got.Reason, want.why)
	}
	if !got.OK {
		return
	}
	for range 4 {
		later := time.Duration(pick(c, 0, 1, 5, 30, 59, 60, 61, 100, 3600, 90000)) * time.Second
		wishes, fields := drawWishes(c)
		is, should := got.Fresh.Serves(ParseWishes(fields), t0.Add(later)), want.use(a, wishes, later)
		if is != should {
			t.Fatalf("%d\n%v\nTTL %v, %v later, asked with %v: %v, the model says %v (%+v)", a.status, f, ttl, later, fields, is, should, want)
		}
		for _, use := range []StaleUse{WhileRevalidating, OnError, OnUnreachable} {
			is := got.Fresh.MayServeStale(t0.Add(later), use)
			if should := want.mayBeStale(a, ttl, use, later); (is == StaleAllowed) != should {
				t.Fatalf("%d\n%v\nTTL %v, %v later, stale for %d: %v, the model says %v (%+v)", a.status, f, ttl, later, use, is, should, want)
			}
		}
		if age := got.Fresh.Age(t0.Add(later)); age != want.age+later {
			t.Fatalf("%v\nage %v, the model says %v", f, age, want.age+later)
		}
	}
}
