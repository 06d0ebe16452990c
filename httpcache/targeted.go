package httpcache

import (
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/warmfront/warmfront/internal/message"
)

// Device is the name under which a Surrogate-Control directive can be meant for this cache alone, and
// Capability what it says of itself to origins (W3C Note Edge Architecture Specification 1.0).
const (
	Device     = "warmfront"
	Capability = Device + `="Surrogate/1.0"`
)

// Governing returns the directives that this cache has to go by: those of CDN-Cache-Control (RFC 9213),
// else of Surrogate-Control, else of Cache-Control. targeted: of one of the first two; then neither
// Cache-Control nor Expires has a say.
func Governing(f message.Fields) (d Directives, targeted bool) {
	if d, ok := cdnCacheControl(f.Values("CDN-Cache-Control")); ok {
		return d, true
	}
	if d, ok := surrogateControl(f.Values("Surrogate-Control")); ok {
		return d, true
	}
	return ParseCacheControl(f), false
}

// cdnCacheControl reads a Dictionary Structured Field. One that is empty or malformed is not there
// (RFC 9213 section 2.1).
func cdnCacheControl(lines []string) (Directives, bool) {
	d := noDirectives()
	if len(lines) == 0 {
		return d, false
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return d, false
	}
	for _, directive := range dict.Names() {
		member, _ := dict.Get(directive)
		d.addMember(directive, member)
	}
	d.Present = true
	return d, true
}

// addMember adds a member of a dictionary. A value of another type than the directive's is as good as
// garbage there: a number becomes zero, and field names none.
func (d *Directives) addMember(directive string, member httpsfv.Member) {
	item, ok := member.(httpsfv.Item)
	if !ok {
		return
	}
	switch value := item.Value.(type) {
	case bool:
		if value {
			d.add(directive, "")
		}
	case int64:
		d.addSeconds(directive, value)
	case string:
		if directive == "no-cache" || directive == "private" {
			d.add(directive, value)
			return
		}
		d.add(directive, "?")
	default:
		d.add(directive, "?")
	}
}

func (d *Directives) addSeconds(directive string, n int64) {
	n = min(max(0, n), maxDelta)
	switch directive {
	case "max-age":
		d.MaxAge = n
	case "s-maxage":
		d.SMaxAge = n
	case "stale-while-revalidate":
		d.StaleWhileRevalidate = n
	case "stale-if-error":
		d.StaleIfError = n
	}
}

// surrogateControl reads max-age and no-store. What is meant for this device by name comes before what
// is meant for all; what is meant for another is nothing. "max-age=60+30" grants 30 more seconds while
// the origin is asked.
func surrogateControl(lines []string) (Directives, bool) {
	all, mine := noDirectives(), noDirectives()
	for _, line := range lines {
		for m := (members{rest: line}); m.more(); {
			member, target, targeted := strings.Cut(m.next(), ";")
			directive, value, _ := strings.Cut(trim(member), "=")
			switch {
			case !targeted:
				all.addSurrogate(directive, value)
			case trim(target) == Device:
				mine.addSurrogate(directive, value)
			}
		}
	}
	if mine.Present {
		return mine, true
	}
	return all, all.Present
}

func (d *Directives) addSurrogate(directive, value string) {
	switch {
	case strings.EqualFold(directive, "no-store"):
		d.NoStore, d.Present = true, true
	case strings.EqualFold(directive, "max-age"):
		fresh, more, extended := strings.Cut(value, "+")
		first(&d.MaxAge, fresh)
		if d.Present = true; extended {
			first(&d.StaleWhileRevalidate, more)
		}
	}
}
