package distribution

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
)

// same and other requests share an entry with the first, or do not.
type keyCase struct {
	name   string
	d      *Distribution
	first  *message.Request
	same   []*message.Request
	others []*message.Request
}

func TestKey_WhatItTellsApart(t *testing.T) {
	plain := compiled(t, minimal())
	legacy := withLegacy(t, &wire.ForwardedValues{QueryString: ptr(true),
		QueryStringCacheKeys: &wire.QueryStringCacheKeys{Quantity: ptr(int64(1)), Items: []string{"v"}},
		Cookies:              &wire.CookiePreference{Forward: ptr("whitelist"), WhitelistedNames: &wire.CookieNames{Quantity: ptr(int64(1)), Items: []string{"s?ss*"}}},
		Headers:              names1("Accept")})
	for _, c := range []keyCase{
		{"optimized", plain, request("GET /a", "Accept-Encoding: gzip, br"),
			[]*message.Request{request("HEAD /a", "accept-encoding: br;q=0.5,GZIP"), request("GET /a?x=1", "Accept-Encoding: gzip, deflate, br, zstd", "Cookie: a=1", "Host: other.example.com"),
				request("GET /a", "Accept-Encoding: gzip", "Accept-Encoding: br")},
			[]*message.Request{request("GET /A", "Accept-Encoding: gzip, br"), request("GET /a"), request("GET /a", "Accept-Encoding: gzip"),
				request("GET /a", "Accept-Encoding: br"), request("GET /a", "Accept-Encoding: gzip;q=0, br"), request("OPTIONS /a", "Accept-Encoding: gzip, br")}},
		{"no encoding", plain, request("GET /a"),
			[]*message.Request{request("GET /a", "Accept-Encoding: deflate"), request("GET /a", "Accept-Encoding: gzip;q=0.000"), request("GET /a", "Accept-Encoding: ")}, nil},
		{"query all", withPolicies(t, cacheBy("", "", "all", false, false), nil), request("GET /a?x=1&y=2"), nil,
			[]*message.Request{request("GET /a?y=2&x=1"), request("GET /a?x=1"), request("GET /a"), request("GET /a?"), request("GET /a?x=1&Y=2"), request("GET /a?x=1&y=2&")}},
		{"query some", withPolicies(t, cacheBy("", "", "x y", false, false), nil), request("GET /a?x=1&y=2"),
			[]*message.Request{request("GET /a?z=9&x=1&y=2&utm=3"), request("GET /a?X=1&x=1&&y=2")},
			[]*message.Request{request("GET /a?y=2&x=1"), request("GET /a?x=1"), request("GET /a?x=1&y=2&x=1")}},
		{"query none left", withPolicies(t, cacheBy("", "", "x y", false, false), nil), request("GET /a"),
			[]*message.Request{request("GET /a?z=9"), request("GET /a?")}, []*message.Request{request("GET /a?x"), request("GET /a?x=")}},
		{"query except", withPolicies(t, cacheBy("", "", "-utm gclid", false, false), nil), request("GET /a?x=1"),
			[]*message.Request{request("GET /a?utm=1&x=1&gclid=2")}, []*message.Request{request("GET /a?x=1&z=1"), request("GET /a")}},
		{"cookies", withPolicies(t, cacheBy("", "a b", "", false, false), nil), request("GET /", "Cookie: a=1; b=2"),
			[]*message.Request{request("GET /", "Cookie: b=2; c=3; a=1"), request("GET /", "Cookie: b=2", "cookie: $a=9; a=1"), request("GET /", "Cookie: a=1;b=2;x")},
			[]*message.Request{request("GET /", "Cookie: a=1"), request("GET /", "Cookie: a=2; b=1"), request("GET /", "Cookie: A=1; b=2"), request("GET /", "Cookie: a=1; a=1; b=2"), request("GET /")}},
		{"cookies except", withPolicies(t, cacheBy("", "-_ga", "", false, false), nil), request("GET /", "Cookie: a=1"),
			[]*message.Request{request("GET /", "Cookie: _ga=77; a=1")}, []*message.Request{request("GET /")}},
		{"headers", withPolicies(t, cacheBy("Accept X-Version", "", "", false, false), nil), request("GET /", "Accept: text/html", "X-Version: 1"),
			[]*message.Request{request("GET /", "x-version: 1", "ACCEPT: text/html", "Other: 1")},
			[]*message.Request{request("GET /", "Accept: Text/html", "X-Version: 1"), request("GET /", "Accept: text/html"), request("GET /", "Accept: 1", "X-Version: text/html"),
				request("GET /", "Accept: text/html", "Accept: ", "X-Version: 1"), request("GET /")}},
		{"ending here", withPolicies(t, cacheBy("Accept X-Version", "", "", false, false), nil), request("GET /", "X-Version: 1"),
			[]*message.Request{request("GET /", "X-Version: 1", "Accept: a", "Connection: accept"), request("GET /", "Connection: close, ACCEPT", "Accept: a", "Accept: b", "X-Version: 1")},
			[]*message.Request{request("GET /", "X-Version: 1", "Accept: a", "Connection: Keep-Alive, X-Accept"), request("GET /", "X-Version: 1", "Accept: a"),
				request("GET /", "X-Version: 1", "Connection: x-version")}},
		{"lists", withPolicies(t, cacheBy("Accept", "", "", false, false), nil), request("GET /", `Accept: a, b;q="1, 2"`),
			[]*message.Request{request("GET /", "Accept: a", `Accept: b;q="1, 2"`)},
			[]*message.Request{request("GET /", `Accept: b;q="1, 2", a`), request("GET /", `Accept: a, B;q="1, 2"`), request("GET /", `Accept: a, b;q="1,2"`), request("GET /", `Accept: a,b;q="1, 2"`), request("GET /", "Accept: a", "Accept: ", `Accept: b;q="1, 2"`)}},
		{"host", withPolicies(t, cacheBy("Host", "", "", false, false), nil), request("GET /", "Host: a.example.com:8081"), nil,
			[]*message.Request{request("GET /", "Host: a.example.com"), request("GET /", "Host: b.example.com:8081")}},
		{"devices", withPolicies(t, cacheBy("CloudFront-Is-Mobile-Viewer CloudFront-Forwarded-Proto CloudFront-Viewer-Country", "", "", false, false), nil),
			request("GET /", "User-Agent: iPhone Mobile"),
			[]*message.Request{request("GET /", "User-Agent: Android Mobile", "CloudFront-Is-Mobile-Viewer: false", "CloudFront-Viewer-Country: DE")},
			[]*message.Request{request("GET /", "User-Agent: curl"), request("GET /")}},
		{"legacy", legacy, request("GET /?v=1&w=2", "Cookie: sess=1; x=2", "Accept: a", "Accept-Encoding: br, gzip"),
			[]*message.Request{request("GET /?w=3&v=1", "Cookie: x=3; sess=1", "Accept: a", "Accept-Encoding: gzip")},
			[]*message.Request{request("GET /?v=2", "Cookie: sess=1", "Accept: a", "Accept-Encoding: gzip"), request("GET /?v=1", "Cookie: suss=1", "Accept: a", "Accept-Encoding: gzip"),
				request("GET /?v=1", "Cookie: sess=1", "Accept: a", "Accept-Encoding: br"), request("GET /?v=1", "Cookie: sess=1", "Accept-Encoding: gzip")}},
	} {
		first := key(c.d, c.first)
		for _, r := range c.same {
			if key(c.d, r) != first {
				t.Errorf("%s: %s %v has a key of its own", c.name, r.URI(), r.Fields)
			}
		}
		for _, r := range c.others {
			if key(c.d, r) == first {
				t.Errorf("%s: %s %s %v shares the key of %s %v", c.name, r.Method, r.URI(), r.Fields, c.first.URI(), c.first.Fields)
			}
		}
	}
}

