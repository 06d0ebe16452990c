package h1

import (
	"net/netip"
	"strings"
)

// SplitTarget takes apart a request target that is not in origin form: the absolute form gives raw
// path and query, and the authority; "*" gives itself.
func SplitTarget(uri string) (target, authority string, ok bool) {
	if uri == "*" {
		return uri, "", true
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", "", false
	}
	i := strings.IndexAny(rest, "/?")
	switch {
	case i == 0 || rest == "":
		return "", "", false // an http URI without host is invalid (RFC 9110 section 4.2.1)
	case i < 0:
		return "/", rest, true
	case rest[i] == '?':
		return "/" + rest[i:], rest[:i], true
	}
	return rest[i:], rest[:i], true
}

// SplitHost parses uri-host [":" port] (RFC 9110 section 7.2), lower case. An empty host is allowed:
// it is no distribution's, which is for the handler to say.
func SplitHost(s string) (host, port string, ok bool) {
	if s == "" {
		return "", "", true
	}
	end := strings.LastIndexByte(s, ':')
	if s[0] == '[' {
		b := strings.IndexByte(s, ']')
		if b < 0 || (b+1 < len(s) && s[b+1] != ':') {
			return "", "", false
		}
		if _, err := netip.ParseAddr(s[1:b]); err != nil || !strings.Contains(s[1:b], ":") || strings.Contains(s[1:b], "%") {
			return "", "", false
		}
		if end = b + 1; end == len(s) {
			end = -1
		}
	}
	host = s
	if end >= 0 {
		host, port = s[:end], s[end+1:]
	}
	for i := range len(port) {
		if !Digit(port[i]) || i >= 5 {
			return "", "", false
		}
	}
	if host == "" || s[0] != '[' && !regName(host) || len(host) > 255 {
		return "", "", false
	}
	return strings.ToLower(host), port, true
}

func regName(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', Digit(c), c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

// EscapesOK tells whether every "%" in a path begins an escape.
func EscapesOK(path string) bool {
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if len(path) < i+3 || !Hex(path[i+1]) || !Hex(path[i+2]) {
			return false
		}
		path = path[i+3:]
	}
}
