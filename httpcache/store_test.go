package httpcache

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

var t0 = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// fields makes a header section of "Name: value" pairs given as name, value, name, value.
func fields(nv ...string) message.Fields {
	var f message.Fields
	for i := 0; i < len(nv); i += 2 {
		f.Add(nv[i], nv[i+1])
	}
	return f
}

func cc(v string, more ...string) message.Fields {
	return append(fields("Cache-Control", v), fields(append([]string{"ETag", `"v1"`}, more...)...)...)
}

func get() *message.Request { return &message.Request{Method: "GET", Path: "/a"} }

const day, year = 24 * time.Hour, 365 * 24 * time.Hour

var (
	legacy    = TTL{0, day, year}
	optimized = TTL{time.Second, day, year}
	hourly    = TTL{time.Hour, 2 * time.Hour, 3 * time.Hour}
)

func TestStore_TTLTable(t *testing.T) {
	in := func(d time.Duration) string { return formatDate(t0.Add(d)) }
	tests := []struct {
		name string
		f    message.Fields
		ttl  TTL
		want time.Duration
	}{
		{"max-age, min 0", cc("max-age=60"), legacy, time.Minute},
		{"max-age above max", cc("max-age=99999999"), TTL{0, 0, time.Hour}, time.Hour},
		{"max-age below min", cc("max-age=60"), hourly, time.Hour},
		{"max-age within", cc("max-age=9000"), hourly, 9000 * time.Second},
		{"max-age above max, min > 0", cc("max-age=99999"), hourly, 3 * time.Hour},
		{"max-age=0 keeps for revalidation", cc("max-age=0"), legacy, 0},
		{"max-age=0, min > 0", cc("max-age=0"), optimized, time.Second},
		{"nothing, min 0", fields(), legacy, day},
		{"nothing, min > 0", fields(), hourly, 2 * time.Hour},
		{"nothing, default below min", fields(), TTL{time.Hour, 0, day}, time.Hour},
		{"public alone is nothing", cc("public"), legacy, day},
		{"s-maxage beats max-age", cc("max-age=10, s-maxage=70"), legacy, 70 * time.Second},
		{"s-maxage beats max-age in any order", cc("s-maxage=70,max-age=10"), legacy, 70 * time.Second},
		{"s-maxage below min", cc("s-maxage=1, max-age=9000"), hourly, time.Hour},
		{"max-age beats Expires", cc("max-age=10", "Expires", in(time.Hour)), legacy, 10 * time.Second},
		{"Expires", fields("Expires", in(90*time.Second)), legacy, 90 * time.Second},
		{"Expires above max", fields("Expires", in(day)), TTL{0, 0, time.Hour}, time.Hour},
		{"Expires below min", fields("Expires", in(time.Second)), hourly, time.Hour},
		{"Expires past", fields("Expires", in(-time.Second), "ETag", `"x"`), legacy, 0},
		{"Expires 0 is past", fields("Expires", "0", "ETag", `"x"`), legacy, 0},
		{"Expires garbage is past", fields("Expires", "tomorrow", "ETag", `"x"`), legacy, 0},
		{"Expires garbage, min > 0", fields("Expires", "0"), hourly, time.Hour},
		{"Expires counts from the origin's clock when it is ahead",
			fields("Expires", in(5*time.Minute), "Date", in(4*time.Minute)), legacy, time.Minute},
		{"Expires counts from ours when the origin's is behind",
			fields("Expires", in(5*time.Minute), "Date", in(-time.Minute)), legacy, 5 * time.Minute},
		{"Expires less Age", fields("Expires", in(5*time.Minute), "Date", in(0), "Age", "60"), legacy, 4 * time.Minute},
		{"Date does not shorten max-age", cc("max-age=60", "Date", in(-time.Hour)), legacy, time.Minute},
		{"Age shortens max-age", cc("max-age=60", "Age", "45"), legacy, 15 * time.Second},
		{"Age beyond max-age", cc("max-age=60", "Age", "90"), legacy, 0},
		{"min TTL counts from arrival", cc("max-age=60", "Age", "90"), hourly, time.Hour},
		{"default TTL counts from arrival", fields("Age", "90"), legacy, day},
		{"garbage Age is stale", cc("max-age=60", "Age", "-45"), legacy, 0},
		{"first of an Age list", cc("max-age=60", "Age", "20, 40"), legacy, 40 * time.Second},
		{"overflowing max-age", cc("max-age=99999999999999999999"), legacy, year},
		{"overflowing Age", cc("max-age=60", "Age", "99999999999999999999"), legacy, 0},

		{"no-store, min > 0", cc("no-store"), optimized, time.Second},
		{"no-cache, min > 0", cc("no-cache"), optimized, time.Second},
		{"private, min > 0", cc("private"), optimized, time.Second},
		{"private with max-age, min > 0: exactly min", cc("private, max-age=9000"), hourly, time.Hour},
		{"no-cache, min 0: kept, never fresh", cc("no-cache, max-age=60"), legacy, 0},
		{"vary star, min > 0: exactly min", cc("max-age=9000", "Vary", "Accept, *"), hourly, time.Hour},
		{"vary is no obstacle", cc("max-age=60", "Vary", "Cookie"), legacy, time.Minute},
		{"qualified no-cache is no no-cache", cc(`no-cache="Set-Cookie", max-age=60`), legacy, time.Minute},
		{"qualified private is no private", cc(`private="X-User", max-age=60`), legacy, time.Minute},
	}
	for _, tt := range tests {
		v := Store(get(), 200, tt.f, tt.ttl, Options{}, t0)
		if !v.OK {
			t.Errorf("%s: refused: %v", tt.name, v.Reason)
			continue
		}
		if got := v.Fresh.FreshUntil.Sub(t0); got != tt.want {
			t.Errorf("%s: fresh for %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestStore_Refusals(t *testing.T) {
	method := func(m string) *message.Request { return &message.Request{Method: m} }
	tests := []struct {
		name   string
		req    *message.Request
		status int
		f      message.Fields
		ttl    TTL
		opt    Options
		want   NoStoreReason
	}{
		{"caching off", get(), 200, cc("max-age=60"), TTL{}, Options{}, CachingDisabled},
		{"caching off, errors too", get(), 404, cc("max-age=60"), TTL{}, Options{ErrorMinTTL: time.Minute}, CachingDisabled},
		{"POST", method("POST"), 200, cc("max-age=60"), legacy, Options{}, MethodNotCacheable},
		{"OPTIONS", method("OPTIONS"), 200, cc("max-age=60"), legacy, Options{}, MethodNotCacheable},
		{"OPTIONS where cached", method("OPTIONS"), 200, cc("max-age=60"), legacy, Options{CacheOPTIONS: true}, Storable},
		{"methods have case", method("get"), 200, cc("max-age=60"), legacy, Options{}, MethodNotCacheable},
		{"HEAD", method("HEAD"), 200, cc("max-age=60"), legacy, Options{}, HeadWithoutBody},
		{"206", get(), 206, cc("max-age=60"), legacy, Options{}, PartialContent},
		{"304", get(), 304, cc("max-age=60"), legacy, Options{}, StatusNotCacheable},
		{"100", get(), 100, cc("max-age=60"), legacy, Options{}, StatusNotCacheable},
		{"999", get(), 999, cc("max-age=60"), legacy, Options{}, StatusNotCacheable},
		{"204", get(), 204, cc("max-age=60"), legacy, Options{}, Storable},
		{"301", get(), 301, fields(), legacy, Options{}, Storable},
		{"302", get(), 302, fields(), legacy, Options{}, Storable},
		{"307 without Cache-Control", get(), 307, fields("Expires", formatDate(t0.Add(day))), legacy, Options{}, NeedsCacheControl},
		{"308 without Cache-Control, min > 0", get(), 308, fields(), hourly, Options{}, NeedsCacheControl},
		{"307 with Cache-Control", get(), 307, cc("max-age=5"), legacy, Options{}, Storable},
		{"308 with any Cache-Control", get(), 308, cc("public"), legacy, Options{}, Storable},
		{"no-store", get(), 200, cc("max-age=60, no-store"), legacy, Options{}, NoStore},
		{"NO-STORE", get(), 200, cc("NO-STORE"), legacy, Options{}, NoStore},
		{"no-store on a second line", get(), 200, cc("max-age=60", "cache-control", "no-store"), legacy, Options{}, NoStore},
		{"private", get(), 200, cc("private, max-age=60"), legacy, Options{}, Private},
		{"no-store wins over private and no-cache", get(), 200, cc("private, no-cache, no-store"), legacy, Options{}, NoStore},
		{"private and no-cache", get(), 200, cc("no-cache, private"), legacy, Options{}, Private},
		{"unclosed quote hides nothing", get(), 200, cc(`foo="bar, no-store`), legacy, Options{}, NoStore},
		{"quoted commas are no directives", get(), 200, cc(`foo="a, no-store, b", max-age=5`), legacy, Options{}, Storable},
		{"vary star", get(), 200, cc("max-age=60", "Vary", "*"), legacy, Options{}, VaryStar},
		{"vary star with no-cache", get(), 200, cc("no-cache", "Vary", "*"), legacy, Options{}, VaryStar},
		{"authorized", get(), 200, cc("max-age=60"), legacy, Options{Authorized: true}, Authorized},
		{"authorized, says nothing", get(), 200, fields("ETag", `"v1"`), legacy, Options{Authorized: true}, Authorized},
		{"authorized, no-cache", get(), 200, cc("no-cache"), legacy, Options{Authorized: true}, Authorized},
		{"authorized, before all else", get(), 200, cc("private"), legacy, Options{Authorized: true}, Authorized},
		{"authorized, a redirect", get(), 301, cc("max-age=60"), legacy, Options{Authorized: true}, Authorized},
		{"authorized, an error of the table", get(), 404, cc("max-age=60"), legacy, Options{Authorized: true}, Authorized},
		{"authorized, public", get(), 200, cc("public, max-age=60"), legacy, Options{Authorized: true}, Storable},
		{"authorized, s-maxage", get(), 200, cc("s-maxage=60"), legacy, Options{Authorized: true}, Storable},
		{"authorized, must-revalidate", get(), 200, cc("max-age=60, must-revalidate"), legacy, Options{Authorized: true}, Storable},
		{"authorized, the minimum TTL does not overrule", get(), 200, cc("max-age=60"), optimized, Options{Authorized: true}, Authorized},
		{"authorized, nor with no-store", get(), 200, cc("no-store"), hourly, Options{Authorized: true}, Authorized},
		{"authorized, an error that is always kept", get(), 500, fields(), legacy, Options{Authorized: true, ErrorMinTTL: time.Minute}, Authorized},
		{"authorized, one kept with max-age", get(), 403, cc("max-age=60"), legacy, Options{Authorized: true, ErrorMinTTL: time.Minute}, Authorized},
		{"authorized, such a one for all", get(), 403, cc("max-age=60, public"), legacy, Options{Authorized: true}, Storable},
		{"no-cache without a validator", get(), 200, fields("Cache-Control", "no-cache"), legacy, Options{}, NeverUsable},
		{"max-age=0 without a validator", get(), 200, fields("Cache-Control", "max-age=0"), legacy, Options{}, NeverUsable},
		{"max-age=0 with a stale window", get(), 200, fields("Cache-Control", "max-age=0, stale-while-revalidate=9"), legacy, Options{}, Storable},
		{"max-age=0 for errors only", get(), 200, fields("Cache-Control", "max-age=0, stale-if-error=9"), legacy, Options{}, Storable},
		{"default 0 without a validator", get(), 200, fields(), TTL{0, 0, year}, Options{}, NeverUsable},
		{"request directives have no say", &message.Request{Method: "GET", Fields: fields("Cache-Control", "no-store", "Pragma", "no-cache")},
			200, cc("max-age=60"), legacy, Options{}, Storable},
	}
	for _, tt := range tests {
		v := Store(tt.req, tt.status, tt.f, tt.ttl, tt.opt, t0)
		if v.Reason != tt.want || v.OK != (tt.want == Storable) {
			t.Errorf("%s: got %v (ok=%v), want %v", tt.name, v.Reason, v.OK, tt.want)
		}
	}
}

func TestStore_Errors(t *testing.T) {
	const min = 10 * time.Second
	always := []int{404, 410, 414, 500, 501, 502, 503, 504}
	withMaxAge := []int{400, 403, 405, 412, 415}
	never := []int{401, 402, 406, 407, 408, 409, 411, 413, 416, 417, 418, 421, 425, 426, 429, 431, 451, 494, 505, 511, 599}
	type want struct {
		ttl time.Duration // of an error that is stored
		no  NoStoreReason
	}
	check := func(codes []int, f message.Fields, opt Options, w want) {
		t.Helper()
		for _, code := range codes {
			v := Store(get(), code, f, legacy, opt, t0)
			if v.Reason != w.no || v.OK && v.Fresh.FreshUntil.Sub(t0) != w.ttl {
				t.Errorf("%d with %v: %v for %v, want %v for %v", code, f, v.Reason, v.Fresh.FreshUntil.Sub(t0), w.no, w.ttl)
			}
			if v.OK && v.Fresh.MayServeStale(v.Fresh.FreshUntil, OnError) == StaleAllowed {
				t.Errorf("%d: a stale error would be served", code)
			}
		}
	}
	opt := Options{ErrorMinTTL: min}
	check(always, fields(), opt, want{ttl: min})
	check(always, cc("max-age=5"), opt, want{ttl: min})
	check(always, cc("max-age=60"), opt, want{ttl: time.Minute})
	check(always, fields("Expires", formatDate(t0.Add(time.Minute))), opt, want{ttl: time.Minute})
	check(always, cc("max-age=99999999"), opt, want{ttl: year}) // the header is capped by the maximum TTL
	check(always, fields(), Options{ErrorMinTTL: 2 * year}, want{ttl: 2 * year})
	check(withMaxAge, fields(), opt, want{no: NeedsMaxAge})
	check(withMaxAge, fields("Expires", formatDate(t0.Add(time.Hour))), opt, want{no: NeedsMaxAge})
	check(withMaxAge, cc("max-age=0"), opt, want{ttl: min})
	check(withMaxAge, cc("s-maxage=90"), opt, want{ttl: 90 * time.Second})
	check(never, cc("max-age=60"), opt, want{no: StatusNotCacheable})

	check([]int{404, 410, 414, 501}, cc("no-store, max-age=60"), opt, want{no: NoStore})
	check([]int{404, 410, 414, 501}, cc("private, max-age=60"), opt, want{no: Private})
	check([]int{404, 410, 414, 501}, cc("no-cache, max-age=60"), opt, want{no: NoCache})
	check([]int{500, 502, 503, 504}, cc("no-store, max-age=60"), opt, want{ttl: min})
	check([]int{400, 403, 405, 412, 415}, cc("no-store, max-age=60"), opt, want{ttl: min})

	authorized := Options{ErrorMinTTL: min, Authorized: true}
	check(append(always[:len(always):len(always)], withMaxAge...), cc("max-age=60"), authorized, want{no: Authorized})
	check([]int{500, 503}, cc("no-store"), authorized, want{no: Authorized})
	check(append(always[:len(always):len(always)], withMaxAge...), cc("max-age=60, public"), authorized, want{ttl: time.Minute})

	check(always, fields(), Options{}, want{no: NeverUsable})
	check(always, cc("max-age=60"), Options{}, want{ttl: time.Minute})
	check(always, fields(), Options{S3Origin: true}, want{ttl: time.Second})
	check(always, fields(), Options{S3Origin: true, ErrorMinTTL: min}, want{ttl: min})
}

func TestStore_OmitsQualifiedFields(t *testing.T) {
	v := Store(get(), 200, cc(`no-cache="Set-Cookie, X-A", private=X-B, max-age=9`), legacy, Options{}, t0)
	if !v.OK || len(v.Omit) != 3 || v.Omit[0] != "Set-Cookie" || v.Omit[1] != "X-A" || v.Omit[2] != "X-B" {
		t.Fatalf("got %+v", v)
	}
}

func TestReasons_AllHaveNames(t *testing.T) {
	seen := map[string]bool{}
	add := func(s string) {
		t.Helper()
		if s == "unknown" || seen[s] {
			t.Errorf("name %q is missing or used twice", s)
		}
		seen[s] = true
	}
	for r := Storable; r <= NeverUsable; r++ {
		add(r.String())
	}
	for v := StaleAllowed; v <= StaleTooOld; v++ {
		add("stale " + v.String())
	}
	for v := RangeAbsent; v <= RangeEmptyBody; v++ {
		add("range " + v.String())
	}
	for o := Proceed; o <= PreconditionFailed; o++ {
		add(o.String())
	}
	if NoStoreReason(200).String() != "unknown" {
		t.Error("a value outside the table has no name")
	}
}

func BenchmarkStore(b *testing.B) {
	req, f := get(), cc("public, max-age=3600, stale-while-revalidate=60", "Date", formatDate(t0), "Vary", "Accept-Encoding")
	b.ReportAllocs()
	for b.Loop() {
		Store(req, 200, f, legacy, Options{}, t0)
	}
}
