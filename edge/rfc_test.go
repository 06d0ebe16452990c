package edge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// The whole edge with RFC semantics beside a cache that is a map, as RFC 9111 describes a shared one: what is stored, what
// of it answers whom, what is validated and how, what a 304 renews, what an unsafe request invalidates, what is used although
// it is stale. (All directives by themselves and in any combination: httpcache's model.) Each step names its section; what the
// RFC leaves open, and Warmfront has decided, is marked "ours".

// rfcResource is what an origin has under a path: its answers vary on these fields, and have such a validator.
type rfcResource struct {
	vary      []string
	validator string // "ETag", "Last-Modified", or none
	version   int
	modified  time.Time // when that version came to be
}

// rfcSaid is what the origin says of everything for now.
type rfcSaid struct {
	status    int
	cc        map[string]int // Cache-Control; a directive without a number has -1
	age, ago  int            // the Age field, and how long the Date lies back
	expires   int            // seconds after the Date; -1: no such field
	directive string         // cc in words
}

type rfcAsked struct {
	method, path  string
	fields        map[string]string // Foo and Bar
	wishes        map[string]int    // of Cache-Control; one without a number has -1
	authorization bool
	knows         string // If-None-Match
}

type rfcStored struct {
	status        int
	body          string
	etag          string
	modified      time.Time      // Last-Modified; zero: no such field
	cc            map[string]int // Cache-Control, as of the last 304 that had one
	expires       time.Time      // Expires likewise; zero: no such field
	arrived       time.Time
	age, lifetime time.Duration // corrected initial age (4.2.3), freshness lifetime (4.2.1, 4.2.2)
	always, never bool          // no-cache; must-revalidate and the like
	whileAsked    time.Duration // stale-while-revalidate
	onError       time.Duration // stale-if-error
	held          time.Time     // the origin has failed, and is left alone
}

// rfcWant is what is to come of a request.
type rfcWant struct {
	status int
	body   string
	kind   string        // of X-Cache; "" is not looked at
	age    time.Duration // of a hit
	asked  int           // how often the origin is asked
}

type rfcModel struct {
	resources map[string]*rfcResource
	said      rfcSaid
	stored    map[string]map[string]*rfcStored // by path, then by what its answers vary on (4.1)
}

const rfcDelay = time.Millisecond // testOrigin's

// variant is 4.1: "all presented header fields nominated by that Vary field value match".
func (m *rfcModel) variant(a *rfcAsked) (v string) {
	for _, name := range m.resources[a.path].vary {
		value, ok := a.fields[name]
		v += fmt.Sprintf("%v%q", ok, value)
	}
	return v
}

// origin's answer to a request that has no conditions.
func (m *rfcModel) origin(a *rfcAsked, now time.Time) (status int, body, etag string, modified time.Time) {
	r := m.resources[a.path]
	if m.said.status >= 400 {
		return m.said.status, fmt.Sprint("error ", m.said.status), "", time.Time{}
	}
	body = fmt.Sprint(a.path, " v", r.version, m.variant(a))
	switch r.validator {
	case "ETag":
		etag = strconv.Quote(strings.Map(func(r rune) rune {
			if r == '"' || r == ' ' {
				return '-'
			}
			return r
		}, body))
	case "Last-Modified":
		modified = r.modified
	}
	return m.said.status, body, etag, modified
}

