package distribution

import (
	"encoding/binary"
	"slices"

	"github.com/warmfront/warmfront/internal/message"
)

// keyPlan is what a behavior puts into its cache keys.
type keyPlan struct {
	query   selector
	headers []keyHeader
	cookies selector
}

type keyHeader struct {
	name string // lower case
	made made   // not madeNone for CloudFront-* headers
}

// A key is a sequence of parts, each with its length in front, so that no value can pretend to be
// the next part:
//
//	id  method  path  encodings(1)  query?(1) query  { 'h' name 'v' value | 'c' name value }  [ 'r' ]
//
// method is empty for GET and HEAD, which share an entry. Names of headers and cookies are in it
// besides their values: when a policy begins to key on another header, an entry that was stored for
// the old one is not found under the new meaning. What the viewer did not send adds nothing; such a
// request looked the same to the origin before, and still shares its entry. A header in several lines is one value
// (RFC 9110 section 5.3), and is sent as one, or the answer of an origin that reads the first line only would be
// found by who sends both in one. One that the viewer's Connection names ends here (RFC 9110 section 7.6.1): no origin
// sees it, so it is not in the key either, or what is for nobody would be found by all who send it. 'r' stands for RFC semantics:
// what was stored by the other rules is not found after a change.

func beginPart(dst []byte) (_ []byte, at int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

func endPart(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendPart(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// AppendKey appends the complete cache key of r. It allocates only for what does not fit dst, and
// beyond 32 keyed cookies.
func (b *Behavior) AppendKey(dst []byte, d *Distribution, r *message.Request) []byte {
	dst = appendPart(dst, d.ID)
	if r.Method == "GET" || r.Method == "HEAD" {
		dst = appendPart(dst, "")
	} else {
		dst = appendPart(dst, r.Method)
	}
	dst = appendPart(dst, d.RootedPath(r.Path))
	dst = append(dst, byte(b.acceptEncoding(r)&^acceptsNeither))
	dst = b.key.appendQuery(dst, r)
	if len(b.key.headers) > 0 {
		ending := nominations(r.Fields)
		for i := range b.key.headers {
			dst = b.key.headers[i].append(dst, r, ending)
		}
	}
	dst = b.key.appendCookies(dst, r)
	if d.RFC {
		dst = append(dst, 'r')
	}
	return dst
}

func (k *keyPlan) appendQuery(dst []byte, r *message.Request) []byte {
	mark := len(dst)
	dst, at := beginPart(append(dst, 1))
	dst, any := k.query.appendQuery(dst, r)
	if !any {
		return append(dst[:mark], 0)
	}
	return endPart(dst, at)
}

func (k *keyPlan) appendCookies(dst []byte, r *message.Request) []byte {
	if k.cookies.mode == selectNone {
		return dst
	}
	var room [32]cookie
	for _, c := range k.cookies.appendCookies(room[:0], r) {
		dst = appendPart(append(dst, 'c'), c.name)
		dst = appendPart(dst, c.value)
	}
	return dst
}

// has tells whether a header of this lower-case name is in the key.
func (k *keyPlan) has(lower string) bool {
	return slices.ContainsFunc(k.headers, func(h keyHeader) bool { return h.name == lower })
}

// append appends the header as the origin gets it. ending are those that it does not get.
func (h *keyHeader) append(dst []byte, r *message.Request, ending map[string]bool) []byte {
	switch {
	case h.made != madeNone:
		mark := len(dst)
		dst, at := beginPart(append(appendPart(append(dst, 'h'), h.name), 'v'))
		dst, ok := appendMade(dst, h.made, r)
		if !ok {
			return dst[:mark]
		}
		return endPart(dst, at)
	case h.name == "host":
		dst, at := beginPart(append(appendPart(append(dst, 'h'), h.name), 'v'))
		return endPart(appendHost(dst, r), at)
	case h.name == "x-forwarded-for":
		dst, at := beginPart(append(appendPart(append(dst, 'h'), h.name), 'v'))
		return endPart(appendForwardedFor(dst, r), at)
	case ending[h.name]:
		return dst
	}
	mark := len(dst)
	dst, at := beginPart(append(appendPart(append(dst, 'h'), h.name), 'v'))
	sent := false
	for i := range r.Fields {
		if !named(r.Fields[i].Name, h.name) {
			continue
		}
		if sent {
			dst = append(dst, ", "...)
		}
		dst, sent = append(dst, r.Fields[i].Value...), true
	}
	if !sent {
		return dst[:mark]
	}
	return endPart(dst, at)
}

// appendHost appends the viewer's Host with its port, if it sent one.
func appendHost(dst []byte, r *message.Request) []byte {
	dst = append(dst, r.Host...)
	if r.Port != "" {
		dst = append(append(dst, ':'), r.Port...)
	}
	return dst
}

// appendForwardedFor appends X-Forwarded-For as the origin gets it: what the viewer sent, and then
// the viewer's own address.
func appendForwardedFor(dst []byte, r *message.Request) []byte {
	for i := range r.Fields {
		if named(r.Fields[i].Name, "X-Forwarded-For") && r.Fields[i].Value != "" {
			dst = append(append(dst, r.Fields[i].Value...), ',')
		}
	}
	if r.Remote.IsValid() {
		return appendAddr(dst, r.Remote.Addr())
	}
	if n := len(dst); n > 0 && dst[n-1] == ',' {
		dst = dst[:n-1]
	}
	return dst
}

// KeyedQuery returns the part of the query that is in the key, without "?": what an invalidation's
// query is compared with. ignored tells that the behavior never has any of the query in its keys.
// It allocates only when a part of the query is left out.
func (b *Behavior) KeyedQuery(r *message.Request) (query string, ignored bool) {
	if b.key.query.mode == selectNone {
		return "", true
	}
	query, _ = b.key.query.query(r)
	return query, false
}
