package distribution

import (
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// encodings is a normalised Accept-Encoding: what a viewer accepts of what the behavior tells apart.
type encodings uint8

const (
	acceptsGzip encodings = 1 << iota
	acceptsBrotli
	acceptsNeither // it sent the field and named none of them: the origin gets "identity"
	acceptsZstd
)

// codings are the content codings in the order in which they are preferred.
var codings = [...]struct {
	bit  encodings
	name string
}{{acceptsZstd, "zstd"}, {acceptsBrotli, "br"}, {acceptsGzip, "gzip"}}

// normalises tells whether Accept-Encoding is in the key, and goes to the origin, normalised.
func (b *Behavior) normalises() bool { return b.Gzip || b.Brotli }

// ContentCoding returns the coding with which the answer to r is to be compressed, "" for none: because the
// behavior does not compress, or the viewer does not accept it.
func (b *Behavior) ContentCoding(r *message.Request) string {
	if !b.Compress {
		return ""
	}
	e := b.acceptEncoding(r)
	for _, c := range codings {
		if e&c.bit != 0 {
			return c.name
		}
	}
	return ""
}

// acceptEncoding normalises the viewer's Accept-Encoding. Of the bits acceptsNeither does not belong into the
// key: a viewer without the field and one that accepts none of them get the same bytes. HTTP/1.0 has no content
// codings that could be relied on; CloudFront drops the field.
func (b *Behavior) acceptEncoding(r *message.Request) encodings {
	if !b.normalises() || r.Major == 1 && r.Minor == 0 {
		return 0
	}
	var e encodings
	sent := false
	for i := range r.Fields {
		if !named(r.Fields[i].Name, "Accept-Encoding") {
			continue
		}
		sent = true
		for rest, more := r.Fields[i].Value, true; more; {
			var item string
			item, rest, more = strings.Cut(rest, ",")
			e |= b.coding(item)
		}
	}
	if sent && e == 0 {
		return acceptsNeither
	}
	return e
}

func (b *Behavior) coding(item string) encodings {
	name, params, _ := strings.Cut(item, ";")
	name = strings.Trim(name, " \t")
	switch {
	case refusedByWeight(params):
		return 0
	case b.Gzip && strings.EqualFold(name, "gzip"):
		return acceptsGzip
	case b.Brotli && strings.EqualFold(name, "br"):
		return acceptsBrotli
	case b.Zstd && strings.EqualFold(name, "zstd"):
		return acceptsZstd
	}
	return 0
}

// refusedByWeight tells whether the parameters are a weight of zero: "q=0", "q=0.000".
func refusedByWeight(params string) bool {
	q := strings.Trim(params, " \t")
	if len(q) < 3 || q[0] != 'q' && q[0] != 'Q' || q[1] != '=' {
		return false
	}
	return strings.Trim(q[2:], "0.") == ""
}

// encodingTexts are the values that origins get: prepared, for each fetch sends one.
var encodingTexts = func() (t [2 * acceptsZstd]string) {
	for e := range t {
		var names []string
		for _, c := range codings {
			if encodings(e)&c.bit != 0 {
				names = append(names, c.name)
			}
		}
		t[e] = strings.Join(names, ",")
	}
	t[acceptsNeither] = "identity"
	return t
}()

func (e encodings) String() string { return encodingTexts[e&(2*acceptsZstd-1)] }
