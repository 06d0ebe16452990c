package httpcache

import (
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// EndToEnd returns the fields that go beyond one connection: f without the hop-by-hop fields of
// RFC 9110 section 7.6.1 and RFC 9111 section 3.1, and without those that Connection names. f is not
// changed.
func EndToEnd(f message.Fields) message.Fields {
	named := nominated(f)
	kept := make(message.Fields, 0, len(f))
	for _, line := range f {
		if !hopByHop(line.Name) && (named == nil || !named[strings.ToLower(line.Name)]) {
			kept = append(kept, line)
		}
	}
	return kept
}

func hopByHop(name string) bool {
	for _, h := range [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
		"Proxy-Authentication-Info", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade"} {
		if strings.EqualFold(name, h) {
			return true
		}
	}
	return false
}

// nominated are the lower-case names that Connection fields list, nil if they list words of the connection only. It is a set: an origin
// may list thousands, and send hundreds of fields. Cache-Control is meant for everybody on the way (RFC 9110 section 7.6.1 names
// it): to let it be dropped would turn a private answer public.
func nominated(f message.Fields) (set map[string]bool) {
	for i := range f {
		if !strings.EqualFold(f[i].Name, "Connection") {
			continue
		}
		for option := range strings.SplitSeq(f[i].Value, ",") {
			switch option = strings.ToLower(trim(option)); option {
			case "", "close", "keep-alive", "upgrade", "cache-control":
			default:
				if set == nil {
					set = map[string]bool{}
				}
				set[option] = true
			}
		}
	}
	return set
}

// Confirms tells whether a 304 is about the stored answer: not when its validators are others (RFC 9111
// section 4.3.4). Then the object has to be fetched anew, without conditions. Entity tags compare weakly, for
// ours may have become weak here. A 304 without validators confirms: many origins leave them away.
func Confirms(obj, fresh304 message.Fields) bool {
	theirs, ours := fresh304.Get("ETag"), obj.Get("ETag")
	if theirs != "" && ours != "" {
		return weakMatch(theirs, ours)
	}
	date, had := fresh304.Get("Last-Modified"), obj.Get("Last-Modified")
	if date != "" && had != "" {
		return date == had
	}
	return !strongMatch(theirs, theirs) // a strong tag that the stored answer has not is of another
}

// Refresh returns the stored fields renewed by those of a 304 (RFC 9111 section 3.2). What describes
// the stored octets stays: Content-Length, Content-Encoding, Content-Range, their digests, and an entity tag that
// differs only in being weak, as it does when the stored octets are a compressed variant. Age is the
// 304's or none. The arguments are not changed.
func Refresh(old, fresh304 message.Fields) message.Fields {
	update := make(message.Fields, 0, len(fresh304))
	for _, line := range EndToEnd(fresh304) {
		if !describesOctets(line.Name, line.Value, old) {
			update = append(update, line)
		}
	}
	merged := make(message.Fields, 0, len(old)+len(update))
	for i, line := range old {
		switch {
		case strings.EqualFold(line.Name, "Age"):
		case !update.Has(line.Name):
			merged = append(merged, line)
		case !old[:i].Has(line.Name): // where the first old line stood, all new lines
			merged = appendNamed(merged, update, line.Name)
		}
	}
	for _, line := range update {
		if !old.Has(line.Name) || strings.EqualFold(line.Name, "Age") {
			merged = append(merged, line)
		}
	}
	return merged
}

func appendNamed(dst, f message.Fields, name string) message.Fields {
	for _, line := range f {
		if strings.EqualFold(line.Name, name) {
			dst = append(dst, line)
		}
	}
	return dst
}

// describesOctets tells whether a field of a 304 must not replace the stored one.
func describesOctets(name, value string, old message.Fields) bool {
	switch {
	case strings.EqualFold(name, "Content-Length"),
		strings.EqualFold(name, "Content-Encoding"),
		strings.EqualFold(name, "Content-Range"),
		strings.EqualFold(name, "Content-Digest"), // RFC 9530: of the content, and a 304 has none
		strings.EqualFold(name, "Content-MD5"):
		return true
	case strings.EqualFold(name, "ETag"):
		return weakMatch(value, old.Get("ETag"))
	}
	return false
}

// NotModifiedFields returns the fields for a 304 made from a stored answer: all but those that
// describe a body which does not follow (RFC 9110 section 15.4.5).
func NotModifiedFields(obj message.Fields) message.Fields {
	kept := make(message.Fields, 0, len(obj))
	for _, line := range obj {
		switch strings.ToLower(line.Name) {
		case "content-length", "content-type", "content-encoding", "content-language", "content-range":
		default:
			kept = append(kept, line)
		}
	}
	return kept
}