func TestKey_RootObjectIsItsFile(t *testing.T) {
	d := compiled(t, rich())
	if key(d, request("GET /")) != key(d, request("GET /index.html")) {
		t.Error("/ and /index.html have different keys")
	}
}

// What the origin gets of a keyed header is what the key says, however the viewer writes it: an answer to something else would
// be found by others.
func TestKey_EqualKeysAskTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	for names, d := range map[string]*Distribution{
		"X-A X-B Accept User-Agent Authorization X-Forwarded-For CloudFront-Is-Mobile-Viewer Cookie": withPolicies(t,
			cacheBy("X-A X-B Accept User-Agent Authorization X-Forwarded-For CloudFront-Is-Mobile-Viewer", "a b", "", false, false), nil),
		"Accept-Encoding": withLegacy(t, &wire.ForwardedValues{QueryString: ptr(false), Cookies: &wire.CookiePreference{Forward: ptr("none")}, Headers: names1("Accept-Encoding")}),
	} {
		b, asked := d.Behaviors[0], map[string]string{}
		for range 5_000 {
			var lines []string
			for range r.IntN(5) {
				lines = append(lines, pick("X-A", "x-b", "Accept", "User-Agent", "Authorization", "X-Forwarded-For", "Cookie", "Accept-Encoding")+": "+pick("", "a=1", "b=2", "gzip", "Mobile"))
			}
			for range r.IntN(3) {
				lines = append(lines, "Connection: "+pick("close", "x-a", "X-B, accept", "user-agent", "authorization,host", "cookie", "x-forwarded-for", "Accept-Encoding"))
			}
			q := request("GET /", lines...)
			f, sent := b.Forward(d, q).Fields, ""
			for n := range strings.FieldsSeq(names) {
				sent += fmt.Sprintf("%s %q ", n, f.Values(n))
			}
			k := key(d, q)
			if before, there := asked[k]; there && before != sent {
				t.Fatalf("one key for\n%s\n%s", before, sent)
			}
			asked[k] = sent
		}
		if len(asked) < 20 {
			t.Errorf("%s: only %d keys", names, len(asked))
		}
	}
}

