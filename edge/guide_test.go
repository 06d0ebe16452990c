package edge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// The whole edge beside a cache that is a map, as CloudFront's developer guide describes it: what is in the cache key, what the
// origin gets to see of a request, for how long an answer is kept, and what is shown of it. (Every directive by itself, and all
// their combinations: httpcache's model.) What the guide leaves open, and Warmfront has decided, is marked "ours".

// guideSettings are what one behavior says. Lists are nil for "none".
type guideSettings struct {
	legacy         bool          // ForwardedValues, not a policy
	min, def, most time.Duration // TTLs
	query          string        // none, whitelist, allExcept, all; with legacy settings none, whitelist (all are forwarded), all
	queries        []string
	cookie         string // none, whitelist, allExcept (not with legacy settings), all
	cookies        []string
	headers        []string // "*" with legacy settings: all, and nothing is cached
}

// selects is a list in one of its modes.
func selects(mode string, list []string, name string) bool {
	switch mode {
	case "all":
		return true
	case "whitelist":
		return slices.Contains(list, name)
	case "allExcept":
		return !slices.Contains(list, name)
	}
	return false
}

// guideAsked is one request of a viewer. Its parameters and cookies are "name=value".
type guideAsked struct {
	path             string
	queries, cookies []string
	headers          map[string]string
}

// leftOf is what a mode leaves of parameters or cookies, in their order.
func leftOf(mode string, list, all []string) (left []string) {
	for _, pair := range all {
		if name, _, _ := strings.Cut(pair, "="); selects(mode, list, name) {
			left = append(left, pair)
		}
	}
	return left
}

// key: "the path, and the query string parameters, headers and cookies of the cache policy"; parameters in their order, "cookies
// sorted by name".
func (s *guideSettings) key(a *guideAsked) string {
	cookies := leftOf(s.cookie, s.cookies, a.cookies)
	sort.Strings(cookies)
	key := fmt.Sprint(a.path, "?", leftOf(s.query, s.queries, a.queries), cookies)
	for _, name := range s.headers {
		if value, ok := a.headers[name]; ok {
			key += "\n" + name + ":" + value
		}
	}
	return key
}

// forwarded: "everything in the cache key is in the request to the origin". With legacy settings a query string is forwarded as a
// whole, and headers of the viewer's own are, too.
func (s *guideSettings) forwarded(a *guideAsked) string {
	queries := leftOf(s.query, s.queries, a.queries)
	if s.legacy && s.query != "none" {
		queries = a.queries
	}
	cookies := leftOf(s.cookie, s.cookies, a.cookies)
	sort.Strings(cookies)
	said := fmt.Sprint(strings.Join(queries, "&"), " ", strings.Join(cookies, "; "))
	for _, name := range guideHeaders {
		if value, ok := a.headers[name]; ok && (s.legacy || slices.Contains(s.headers, name)) {
			said += " " + name + ":" + value
		}
	}
	return said
}

// guideAnswer is what the origin says for now.
type guideAnswer struct {
	status int
	says   string // its Cache-Control
	cookie bool   // it sets one
}

// keeps is for how long an answer is kept, and then shown if the origin fails.
func (s *guideSettings) keeps(a guideAnswer) (fresh, failing time.Duration) {
	if s.min == 0 && s.def == 0 && s.most == 0 || slices.Contains(s.headers, "*") {
		return 0, 0
	}
	said, ok := map[string]time.Duration{"max-age=5": 5, "max-age=40": 40, "max-age=5, s-maxage=90": 90, "max-age=0": 0}[a.says]
	said *= time.Second
	refuses := slices.Contains([]string{"no-store", "private", "no-cache"}, a.says)
	switch {
	case a.status == 404: // heeds them, and has the error caching minimum TTL of ten seconds
		if refuses {
			return 0, 0
		}
		return max(10*time.Second, min(said, s.most)), 0
	case a.status >= 500: // does not heed them
		return max(10*time.Second, min(said, s.most)), 0
	case refuses:
		return s.min, 0 // the minimum TTL overrides them
	case !ok:
		return max(s.min, s.def), s.most
	}
	fresh = max(s.min, min(said, s.most))
	if fresh == 0 { // ours: never fresh, and nothing to revalidate it by
		return 0, 0
	}
	return fresh, s.most
}

type guideEntry struct {
	status         int
	body           string
	cookie         bool
	fresh, failing time.Time // until when
	held           time.Time // the origin has failed, and is not asked
}

var (
	guideHeaders = []string{"X-A", "X-B"}
	guideNames   = []string{"a", "b", "A"}
)