// store is section 3: nil is what may not be stored, or could never be used. personal tells that it is not, because it may be
// for this one user.
func (m *rfcModel) store(a *rfcAsked, now time.Time, e rfcStored) (_ *rfcStored, personal bool) {
	date := now.Add(-time.Duration(m.said.ago) * time.Second)
	if m.said.expires >= 0 {
		e.expires = date.Add(time.Duration(m.said.expires) * time.Second)
	}
	if len(m.said.cc) > 0 {
		e.cc = m.said.cc
	}
	has := func(directive string) bool { _, ok := e.cc[directive]; return ok }
	seconds := func(directive string) time.Duration { return time.Duration(e.cc[directive]) * time.Second }
	_, unwanted := a.wishes["no-store"]
	switch {
	case unwanted: // 5.2.1.5
		return nil, true
	case has("no-store"), has("private"):
		return nil, false
	case a.authorization && !has("public") && !has("s-maxage") && !has("must-revalidate"): // 3.5
		return nil, true
	}
	// 4.2.3: the greater of what Date and Age make of it.
	e.arrived = now
	e.age = max(0, now.Sub(date), time.Duration(m.said.age)*time.Second+rfcDelay)
	switch { // 4.2.1
	case has("s-maxage"):
		e.lifetime = seconds("s-maxage")
	case has("max-age"):
		e.lifetime = seconds("max-age")
	case !e.expires.IsZero():
		e.lifetime = e.expires.Sub(date)
	case !has("public") && !slices.Contains([]int{200, 203, 301, 404, 410}, e.status):
		return nil, false
	case !e.modified.IsZero(): // 4.2.2: "a typical setting of this fraction might be 10%"
		e.lifetime = max(0, date.Sub(e.modified)/10)
	case e.status >= 400: // ours: the error caching minimum
		e.lifetime = 10 * time.Second
	default: // ours: the default TTL
		e.lifetime = time.Hour
	}
	e.always = has("no-cache")                                                                                  // 5.2.2.4
	e.never = e.always || has("must-revalidate") || has("s-maxage")                                             // 4.2.4, 5.2.2.2, 5.2.2.10
	e.whileAsked, e.onError, e.held = seconds("stale-while-revalidate"), seconds("stale-if-error"), time.Time{} // RFC 5861
	if (e.lifetime <= e.age || e.always) && e.etag == "" && e.modified.IsZero() && (e.never || e.whileAsked+e.onError == 0) {
		return nil, false
	}
	return &e, false
}

func (e *rfcStored) current(now time.Time) time.Duration { return e.age + now.Sub(e.arrived) } // 4.2.3
func (e *rfcStored) stale(now time.Time) time.Duration   { return e.current(now) - e.lifetime }
func (e *rfcStored) fresh(now time.Time) bool            { return e.stale(now) < 0 && !e.always }

// expect is section 4, and what comes of it is stored.
func (m *rfcModel) expect(a *rfcAsked, now time.Time) rfcWant {
	variant := m.variant(a)
	if m.stored[a.path] == nil {
		m.stored[a.path] = map[string]*rfcStored{}
	}
	if a.method == "POST" { // 4.4
		status, body, _, _ := m.origin(a, now)
		if status < 400 {
			delete(m.stored, a.path)
		}
		return rfcWant{status: status, body: body, asked: 1}
	}
	e := m.stored[a.path][variant]
	_, onlyIfCached := a.wishes["only-if-cached"]
	if e != nil {
		hit := rfcWant{status: e.status, body: e.body, kind: "Hit", age: e.current(now)}
		switch {
		case !m.answers(e, a, now):
		case e.fresh(now), m.allowsStale(e, a, now), now.Before(e.held):
			return hit
		case !onlyIfCached && !e.never && e.stale(now) < e.whileAsked: // RFC 5861 section 3
			hit.asked = m.validate(&rfcAsked{method: "GET", path: a.path, fields: a.fields, authorization: a.authorization, wishes: a.wishes}, e, variant, now).asked
			return hit
		}
	}
	if onlyIfCached { // 5.2.1.7
		return rfcWant{status: 504, kind: "Error"}
	}
	return m.validate(a, e, variant, now)
}

// answers tells whether the request lets itself be answered with this at all (5.2.1.1, 5.2.1.3, 5.2.1.4).
func (m *rfcModel) answers(e *rfcStored, a *rfcAsked, now time.Time) bool {
	if _, ok := a.wishes["no-cache"]; ok {
		return false
	}
	if most, ok := a.wishes["max-age"]; ok && e.current(now) > time.Duration(most)*time.Second {
		return false
	}
	least, ok := a.wishes["min-fresh"]
	return !ok || e.lifetime-e.current(now) >= time.Duration(least)*time.Second && !(e.always && least > 0)
}

// allowsStale is 5.2.1.2.
func (m *rfcModel) allowsStale(e *rfcStored, a *rfcAsked, now time.Time) bool {
	most, ok := a.wishes["max-stale"]
	return ok && !e.never && (most < 0 || e.stale(now) <= time.Duration(most)*time.Second)
}