// An entry stored under one policy must not be found under another that keys on something else.
func TestKey_ChangedPolicyHasOtherKeys(t *testing.T) {
	a := withPolicies(t, cacheBy("X-A", "", "", false, false), nil)
	b := withPolicies(t, cacheBy("X-B", "", "", false, false), nil)
	c := withPolicies(t, cacheBy("", "X-A", "", false, false), nil)
	r := request("GET /", "X-A: 1", "X-B: 1", "Cookie: X-A=1")
	if ka, kb, kc := key(a, r), key(b, r), key(c, r); ka == kb || ka == kc || kb == kc {
		t.Error("the same value under another name has the same key")
	}
	if r := request("GET /"); key(a, r) != key(b, r) {
		t.Error("a request with nothing keyed lost its entry by the change")
	}
}

// keyed is what goes into the key by definition, written so that it cannot be confused: the slow
// truth that AppendKey is compared with.
func keyed(d *Distribution, r *message.Request) string {
	b := d.Behavior(d.RootedPath(r.Path))
	method := r.Method
	if method == "HEAD" {
		method = "GET"
	}
	parts := []any{method, d.RootedPath(r.Path), b.acceptEncoding(r) &^ acceptsNeither}
	q, any := b.key.query.query(r)
	parts = append(parts, any, q)
	for _, h := range b.key.headers {
		parts = append(parts, r.Fields.Has(h.name), strings.Join(r.Fields.Values(h.name), ", "))
	}
	for _, c := range b.key.cookies.appendCookies(nil, r) {
		parts = append(parts, c.name, c.value)
	}
	return fmt.Sprintf("%#v", parts)
}

func TestKey_IsInjectiveOnRandomRequests(t *testing.T) {
	d := withPolicies(t, cacheBy("X-A X-B", "-z", "-z", true, true), nil)
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	bits := []string{"", "a", "b", "v", "h", "c", "\x00", "\x00\x00\x00\x01", "=", "&", "1", "X-A", "x-b"}
	some := func() string {
		var s strings.Builder
		for range r.IntN(4) {
			s.WriteString(pick(bits...))
		}
		return s.String()
	}
	seen, back := map[string]string{}, map[string]string{}
	for range 50_000 {
		q := request(pick("GET", "HEAD", "OPTIONS") + " /" + some() + pick("", "?"+some()))
		for range r.IntN(4) {
			q.Fields.Add(pick("X-A", "X-B", "Cookie", "Accept-Encoding", "Other"), pick(some(), "gzip", "br, gzip", some()+"="+some()+"; "+some()+"="+some()))
		}
		k, truth := key(d, q), keyed(d, q)
		if was, ok := seen[k]; ok && was != truth {
			t.Fatalf("one key for\n%s\n%s", was, truth)
		}
		if was, ok := back[truth]; ok && was != k {
			t.Fatalf("two keys for %s", truth)
		}
		seen[k], back[truth] = truth, k
	}
	if len(seen) < 5_000 {
		t.Errorf("only %d different keys: the sample says little", len(seen))
	}
}