func drawSettings(r *rand.Rand) guideSettings {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	some := func(of []string) (list []string) {
		for _, s := range of {
			if r.IntN(2) == 0 {
				list = append(list, s)
			}
		}
		if len(list) == 0 {
			list = of[:1]
		}
		return list
	}
	ttl := [][3]time.Duration{{0, 60, 3600}, {0, 0, 30}, {20, 60, 60}, {0, 0, 0}, {7, 7, 7}}[r.IntN(5)]
	s := guideSettings{legacy: r.IntN(3) == 0, min: ttl[0] * time.Second, def: ttl[1] * time.Second, most: ttl[2] * time.Second}
	s.query, s.cookie = one("none", "whitelist", "allExcept", "all"), one("none", "whitelist", "allExcept", "all")
	if s.legacy {
		s.query, s.cookie = one("none", "whitelist", "all"), one("none", "whitelist", "all")
	}
	if s.query == "whitelist" || s.query == "allExcept" {
		s.queries = some(guideNames)
	}
	if s.cookie == "whitelist" || s.cookie == "allExcept" {
		s.cookies = some(guideNames)
	}
	if r.IntN(2) == 0 {
		s.headers = some(guideHeaders)
	}
	if s.legacy && r.IntN(6) == 0 {
		s.headers = []string{"*"}
	}
	if !s.legacy && s.min == 0 && s.def == 0 && s.most == 0 { // "a policy that does not cache has nothing in its key"
		s = guideSettings{query: "none", cookie: "none"}
	}
	return s
}

// put makes the behavior of a distribution of it.
func (s *guideSettings) put(p *journal.DistributionPut) {
	str, secs := wire.Ptr[string], func(d time.Duration) *int64 { return wire.Ptr(int64(d / time.Second)) }
	n := func(list []string) *int64 { return wire.Ptr(int64(len(list))) }
	b := p.Config.DefaultCacheBehavior
	if s.legacy {
		b.CachePolicyId, b.MinTTL, b.DefaultTTL, b.MaxTTL = nil, secs(s.min), secs(s.def), secs(s.most)
		f := &wire.ForwardedValues{QueryString: wire.Ptr(s.query != "none"), Cookies: &wire.CookiePreference{Forward: str(s.cookie)}}
		if s.query == "whitelist" {
			f.QueryStringCacheKeys = &wire.QueryStringCacheKeys{Quantity: n(s.queries), Items: s.queries}
		}
		if s.cookie == "whitelist" {
			f.Cookies.WhitelistedNames = &wire.CookieNames{Quantity: n(s.cookies), Items: s.cookies}
		}
		if len(s.headers) > 0 {
			f.Headers = &wire.Headers{Quantity: n(s.headers), Items: s.headers}
		}
		b.ForwardedValues = f
		return
	}
	in := &wire.ParametersInCacheKeyAndForwardedToOrigin{
		EnableAcceptEncodingGzip: wire.Ptr(false), EnableAcceptEncodingBrotli: wire.Ptr(false),
		HeadersConfig:      &wire.CachePolicyHeadersConfig{HeaderBehavior: str("none")},
		CookiesConfig:      &wire.CachePolicyCookiesConfig{CookieBehavior: str(s.cookie)},
		QueryStringsConfig: &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: str(s.query)},
	}
	if len(s.headers) > 0 {
		in.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: str("whitelist"), Headers: &wire.Headers{Quantity: n(s.headers), Items: s.headers}}
	}
	if len(s.cookies) > 0 {
		in.CookiesConfig.Cookies = &wire.CookieNames{Quantity: n(s.cookies), Items: s.cookies}
	}
	if len(s.queries) > 0 {
		in.QueryStringsConfig.QueryStrings = &wire.QueryStringNames{Quantity: n(s.queries), Items: s.queries}
	}
	p.CachePolicies["policy"] = &wire.CachePolicyConfig{Name: str("policy"), MinTTL: secs(s.min), DefaultTTL: secs(s.def), MaxTTL: secs(s.most),
		ParametersInCacheKeyAndForwardedToOrigin: in}
}

func drawAsked(r *rand.Rand) (a guideAsked) {
	pairs := func() (all []string) {
		for range r.IntN(3) {
			all = append(all, guideNames[r.IntN(len(guideNames))]+"="+strconv.Itoa(r.IntN(2)))
		}
		return all
	}
	a = guideAsked{path: []string{"/x", "/y"}[r.IntN(2)], queries: pairs(), headers: map[string]string{}}
	for _, pair := range pairs() { // one of each name: sorting says nothing about two
		name, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(a.cookies, func(c string) bool { return strings.HasPrefix(c, name+"=") }) {
			a.cookies = append(a.cookies, pair)
		}
	}
	for _, name := range guideHeaders {
		if r.IntN(3) == 0 {
			a.headers[name] = []string{"v", "V"}[r.IntN(2)]
		}
	}
	return a
}

