package distribution

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
)

// everything is a request with a header of every fate.
func everything(line string) *message.Request {
	return request(line, "Host: www.example.com:8081", "Accept: text/html", "Accept-Encoding: gzip, deflate, br", "Accept-Language: de",
		"Authorization: Basic x", "Cache-Control: no-cache", "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Content-Type: text/plain", "Content-Length: 3",
		"Cookie: b=2; a=1", "Expect: 100-continue", "If-None-Match: \"x\"", "If-Match: \"x\"", "Range: bytes=0-1", "Request-Range: bytes=0-1", "Origin: https://o", "Pragma: no-cache", "Referer: r",
		"TE: trailers", "Transfer-Encoding: chunked", "Upgrade: h2c", "User-Agent: curl/8", "Via: 1.1 proxy", "CDN-Loop: x", "X-Amz-Cf-Id: fake", "X-Edge-Location: fake",
		"X-Forwarded-For: 198.51.100.1", "X-Forwarded-Proto: https", "X-Real-IP: 198.51.100.1", "X-Custom: c", "CloudFront-Viewer-Country: XX", "CloudFront-Viewer-TLS: fake", "Proxy-Authorization: x", "Trailer: t")
}

// sent writes what the origin gets on one line, fields sorted by name.
func sent(d *Distribution, r *message.Request) string {
	f := d.Behavior(d.RootedPath(r.Path)).Forward(d, r)
	var lines []string
	for _, x := range f.Fields {
		lines = append(lines, x.Name+": "+x.Value)
	}
	slices.Sort(lines)
	uri := f.Path
	if f.HasQuery {
		uri += "?" + f.Query
	}
	return uri + " @" + f.Host + " | " + strings.Join(lines, " | ")
}

const ownFields = "User-Agent: Amazon CloudFront | X-Forwarded-For: 198.51.100.1,203.0.113.9"