func FuzzKey_IsInjective(f *testing.F) {
	f.Add("/a", "x=1", "v", "a=1; b=2", "/a", "x=1", "", "a=1")
	d := withPolicies(f, cacheBy("X-A X-B", "all", "-z", true, true), nil)
	f.Fuzz(func(t *testing.T, p1, q1, h1, c1, p2, q2, h2, c2 string) {
		mk := func(p, q, h, c string) *message.Request {
			r := request("GET /")
			r.Path, r.Query, r.HasQuery = "/"+p, q, q != ""
			a, b, two := strings.Cut(h, "|")
			r.Fields.Add("X-A", a)
			if two {
				r.Fields.Add("X-B", b)
			}
			r.Fields.Add("Cookie", c)
			return r
		}
		a, b := mk(p1, q1, h1, c1), mk(p2, q2, h2, c2)
		if (key(d, a) == key(d, b)) != (keyed(d, a) == keyed(d, b)) {
			t.Errorf("keys %v, parts %v:\n%s\n%s", key(d, a) == key(d, b), keyed(d, a) == keyed(d, b), keyed(d, a), keyed(d, b))
		}
	})
}

func TestKeyedQuery(t *testing.T) {
	for _, c := range []struct {
		policy, uri, want string
		ignored           bool
	}{
		{"", "/a?x=1", "", true},
		{"all", "/a?x=1&b", "x=1&b", false},
		{"all", "/a", "", false},
		{"x", "/a?y=2&x=1&x=3", "x=1&x=3", false},
		{"-x", "/a?y=2&x=1&z", "y=2&z", false},
	} {
		d := withPolicies(t, cacheBy("", "", c.policy, false, false), nil)
		if q, ignored := d.Behaviors[0].KeyedQuery(request("GET " + c.uri)); q != c.want || ignored != c.ignored {
			t.Errorf("%q %s: %q %v, want %q %v", c.policy, c.uri, q, ignored, c.want, c.ignored)
		}
		if d.Behaviors[0].KeyHasQuery == c.ignored {
			t.Errorf("%q: KeyHasQuery is %v", c.policy, !c.ignored)
		}
	}
}