// lines of the request.
func (a *guideAsked) lines() (line string, fields []string) {
	line = a.path
	if len(a.queries) > 0 {
		line += "?" + strings.Join(a.queries, "&")
	}
	if len(a.cookies) > 0 {
		fields = append(fields, "Cookie: "+strings.Join(a.cookies, "; "))
	}
	for _, name := range guideHeaders {
		if value, ok := a.headers[name]; ok {
			fields = append(fields, strings.ToLower(name)+": "+value)
		}
	}
	return line, fields
}

func TestCloudFront_LikeTheGuide(t *testing.T) {
	for seed := range max(20, 2**seeds) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			story(t, func(w *world) { besideTheGuide(w, rand.New(rand.NewPCG(uint64(seed), 9))) })
		})
	}
}

// besideTheGuide asks both for the same.
func besideTheGuide(w *world, r *rand.Rand) {
	s := drawSettings(r)
	w.configure(s.put)
	says := guideAnswer{status: 200}
	version, seen := 0, ""
	react := &reply{react: func(r *origin.Request) *reply {
		version++
		seen = fmt.Sprint(r.Query, " ", r.Fields.Get("Cookie"))
		for _, name := range guideHeaders {
			if r.Fields.Has(name) {
				seen += " " + name + ":" + r.Fields.Get(name)
			}
		}
		out := status(says.status, fmt.Sprint("v", version))
		if says.says != "" {
			out.fields.Add("Cache-Control", says.says)
		}
		if says.cookie {
			out.fields.Add("Set-Cookie", "c=1")
		}
		return out
	}}
	w.origin.on("/x", react)
	w.origin.on("/y", react)
	stored := map[string]*guideEntry{}
	var log message.Fields
	for range 150 {
		switch r.IntN(6) {
		case 0:
			w.settle(time.Duration([]int{1, 3, 6, 10, 25, 61, 300}[r.IntN(7)]) * time.Second)
		case 1:
			says.status = []int{200, 200, 200, 301, 404, 500, 503}[r.IntN(7)]
			says.says = []string{"", "max-age=5", "max-age=40", "max-age=5, s-maxage=90", "max-age=0", "no-store", "private", "no-cache"}[r.IntN(8)]
			says.cookie = r.IntN(4) == 0
		}
		a := drawAsked(r)
		line, fields := a.lines()
		head := r.IntN(8) == 0
		if head {
			line = "HEAD " + line
		}
		before := version
		v := w.get(line, fields...)
		want, asked := s.expect(stored, &a, says, before+1, w.edge.now())
		if head {
			want.body = ""
		}
		kind := "Miss"
		if want.status >= 400 {
			kind = "Error"
		} else if !asked || want.held.After(w.edge.now()) {
			kind = "Hit"
		}
		log.Add(line, fmt.Sprint(fields))
		if v.status != want.status || v.text() != want.body || version-before != map[bool]int{true: 1}[asked] ||
			!strings.HasPrefix(v.xcache(), kind+" ") || v.fields.Has("Set-Cookie") != (want.cookie && s.cookie != "none") {
			w.t.Fatalf("%+v, the origin says %+v\n%v\ngot %d %q %s, Set-Cookie %v, asked %d times; the guide says %+v, asked %v, %s\n%v", s, says, fields,
				v.status, v.text(), v.xcache(), v.fields.Has("Set-Cookie"), version-before, want, asked, kind, log[max(0, len(log)-5):])
		}
		if asked && !slices.Contains(s.headers, "*") && seen != s.forwarded(&a) {
			w.t.Fatalf("%+v\n%s %v: the origin sees %q, the guide says %q", s, line, fields, seen, s.forwarded(&a))
		}
	}
}

// expect is the guide's answer to a request, which the origin would answer as the given version.
func (s *guideSettings) expect(stored map[string]*guideEntry, a *guideAsked, says guideAnswer, version int, now time.Time) (is guideEntry, asked bool) {
	key := s.key(a)
	old := stored[key]
	if old != nil && (now.Before(old.fresh) || now.Before(old.held)) {
		return *old, false
	}
	fresh, failing := s.keeps(says)
	// "When the origin is unreachable or returns 5xx, what has expired is shown", and for the error caching minimum TTL the origin
	// is not asked again.
	if old != nil && says.status >= 500 && now.Before(old.failing) {
		old.held = now.Add(10 * time.Second)
		if old.failing.Before(old.held) {
			old.held = old.failing
		}
		return *old, true
	}
	is = guideEntry{status: says.status, body: fmt.Sprint("v", version), cookie: says.cookie, fresh: now.Add(fresh), failing: now.Add(fresh + failing)}
	if fresh > 0 {
		stored[key] = &is
	} else if says.status == 404 {
		delete(stored, key) // ours: what was taken away does not come back; what is just not stored leaves the older one
	}
	return is, true
}