// A keyed header is one value in the key, so the origin gets one line: or what it makes of two would be found by who
// sends one.
func TestForward_AKeyedHeaderIsOneLine(t *testing.T) {
	d := withPolicies(t, cacheBy("X-Keyed", "", "", false, false), requestBy("X-Other", "", ""))
	r := request("GET /", "X-Keyed: a", "X-Other: 1", "x-keyed: b", "X-Other: 2")
	want := "/ @origin.example.com | User-Agent: Amazon CloudFront | X-Forwarded-For: 203.0.113.9 | X-Keyed: a, b | X-Other: 1 | X-Other: 2"
	if got := sent(d, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// With RFC semantics the origin may name any header in its Vary.
func TestForward_WithRFCSemanticsEachHeaderIsOneLine(t *testing.T) {
	d := withPolicies(t, cacheBy("", "", "", false, false), requestBy("X-Other", "", ""))
	d.RFC = true
	r := request("GET /", "X-Other: 1", "x-other: 2")
	want := "/ @origin.example.com | User-Agent: Amazon CloudFront | X-Forwarded-For: 203.0.113.9 | X-Other: 1, 2"
	if got := sent(d, r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestForward(t *testing.T) {
	legacy := func(query bool, cookies string, headers ...string) *Distribution {
		return withLegacy(t, &wire.ForwardedValues{QueryString: &query, Cookies: &wire.CookiePreference{Forward: &cookies}, Headers: names1(headers...)})
	}
	for _, c := range []struct {
		name string
		d    *Distribution
		line string
		want string
	}{
		{"a policy alone sends nothing of the viewer's", compiled(t, minimal()), "GET /a?x=1",
			"/a @origin.example.com | Accept-Encoding: br,gzip | " + ownFields},
		{"CachingDisabled neither, and no encoding", withManaged(t, disabled, ""), "GET /a?x=1", "/a @origin.example.com | " + ownFields},
		{"a body keeps what describes it, and who sends it", withManaged(t, disabled, ""), "POST /a",
			"/a @origin.example.com | Authorization: Basic x | Content-Type: text/plain | " + ownFields},
		{"what is in the key goes to the origin", withPolicies(t, cacheBy("Accept Host", "a", "x", true, false), nil), "GET /a?y=2&x=1",
			"/a?x=1 @www.example.com:8081 | Accept-Encoding: gzip | Accept: text/html | Cookie: a=1 | " + ownFields},
		{"all viewer", withManaged(t, optimized, allViewer), "GET /a?x=1",
			"/a?x=1 @www.example.com:8081 | Accept-Encoding: br,gzip | Accept-Language: de | Accept: text/html | Authorization: Basic x | Cache-Control: no-cache | Content-Type: text/plain | Cookie: a=1; b=2 | Origin: https://o | Pragma: no-cache | Referer: r | User-Agent: curl/8 | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
		{"all viewer, encoding not normalised", withManaged(t, disabled, allViewer), "GET /",
			"/ @www.example.com:8081 | Accept-Encoding: gzip, deflate, br | Accept-Language: de | Accept: text/html | Authorization: Basic x | Cache-Control: no-cache | Content-Type: text/plain | Cookie: a=1; b=2 | Origin: https://o | Pragma: no-cache | Referer: r | User-Agent: curl/8 | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
		{"all but Host, which the cache policy has", withPolicies(t, cacheBy("Host", "", "", false, false), requestBy("-Host Referer Authorization Pragma User-Agent X-Custom", "", "")), "GET /",
			"/ @www.example.com:8081 | Accept-Encoding: gzip, deflate, br | Accept-Language: de | Accept: text/html | Cache-Control: no-cache | Content-Type: text/plain | Origin: https://o | " + ownFields},
		{"viewer's and CloudFront's", withPolicies(t, cacheBy("", "", "", false, false),
			requestBy("cf CloudFront-Viewer-Address CloudFront-Viewer-Country CloudFront-Is-Desktop-Viewer CloudFront-Forwarded-Proto CloudFront-Viewer-Http-Version", "-a", "-x")), "PUT /?x=1&y=2",
			"/?y=2 @www.example.com:8081 | Accept-Encoding: gzip, deflate, br | Accept-Language: de | Accept: text/html | Authorization: Basic x | Cache-Control: no-cache | CloudFront-Forwarded-Proto: http | CloudFront-Is-Desktop-Viewer: true | CloudFront-Viewer-Address: 203.0.113.9:4711 | CloudFront-Viewer-Http-Version: 1.1 | Content-Type: text/plain | Cookie: b=2 | If-Match: \"x\" | If-None-Match: \"x\" | Origin: https://o | Pragma: no-cache | Referer: r | User-Agent: curl/8 | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
		{"legacy, nothing selected", legacy(false, "none"), "GET /a?x=1",
			"/a @origin.example.com | Accept-Encoding: gzip | Cache-Control: no-cache | Content-Type: text/plain | Origin: https://o | Pragma: no-cache | User-Agent: Amazon CloudFront | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
		{"legacy, a PUT", legacy(true, "all", "Host", "Referer", "User-Agent", "Accept-Encoding"), "PUT /a?x=1",
			"/a?x=1 @www.example.com:8081 | Accept-Encoding: gzip, deflate, br | Authorization: Basic x | Cache-Control: no-cache | Content-Type: text/plain | Cookie: a=1; b=2 | If-Match: \"x\" | If-None-Match: \"x\" | Origin: https://o | Pragma: no-cache | Referer: r | User-Agent: curl/8 | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
		{"legacy, all headers", legacy(false, "none", "*"), "GET /",
			"/ @www.example.com:8081 | Accept-Encoding: gzip, deflate, br | Accept-Language: de | Accept: text/html | Authorization: Basic x | Cache-Control: no-cache | Content-Type: text/plain | Origin: https://o | Pragma: no-cache | Referer: r | User-Agent: curl/8 | X-Custom: c | X-Forwarded-For: 198.51.100.1,203.0.113.9"},
	} {
		if got := sent(c.d, everything(c.line)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func withManaged(t testing.TB, cp, rp string) *Distribution {
	t.Helper()
	c := minimal()
	c.DefaultCacheBehavior.CachePolicyId = &cp
	if rp != "" {
		c.DefaultCacheBehavior.OriginRequestPolicyId = &rp
	}
	c.DefaultCacheBehavior.AllowedMethods = &wire.AllowedMethods{Quantity: ptr(int64(7)), Items: methodBits[:]}
	return compiled(t, c)
}

func TestForward_OriginPathRootObjectAndCustomHeaders(t *testing.T) {
	c := rich()
	c.DefaultCacheBehavior.TargetOriginId, c.DefaultCacheBehavior.OriginRequestPolicyId = ptr("bucket"), ptr(allViewer)
	c.Origins.Items[1].CustomHeaders = &wire.CustomHeaders{Quantity: ptr(int64(3)), Items: []wire.OriginCustomHeader{
		{HeaderName: ptr("x-custom"), HeaderValue: ptr("ours")}, {HeaderName: ptr("User-Agent"), HeaderValue: ptr("agent")}, {HeaderName: ptr("X-Forwarded-For"), HeaderValue: ptr("hidden")}}}
	d := compiled(t, c)
	got := sent(d, request("GET /", "X-Custom: theirs", "X-CUSTOM: theirs", "Host: www.example.com", "User-Agent: curl"))
	want := "/v1/index.html @b.s3.amazonaws.com | User-Agent: agent | X-Forwarded-For: hidden | x-custom: ours"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if f := d.Behaviors[2].Forward(d, request("OPTIONS *")); f.Path != "*" {
		t.Errorf("OPTIONS * goes to %s", f.Path)
	}
	if f := d.Behaviors[2].Forward(d, request("GET /x/../%61//?a")); f.Path != "/v1/x/../%61//" {
		t.Errorf("the raw path became %s", f.Path)
	}
}

// What Connection names ends here, in any case and however many lines say so; what the edge adds itself
// cannot be named away, and ten thousand cookies come sorted, those of one name in their order.
func TestForward_ManyNominationsAndCookies(t *testing.T) {
	d := withPolicies(t, cacheBy("", "all", "", false, false), requestBy("allViewer", "all", "all"))
	var cookies strings.Builder
	for i := 5000; i > 0; i-- {
		fmt.Fprintf(&cookies, "c%04d=%d; c%04d=again; ", i, i, i)
	}
	f := d.Behaviors[0].Forward(d, request("GET /a", "Connection: close, x-hop ,,\t,Keep-Alive", "X-Hop: 1", "x-HOP: 2", "X-Stays: 3", "CONNECTION: X-Other,user-agent",
		"X-Other: 4", "User-Agent: me", "Cookie: "+cookies.String()))
	for name, want := range map[string]string{"X-Hop": "", "X-Stays": "3", "X-Other": "", "User-Agent": "", "Connection": "", "Close": ""} {
		if got := f.Fields.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	got := f.Fields.Get("Cookie")
	if !strings.HasPrefix(got, "c0001=1; c0001=again; c0002=2; ") || !strings.HasSuffix(got, "; c5000=5000; c5000=again") {
		t.Errorf("Cookie: %.60q … %q", got, got[max(0, len(got)-40):])
	}
}

func TestForward_AcceptEncoding(t *testing.T) {
	for _, c := range []struct {
		gzip, brotli bool
		sent, want   string
	}{
		{true, true, "gzip", "gzip"}, {true, true, "br", "br"}, {true, true, "br;q=0.9, gzip", "br,gzip"}, {true, true, "deflate", "identity"},
		{true, true, "", ""}, {true, false, "gzip, br", "gzip"}, {true, false, "br", "identity"}, {false, true, "gzip, br", "br"}, {false, false, "gzip", ""},
		{true, true, "*", "identity"}, {true, true, "x-gzip", "identity"}, {true, true, "gzip;q=0,br;q=0.0", "identity"},
	} {
		d := withPolicies(t, cacheBy("", "", "", c.gzip, c.brotli), nil)
		r := request("GET /")
		if c.sent != "" {
			r.Fields.Add("Accept-Encoding", c.sent)
		}
		if got := d.Behaviors[0].Forward(d, r).Fields.Get("Accept-Encoding"); got != c.want {
			t.Errorf("gzip %v, br %v, %q: the origin gets %q, want %q", c.gzip, c.brotli, c.sent, got, c.want)
		}
	}
}

// What an answer may depend on is in the key: two requests with one key look the same to the origin
// but for what no policy put into the key and yet sends, which under a cache policy alone is nothing
// but the viewer's address.
func TestForward_OneKeyOneOriginRequest(t *testing.T) {
	policies := []*Distribution{compiled(t, minimal()), withPolicies(t, cacheBy("Accept Host Authorization", "a", "x", true, true), nil),
		withPolicies(t, cacheBy("CloudFront-Is-Mobile-Viewer", "-a", "-x", false, true), nil), withPolicies(t, cacheBy("", "all", "all", false, false), nil)}
	for i, d := range policies {
		seen := map[string]string{}
		for n := range 4096 {
			r := request("GET /a?" + []string{"", "x=1", "y=1", "x=1&y=1"}[n&3])
			for j, f := range []string{"Accept: text/html", "Authorization: u", "Cookie: a=1; b=2", "Cookie: b=2", "User-Agent: iPhone Mobile", "Accept-Encoding: gzip",
				"Accept-Encoding: br", "X-Custom: 1", "Origin: o", "Cache-Control: no-cache"} {
				if n>>2&(1<<j) != 0 {
					name, value, _ := strings.Cut(f, ": ")
					r.Fields.Add(name, value)
				}
			}
			k, got := key(d, r), sent(d, r)
			got = strings.Replace(got, "Accept-Encoding: identity | ", "", 1) // says the same as no field
			if was, ok := seen[k]; ok && was != got {
				t.Fatalf("policy %d: one key, but the origin gets\n%s\n%s", i, was, got)
			}
			seen[k] = got
		}
	}
}

func TestUnion(t *testing.T) {
	none, all := selector{}, selector{mode: selectAll}
	some := func(m mode, n string) selector { return selector{mode: m, names: strings.Fields(n)} }
	cases := []selector{none, all, some(selectOnly, "a b"), some(selectOnly, "b c"), some(selectExcept, "a b"), some(selectExcept, "b c"), some(selectExcept, "d")}
	for _, a := range cases {
		for _, b := range cases {
			u := union(a, b)
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				if got, want := u.has(n), a.has(n) || b.has(n); got != want {
					t.Errorf("union(%v, %v) has %s: %v", a, b, n, got)
				}
			}
		}
	}
}

func TestKeptVary(t *testing.T) {
	plain := compiled(t, minimal())
	device := withPolicies(t, cacheBy("Origin CloudFront-Is-Tablet-Viewer", "", "", false, false), nil)
	every := withManaged(t, optimized, allViewer)
	for _, c := range []struct {
		d          *Distribution
		vary, want string
	}{
		{plain, "Accept-Encoding", "Accept-Encoding"}, {plain, "accept-encoding,  Origin", "accept-encoding"}, {plain, "Origin, User-Agent", ""},
		{plain, "*", "*"}, {plain, "Cookie,Accept-Encoding", "Cookie,Accept-Encoding"}, {plain, "", ""},
		{device, "origin, User-Agent, X", "origin, User-Agent"}, {every, "X, User-Agent", "X, User-Agent"},
	} {
		if got := c.d.Behaviors[0].KeptVary(c.vary); got != c.want {
			t.Errorf("KeptVary(%q) = %q, want %q", c.vary, got, c.want)
		}
	}
}

func TestDevices(t *testing.T) {
	for ua, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/128.0":                                   "desktop",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari": "mobile ios",
		"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari":          "tablet ios",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/128.0 Mobile Safari/537.36":               "mobile android",
		"Mozilla/5.0 (Linux; Android 13; SM-X906C) Chrome/128.0 Safari/537.36":                     "tablet android",
		"Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) Version/7.0 TV Safari/537.36":                    "tv",
		"": "desktop",
	} {
		var got []string
		for _, x := range []struct {
			m made
			s string
		}{{madeIsDesktop, "desktop"}, {madeIsMobile, "mobile"}, {madeIsTablet, "tablet"}, {madeIsSmartTV, "tv"}, {madeIsIOS, "ios"}, {madeIsAndroid, "android"}} {
			if isDevice(x.m, ua) {
				got = append(got, x.s)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", ua, got, want)
		}
	}
}

func TestCompile_WhatResponsesLose(t *testing.T) {
	for policy, want := range map[string]bool{"": true, "all": false, "a": false, "-a": false} {
		d := withPolicies(t, cacheBy("", policy, "", false, false), nil)
		if got := d.Behaviors[0].StripsSetCookie(); got != want {
			t.Errorf("cookies %q: Set-Cookie stripped %v", policy, got)
		}
	}
	d := withPolicies(t, cacheBy("", "", "", false, false), requestBy("", "all", ""))
	if d.Behaviors[0].StripsSetCookie() {
		t.Error("the origin request policy forwards cookies, yet Set-Cookie is stripped")
	}
}

func TestCompile_WhoSeesAuthorizedAnswers(t *testing.T) {
	own := minimal()
	own.DefaultCacheBehavior.CachePolicyId, own.DefaultCacheBehavior.OriginRequestPolicyId = ptr(optimized), ptr(allViewer)
	own.Origins.Items[0].CustomHeaders = &wire.CustomHeaders{Quantity: ptr(int64(1)),
		Items: []wire.OriginCustomHeader{{HeaderName: ptr("authorization"), HeaderValue: ptr("Basic of-the-edge")}}}
	for name, c := range map[string]struct {
		d    *Distribution
		want bool
	}{
		"not forwarded":                {withManaged(t, optimized, ""), false},
		"forwarded, not in the key":    {withManaged(t, optimized, allViewer), true},
		"in the key":                   {withPolicies(t, cacheBy("Authorization", "", "", false, false), nil), false},
		"replaced by the origin's":     {compiled(t, own), false},
		"legacy":                       {withLegacy(t, &wire.ForwardedValues{QueryString: ptr(true), Cookies: &wire.CookiePreference{Forward: ptr("none")}}), false},
		"legacy, selected: in the key": {withLegacy(t, &wire.ForwardedValues{QueryString: ptr(true), Cookies: &wire.CookiePreference{Forward: ptr("none")}, Headers: names1("Authorization")}), false},
	} {
		if got := c.d.Behaviors[0].SharesAuthorized(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCompile_TTLs(t *testing.T) {
	for _, c := range []struct {
		d    *Distribution
		want string
	}{
		{compiled(t, minimal()), "1s 24h0m0s 8760h0m0s false"},
		{withManaged(t, disabled, ""), "0s 0s 0s true"},
		{withLegacy(t, &wire.ForwardedValues{QueryString: ptr(false), Cookies: &wire.CookiePreference{Forward: ptr("none")}}), "0s 24h0m0s 8760h0m0s false"},
		{withLegacy(t, &wire.ForwardedValues{QueryString: ptr(false), Cookies: &wire.CookiePreference{Forward: ptr("none")}, Headers: names1("*")}), "0s 24h0m0s 8760h0m0s true"},
	} {
		b := c.d.Behaviors[0]
		if got := fmt.Sprint(b.MinTTL, b.DefaultTTL, b.MaxTTL, b.CachingDisabled); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// What the connection is, whatever the viewer says of it. Plain HTTP has nothing to say.
func TestForward_ViewerTLS(t *testing.T) {
	d := withPolicies(t, cacheBy("", "", "", false, false), requestBy("CloudFront-Viewer-TLS", "", ""))
	r := everything("GET /")
	if got := sent(d, r); strings.Contains(got, "Viewer-TLS") {
		t.Errorf("plain HTTP: %s", got)
	}
	r.TLS = &message.TLS{Protocol: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Handshake: message.SessionResumed}
	if got := sent(d, r); strings.Count(got, "Viewer-TLS") != 1 || !strings.Contains(got, "| CloudFront-Viewer-TLS: TLSv1.3:TLS_AES_128_GCM_SHA256:sessionResumed |") {
		t.Errorf("https: %s", got)
	}
	if got := sent(withManaged(t, disabled, ""), r); strings.Contains(got, "Viewer-TLS") {
		t.Errorf("no policy names it: %s", got)
	}
}