// validate is 4.3, and 3.3 where nothing is stored.
func (m *rfcModel) validate(a *rfcAsked, e *rfcStored, variant string, now time.Time) rfcWant {
	status, body, etag, modified := m.origin(a, now)
	if e != nil && status < 400 && e.status < 400 && (etag != "" && etag == e.etag || !modified.IsZero() && modified.Equal(e.modified)) {
		if renewed, _ := m.store(a, now, *e); renewed != nil { // 4.3.4
			m.stored[a.path][variant] = renewed
		}
		return rfcWant{status: e.status, body: e.body, kind: "RefreshHit", asked: 1}
	}
	if status >= 500 && e != nil && e.status < 400 && (e.fresh(now) || !e.never && e.stale(now) < e.onError) { // RFC 5861 section 4
		e.held = now.Add(10 * time.Second) // ours: the error caching minimum, within the window
		if end := now.Add(e.onError - e.stale(now)); end.Before(e.held) {
			e.held = end
		}
		if e.never {
			e.held = time.Time{}
		}
		return rfcWant{status: e.status, body: e.body, kind: "Hit", age: e.current(now), asked: 1}
	}
	is, personal := m.store(a, now, rfcStored{status: status, body: body, etag: etag, modified: modified})
	switch {
	case is != nil:
		m.stored[a.path][variant] = is
	case (status == 404 || status == 410) && e != nil && e.status < 400 && !personal: // ours: what was taken away does not come back
		delete(m.stored[a.path], variant)
	}
	return rfcWant{status: status, body: body, kind: "Miss", asked: 1}
}

func drawRFC(r *rand.Rand, m *rfcModel) {
	m.said = rfcSaid{status: []int{200, 200, 200, 200, 203, 301, 302, 404, 410, 500, 503}[r.IntN(11)], cc: map[string]int{}, expires: -1}
	names := []string{"max-age", "max-age", "s-maxage", "no-cache", "no-store", "private", "must-revalidate", "public", "stale-if-error", "stale-while-revalidate"}
	for range r.IntN(4) {
		name := names[r.IntN(len(names))]
		switch m.said.cc[name] = -1; name {
		case "max-age", "s-maxage", "stale-if-error", "stale-while-revalidate":
			m.said.cc[name] = []int{0, 5, 20, 60}[r.IntN(4)]
		}
	}
	m.said.directive = rfcDirectives(m.said.cc)
	if r.IntN(4) == 0 {
		m.said.age = []int{3, 10, 30}[r.IntN(3)]
	}
	if r.IntN(4) == 0 {
		m.said.ago = []int{2, 8, 40}[r.IntN(3)]
	}
	if r.IntN(4) == 0 {
		m.said.expires = []int{0, 10, 50}[r.IntN(3)]
	}
}

func rfcDirectives(cc map[string]int) string {
	var all []string
	for name, n := range cc {
		if n >= 0 {
			name += "=" + strconv.Itoa(n)
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (m *rfcModel) draw(r *rand.Rand) *rfcAsked {
	a := &rfcAsked{method: "GET", path: []string{"/x", "/y", "/z"}[r.IntN(3)], fields: map[string]string{}, wishes: map[string]int{}}
	switch r.IntN(20) {
	case 0:
		a.method = "POST"
	case 1, 2:
		a.method = "HEAD"
	}
	for _, name := range []string{"Foo", "Bar"} {
		if i := r.IntN(4); i > 0 {
			a.fields[name] = []string{"", "", "1", "2"}[i]
		}
	}
	a.authorization = r.IntN(8) == 0
	if r.IntN(3) == 0 {
		name := []string{"no-cache", "no-store", "max-age", "min-fresh", "max-stale", "max-stale", "only-if-cached"}[r.IntN(7)]
		switch a.wishes[name] = -1; name {
		case "max-age", "min-fresh":
			a.wishes[name] = []int{0, 4, 15, 100}[r.IntN(4)]
		case "max-stale":
			a.wishes[name] = []int{-1, 4, 15, 100}[r.IntN(4)]
		}
	}
	return a
}

// lines of the request.
func (a *rfcAsked) lines() (line string, fields []string) {
	for name, value := range a.fields {
		fields = append(fields, strings.ToLower(name)+": "+value)
	}
	if len(a.wishes) > 0 {
		fields = append(fields, "Cache-Control: "+rfcDirectives(a.wishes))
	}
	if a.authorization {
		fields = append(fields, "Authorization: Basic Og==")
	}
	if a.knows != "" {
		fields = append(fields, "If-None-Match: "+a.knows)
	}
	slices.Sort(fields)
	return a.method + " " + a.path, fields
}

func TestStrict_LikeTheRFC(t *testing.T) {
	for seed := range max(20, 2**seeds) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			strictStory(t, func(w *world) { besideTheRFC(w, rand.New(rand.NewPCG(uint64(seed), 9111))) })
		})
	}
}

