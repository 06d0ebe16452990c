package cloudfront

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// router finds the operation that a request names. It is immutable.
type router map[string][]route // by method

// route is one operation with its path template in segments; a segment in braces is a label.
type route struct {
	op       *wire.Operation
	segments []string
}

func newRouter(ops []wire.Operation) router {
	rt := router{}
	for i := range ops {
		op := &ops[i]
		rt[op.Method] = append(rt[op.Method], route{op, strings.Split(strings.TrimPrefix(op.Path, "/"), "/")})
	}
	return rt
}

// version is the first segment of every path.
var version = regexp.MustCompile(`^20(1[4-9]|[2-9]\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`)

// Versioned tells whether a path belongs to this API: whether its first segment is a version.
func Versioned(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return version.MatchString(first)
}

// find returns the operation and the values of its labels. Where several fit, the one with the fixed
// query that the request has goes before the one without, and a literal segment before a label.
func (rt router) find(r *http.Request) (*wire.Operation, map[string]string, error) {
	first, rest, _ := strings.Cut(strings.TrimPrefix(rawPath(r), "/"), "/")
	unknown := refuse("UnknownOperationException", "%s %.200s is no operation of this API.", r.Method, r.URL.Path)
	if !version.MatchString(first) {
		return nil, nil, unknown
	}
	segments := strings.Split(rest, "/")
	var best *route
	for i := range rt[r.Method] {
		candidate := &rt[r.Method][i]
		if candidate.fits(segments, r.URL.RawQuery) && (best == nil || candidate.beats(best)) {
			best = candidate
		}
	}
	if best == nil {
		return nil, nil, unknown
	}
	labels := map[string]string{}
	for i, s := range best.segments {
		if name, ok := label(s); ok {
			value, err := url.PathUnescape(segments[i])
			if err != nil {
				return nil, nil, refuse("InvalidURI", "Could not parse the specified URI: %v", err)
			}
			labels[name] = value
		}
	}
	return best.op, labels, nil
}

// rawPath is the path as sent: an encoded slash belongs to its segment.
func rawPath(r *http.Request) string { return r.URL.EscapedPath() }

func label(segment string) (string, bool) {
	if strings.HasPrefix(segment, "{") {
		return strings.Trim(segment, "{}"), true
	}
	return "", false
}

func (t *route) fits(segments []string, query string) bool {
	if len(segments) != len(t.segments) || !hasParameter(query, t.op.FixedQuery) {
		return false
	}
	for i, s := range t.segments {
		if _, ok := label(s); !ok && s != segments[i] || segments[i] == "" {
			return false
		}
	}
	return true
}

func (t *route) beats(o *route) bool {
	if (t.op.FixedQuery != "") != (o.op.FixedQuery != "") {
		return t.op.FixedQuery != ""
	}
	for i := range t.segments {
		_, mine := label(t.segments[i])
		_, other := label(o.segments[i])
		if mine != other {
			return other
		}
	}
	return false
}

// hasParameter tells whether a raw query has "Operation=Tag", or "WithTags" with or without "=".
func hasParameter(query, want string) bool {
	if want == "" {
		return true
	}
	for p := range strings.SplitSeq(query, "&") {
		if strings.TrimSuffix(p, "=") == want {
			return true
		}
	}
	return false
}