var browser = []string{"Host: d111111abcdef8.localhost", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", "Accept: text/html,*/*;q=0.8",
	"Accept-Language: de,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd", "Connection: keep-alive", "Cookie: _ga=GA1.2.3; session=abcdef; theme=dark", "Sec-Fetch-Mode: navigate"}

func TestKey_AllocatesNothing(t *testing.T) {
	for name, d := range map[string]*Distribution{
		"optimized": compiled(t, minimal()),
		"all":       withPolicies(t, cacheBy("Accept Host CloudFront-Is-Mobile-Viewer", "all", "-utm", true, true), nil),
	} {
		r, buf := request("GET /images/a.png?a=1&utm=2&b=3", browser...), make([]byte, 0, 1024)
		b := d.Behaviors[0]
		if n := testing.AllocsPerRun(100, func() { buf = b.AppendKey(buf[:0], d, r) }); n != 0 {
			t.Errorf("%s: AppendKey allocates %v times", name, n)
		}
	}
}

func BenchmarkKey_Optimized(b *testing.B) { benchmarkKey(b, compiled(b, minimal())) }
func BenchmarkKey_Rich(b *testing.B) {
	benchmarkKey(b, withPolicies(b, cacheBy("Accept Host", "session theme", "a b", true, true), nil))
}

func benchmarkKey(b *testing.B, d *Distribution) {
	r, buf := request("GET /images/a.png?a=1&utm=2&b=3", browser...), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = d.Behavior(d.RootedPath(r.Path)).AppendKey(buf[:0], d, r)
	}
}

func BenchmarkForward_AllViewer(b *testing.B) {
	d := withPolicies(b, cacheBy("", "", "all", true, true), requestBy("allViewer", "all", "all"))
	r := request("GET /images/a.png?a=1&utm=2&b=3", browser...)
	b.ReportAllocs()
	for b.Loop() {
		d.Behaviors[0].Forward(d, r)
	}
}

// What a viewer can make dearest: as many cookies as fit, in the worst order, all of them keyed.
func BenchmarkKey_EightThousandCookies(b *testing.B) {
	var list strings.Builder
	for i := 8000; i > 0; i-- {
		fmt.Fprintf(&list, "%c%c=;", 'A'+i/200, 'A'+i%200/4) // the last of them first
	}
	r := request("GET /a", "Cookie: "+list.String())
	d := withPolicies(b, cacheBy("", "all", "", false, false), nil)
	for b.Loop() {
		d.Behaviors[0].AppendKey(nil, d, r)
	}
}

// As many words in Connection as fit, and a field for each as far as a head may have them.
func BenchmarkForward_ThousandsOfNominations(b *testing.B) {
	lines := []string{"Connection: " + strings.Repeat("a,", 14000)}
	for i := range 500 {
		lines = append(lines, fmt.Sprintf("X%d: y", i))
	}
	r := request("GET /a", lines...)
	d := withPolicies(b, cacheBy("", "", "", false, false), requestBy("allViewer", "all", "all"))
	for b.Loop() {
		d.Behaviors[0].Forward(d, r)
	}
}

func compressedBy(t *testing.T, gzip, brotli bool, tags map[string]string) *Distribution {
	t.Helper()
	s := Source{Config: minimal(), Tags: tags, CachePolicies: map[string]*wire.CachePolicyConfig{"cp": cacheBy("", "", "", gzip, brotli)}}
	s.Config.DefaultCacheBehavior.CachePolicyId, s.Config.DefaultCacheBehavior.Compress = ptr("cp"), ptr(true)
	return compiledFrom(t, s)
}

// With the tag zstd comes before the others, wherever the policy has one of them.
func TestContentCoding(t *testing.T) {
	zstd := map[string]string{TagCompression: CompressionZstd}
	for _, c := range []struct {
		gzip, brotli       bool
		tags               map[string]string
		sent, coding, told string
	}{
		{true, true, nil, "gzip, deflate, br, zstd", "br", "br,gzip"},
		{true, true, zstd, "gzip, deflate, br, zstd", "zstd", "zstd,br,gzip"},
		{true, true, zstd, "gzip, br", "br", "br,gzip"},
		{true, true, zstd, "ZSTD;q=0.1, gzip", "zstd", "zstd,gzip"},
		{true, true, zstd, "zstd;q=0, gzip", "gzip", "gzip"},
		{true, false, nil, "br", "", "identity"},
		{true, false, zstd, "br, zstd", "zstd", "zstd"},
		{false, true, nil, "gzip, br", "br", "br"},
		{false, false, zstd, "gzip, zstd", "", ""},
		{true, true, zstd, "", "", ""},
	} {
		d := compressedBy(t, c.gzip, c.brotli, c.tags)
		r := request("GET /")
		if c.sent != "" {
			r.Fields.Add("Accept-Encoding", c.sent)
		}
		b := d.Behaviors[0]
		if got, told := b.ContentCoding(r), b.Forward(d, r).Fields.Get("Accept-Encoding"); got != c.coding || told != c.told {
			t.Errorf("%+v: compressed with %q, the origin is told %q", c, got, told)
		}
		r.Major, r.Minor = 1, 0
		if got, told := b.ContentCoding(r), b.Forward(d, r).Fields.Get("Accept-Encoding"); got != "" || told != "" || key(d, r) != key(d, request("GET /")) {
			t.Errorf("%+v by HTTP/1.0: compressed with %q, the origin is told %q", c, got, told)
		}
	}
	plain := withPolicies(t, cacheBy("", "", "", true, true), nil)
	if got := plain.Behaviors[0].ContentCoding(request("GET /", "Accept-Encoding: gzip")); got != "" {
		t.Errorf("a behavior that does not compress: %q", got)
	}
}

func TestKey_TellsZstdApart(t *testing.T) {
	d := compressedBy(t, true, true, map[string]string{TagCompression: CompressionZstd})
	seen := map[string]string{}
	for _, accept := range []string{"identity", "gzip", "br", "zstd", "gzip, br", "gzip, zstd", "br, zstd", "gzip, br, zstd"} {
		k := key(d, request("GET /", "Accept-Encoding: "+accept))
		if seen[k] != "" {
			t.Errorf("%s has the key of %s", accept, seen[k])
		}
		seen[k] = accept
	}
	if got := KeyText([]byte(key(d, request("GET /", "Accept-Encoding: gzip, zstd")))); got != "GET /, Accept-Encoding: zstd,gzip" {
		t.Error(got)
	}
}