// besideTheRFC asks both for the same.
func besideTheRFC(w *world, r *rand.Rand) {
	m := &rfcModel{resources: map[string]*rfcResource{}, stored: map[string]map[string]*rfcStored{}}
	w.settle(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // dates are whole seconds
	asked := 0
	for _, path := range []string{"/x", "/y", "/z"} {
		m.resources[path] = &rfcResource{vary: [][]string{nil, {"Foo"}, {"Foo", "Bar"}}[r.IntN(3)], validator: []string{"", "ETag", "Last-Modified"}[r.IntN(3)],
			modified: w.edge.now().Add(-time.Duration(r.IntN(500)) * time.Second)}
		w.origin.on(path, &reply{react: func(q *origin.Request) *reply {
			asked++
			return m.reply(q, w.edge.now())
		}})
	}
	drawRFC(r, m)
	var log message.Fields
	for range 200 {
		switch r.IntN(6) {
		case 0, 1:
			w.settle(time.Duration([]int{1, 2, 4, 9, 25, 61, 300}[r.IntN(7)]) * time.Second)
		case 2:
			drawRFC(r, m)
		case 3:
			x := m.resources[[]string{"/x", "/y", "/z"}[r.IntN(3)]]
			x.version, x.modified = x.version+1, w.edge.now()
		}
		a := m.draw(r)
		_, _, etag, _ := m.origin(a, w.edge.now())
		if r.IntN(6) == 0 && a.method != "POST" {
			a.knows = etag
		}
		line, fields := a.lines()
		before := asked
		v := w.get(line, fields...)
		m.compare(w, a, v, asked-before, &log)
		log.Add(line, fmt.Sprint(fields, " of ", m.said.status, " ", m.said.directive))
		if a.method == "POST" {
			w.settle(time.Second) // what is fetched in the same instant may count as before
		}
	}
}

// compare the edge's answer with the model's.
func (m *rfcModel) compare(w *world, a *rfcAsked, v *viewer, asked int, log *message.Fields) {
	w.t.Helper()
	now := w.edge.now()
	was := m.stored[a.path][m.variant(a)]
	if was != nil {
		c := *was
		was = &c
	}
	want := m.expect(a, now)
	page := want.status == 504
	if want.status >= 400 && a.method != "POST" {
		want.kind = "Error"
	}
	if a.knows != "" && want.status < 300 && a.knows == v.fields.Get("ETag") { // 4.3.2
		want.status, want.body = 304, ""
	}
	if a.method == "HEAD" {
		want.body = ""
	}
	age := ""
	if want.kind == "Hit" {
		age = strconv.Itoa(int(want.age / time.Second))
	}
	if v.status != want.status || !page && v.text() != want.body || asked != want.asked ||
		want.kind != "" && !strings.HasPrefix(v.xcache(), want.kind+" ") || age != "" && v.fields.Get("Age") != age {
		line, fields := a.lines()
		w.t.Fatalf("%s %v\nof %+v, which the origin says of %+v\ngot %d %q %s, Age %s, asked %d times\nthe RFC says %+v of %+v\n%v", line, fields, *m.resources[a.path], m.said,
			v.status, v.text(), v.xcache(), v.fields.Get("Age"), asked, want, was, (*log)[max(0, len(*log)-8):])
	}
}

// reply is the origin's, to what it is really asked.
func (m *rfcModel) reply(q *origin.Request, now time.Time) *reply {
	a := &rfcAsked{method: q.Method, path: q.Path, fields: map[string]string{}}
	for _, name := range []string{"Foo", "Bar"} {
		if q.Fields.Has(name) {
			a.fields[name] = q.Fields.Get(name)
		}
	}
	code, body, etag, modified := m.origin(a, now)
	out := status(code, body)
	add := func(name, value string) {
		if value != "" {
			out.fields.Add(name, value)
		}
	}
	date := now.Add(-time.Duration(m.said.ago) * time.Second)
	add("Date", httpDate(date))
	add("Cache-Control", m.said.directive)
	add("Vary", strings.Join(m.resources[a.path].vary, ", "))
	add("ETag", etag)
	if !modified.IsZero() {
		add("Last-Modified", httpDate(modified))
	}
	if m.said.age > 0 {
		add("Age", strconv.Itoa(m.said.age))
	}
	if m.said.expires >= 0 {
		add("Expires", httpDate(date.Add(time.Duration(m.said.expires)*time.Second)))
	}
	if code < 400 && (etag != "" && q.Fields.Get("If-None-Match") == etag ||
		!q.Fields.Has("If-None-Match") && !modified.IsZero() && q.Fields.Get("If-Modified-Since") == httpDate(modified)) {
		out.status, out.body = 304, ""
	}
	return out
}
