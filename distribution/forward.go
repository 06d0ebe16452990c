package distribution

import (
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// userAgent is what an origin sees unless the viewer's own is selected.
const userAgent = "Amazon CloudFront"

// forwardPlan is what a behavior sends to its origin: at least what is in its key.
type forwardPlan struct {
	query   selector
	headers selector // fold
	cookies selector
	made    []madeHeader
}

type madeHeader struct {
	name   string // as sent
	made   made
	device bool
}

// Forwarded is what the origin gets, but for what the edge itself adds: Via, CDN-Loop, X-Amz-Cf-Id,
// conditions, ranges, and the framing of a body.
type Forwarded struct {
	Path     string // raw, with the origin path in front
	Query    string
	HasQuery bool
	Host     string
	Fields   message.Fields // origin's custom headers included
}

// Forward returns what the origin gets for r.
func (b *Behavior) Forward(d *Distribution, r *message.Request) Forwarded {
	f := Forwarded{Path: b.Origin.Path + d.RootedPath(r.Path), Host: b.Origin.host}
	if r.Path == "*" { // OPTIONS *: of the origin as a whole
		f.Path = "*"
	}
	f.Query, f.HasQuery = b.forward.query.query(r)
	if b.forward.headers.has("host") && !b.Origin.S3 {
		f.Host = string(appendHost(nil, r))
	}
	f.Fields = make(message.Fields, 0, len(r.Fields)+len(b.forward.made)+len(b.Origin.CustomHeaders)+4)
	b.addViewers(&f.Fields, r, d.RFC)
	b.addOwn(&f.Fields, r)
	f.Fields = append(f.Fields, b.Origin.CustomHeaders...)
	return f
}

// addViewers adds those of the viewer's headers that may pass, in their order. What is in the key, or by Vary may
// tell variants apart, is one value however many lines it has, and so it is one line to the origin.
func (b *Behavior) addViewers(out *message.Fields, r *message.Request, varies bool) {
	nominated := nominations(r.Fields)
	lines := map[string]*combined{}
	for _, x := range r.Fields {
		lower := strings.ToLower(x.Name)
		if !b.passes(lower, r.Method) || b.Origin.CustomHeaders.Has(x.Name) || nominated[lower] {
			continue
		}
		if one := lines[lower]; one != nil {
			one.values = append(one.values, x.Value)
			continue
		}
		if varies || b.key.has(lower) {
			lines[lower] = &combined{at: len(*out), values: []string{x.Value}}
		}
		*out = append(*out, x)
	}
	for _, one := range lines {
		(*out)[one.at].Value = strings.Join(one.values, ", ")
	}
}

// combined are the lines of a header that become one. They are kept until all are there: a viewer may send thousands.
type combined struct {
	at     int // of the first, in what is sent
	values []string
}

// passes tells whether a viewer's header of this lower-case name goes to the origin.
func (b *Behavior) passes(lower, method string) bool {
	selected := b.forward.headers.has(lower)
	switch fateOf(lower) {
	case forbidden:
		return false
	case edges:
		// Of a GET or HEAD the edge makes its own. Other methods it only passes on, and a PUT that
		// lost its If-Match would overwrite what it was to protect.
		conditional := strings.HasPrefix(lower, "if-") && lower != "if-range"
		return conditional && (b.Legacy || selected) && !b.cacheable(method)
	case special:
		return b.passesSpecial(lower, method, selected)
	case optional:
		return selected
	}
	return selected || b.Legacy || bodyHeaders[lower] && !b.cacheable(method)
}

func (b *Behavior) passesSpecial(lower, method string, selected bool) bool {
	switch lower {
	case "authorization":
		return selected || !b.cacheable(method)
	case "user-agent":
		return selected
	case "accept-encoding":
		return selected && !b.normalises()
	}
	return false // host, cookie and x-forwarded-for are made anew
}

// cacheable tells whether answers to the method may be stored at all.
func (b *Behavior) cacheable(method string) bool {
	return method == "GET" || method == "HEAD" || b.Cached.Has(method)
}

// addOwn adds what the edge itself says in the viewer's place. The origin's custom headers come
// after and replace these too.
func (b *Behavior) addOwn(out *message.Fields, r *message.Request) {
	add := func(name, value string) {
		if value != "" && !b.Origin.CustomHeaders.Has(name) {
			out.Add(name, value)
		}
	}
	if !b.forward.headers.has("user-agent") {
		add("User-Agent", userAgent)
	}
	add("Accept-Encoding", b.acceptEncoding(r).String())
	add("X-Forwarded-For", string(appendForwardedFor(nil, r)))
	add("Cookie", b.forward.cookieField(r))
	for _, h := range b.forward.made {
		if v, ok := appendMade(nil, h.made, r); ok {
			add(h.name, string(v))
		}
	}
}

func (p *forwardPlan) cookieField(r *message.Request) string {
	var s strings.Builder
	for i, c := range p.cookies.appendCookies(nil, r) {
		if i > 0 {
			s.WriteString("; ")
		}
		s.WriteString(c.name)
		s.WriteByte('=')
		s.WriteString(c.value)
	}
	return s.String()
}

// nominations are the lower-case names that Connection fields list: fields that end here (RFC 9110
// section 7.6.1). Usually there are none but words of the connection itself, which name no field, and it is
// nil. It is a set because a viewer may send thousands, and as many fields.
func nominations(f message.Fields) (set map[string]bool) {
	for i := range f {
		if !named(f[i].Name, "Connection") {
			continue
		}
		for item := range strings.SplitSeq(f[i].Value, ",") {
			switch item = strings.Trim(item, " \t"); {
			case item == "", named(item, "close"), named(item, "keep-alive"):
			default:
				if set == nil {
					set = map[string]bool{}
				}
				set[strings.ToLower(item)] = true
			}
		}
	}
	return set
}

// KeptVary returns what a response keeps of its Vary value: "*", Accept-Encoding, Cookie, the headers
// that are selected for key or origin, and User-Agent when a device header is. The answer cannot
// vary on anything else, for the origin does not see it; "" means that the field goes.
func (b *Behavior) KeptVary(vary string) string {
	var kept []string
	all := true
	for item := range strings.SplitSeq(vary, ",") {
		item = strings.Trim(item, " \t")
		if item == "" || !b.keepsVary(strings.ToLower(item)) {
			all = false
			continue
		}
		kept = append(kept, item)
	}
	if all {
		return vary
	}
	return strings.Join(kept, ", ")
}

func (b *Behavior) keepsVary(lower string) bool {
	switch lower {
	case "*", "accept-encoding", "cookie":
		return true
	case "user-agent":
		for _, h := range b.forward.made {
			if h.device {
				return true
			}
		}
	}
	return b.forward.headers.has(lower)
}
