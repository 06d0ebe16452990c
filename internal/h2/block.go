package h2

import (
	"strconv"

	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// Header blocks of HTTP/2 (RFC 7541), laid out so that they are the same on every connection and at every
// moment: from the static table and literals without indexing only. So an answer can be prepared when it is
// stored, and goroutines that answer on one connection share no table. The price is that a field of an
// answer is never shorter than its Huffman code.

// static has the indexes of field names in HPACK's static table (RFC 7541 appendix A).
var static = map[string]uint8{
	"accept-ranges": 18, "access-control-allow-origin": 20, "age": 21, "allow": 22, "cache-control": 24, "content-disposition": 25,
	"content-encoding": 26, "content-language": 27, "content-length": 28, "content-location": 29, "content-range": 30, "content-type": 31,
	"date": 33, "etag": 34, "expires": 36, "last-modified": 44, "link": 45, "location": 46, "proxy-authenticate": 48, "refresh": 52,
	"retry-after": 53, "server": 54, "set-cookie": 55, "strict-transport-security": 56, "vary": 59, "via": 60, "www-authenticate": 61,
}

// statuses have an index of their own.
var statuses = map[int]uint8{200: 8, 204: 9, 206: 10, 304: 11, 400: 12, 404: 13, 500: 14}

// AppendBlock appends the header block of an answer over HTTP/2: the counterpart of h1.AppendHead. More fields
// may follow, by AppendField.
func AppendBlock(dst []byte, status int, fields message.Fields, length int64) []byte {
	if i, ok := statuses[status]; ok {
		dst = append(dst, 0x80|i)
	} else {
		dst = append(dst, 8, 3)
		dst = strconv.AppendInt(dst, int64(status), 10)
	}
	kind := h1.ContentType(fields)
	if kind < 0 {
		dst = appendLength(dst, length)
	}
	for i := range fields {
		if f := &fields[i]; !h1.OfConnection(f.Name) && h1.OneLine(f) {
			dst = AppendField(dst, f.Name, f.Value)
		}
		if i == kind {
			dst = appendLength(dst, length)
		}
	}
	return dst
}

func appendLength(dst []byte, length int64) []byte {
	if length < 0 {
		return dst
	}
	dst = append(dst, 0x0f, 28-15)
	var digits [20]byte
	return appendPlain(dst, strconv.AppendInt(digits[:0], length, 10))
}

// AppendField appends one field, as a literal without indexing.
func AppendField(dst []byte, name, value string) []byte {
	var low [64]byte
	lower := low[:0]
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower = append(lower, c)
	}
	if i, ok := static[string(lower)]; ok {
		dst = append(dst, 0x0f, i-15)
	} else {
		dst = appendString(append(dst, 0), string(lower))
	}
	return appendString(dst, h1.TrimBlanks(value))
}

// appendString appends a string literal, Huffman-coded where that is shorter.
func appendString(dst []byte, s string) []byte {
	n := hpack.HuffmanEncodeLength(s)
	if n >= uint64(len(s)) {
		return append(appendInt(dst, 0, uint64(len(s))), s...)
	}
	return hpack.AppendHuffmanString(appendInt(dst, 0x80, n), s)
}

// appendPlain appends a string literal as it is.
func appendPlain(dst, s []byte) []byte { return append(appendInt(dst, 0, uint64(len(s))), s...) }

// appendInt appends an integer with a prefix of seven bits (RFC 7541 section 5.1).
func appendInt(dst []byte, first byte, n uint64) []byte {
	if n < 0x7f {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|0x7f)
	for n -= 0x7f; n >= 0x80; n >>= 7 {
		dst = append(dst, 0x80|byte(n))
	}
	return append(dst, byte(n))
}

// Steady tells whether a header block that could be decoded leaves the dynamic table as it is: it has only
// indexed fields, and literals without indexing (RFC 7541 section 6). Of some that do it says no: those with
// large integers.
func Steady(b []byte) bool {
	for len(b) > 0 {
		strings := 1
		mask := byte(0x0f)
		switch c := b[0]; {
		case c&0x80 != 0:
			strings, mask = 0, 0x7f
		case c >= 0x20:
			return false // a literal with indexing, or another size of the table
		case c&0x0f == 0:
			strings = 2 // its name, too
		}
		_, rest, ok := prefixed(b, mask)
		for ; ok && strings > 0; strings-- {
			var n int
			if n, rest, ok = prefixed(rest, 0x7f); ok {
				if ok = n <= len(rest); ok {
					rest = rest[n:]
				}
			}
		}
		if !ok {
			return false
		}
		b = rest
	}
	return true
}

// prefixed takes an integer of at most one octet behind its prefix off b.
func prefixed(b []byte, mask byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0]&mask != mask:
		return int(b[0] & mask), b[1:], true
	case len(b) < 2 || b[1] >= 0x80:
		return 0, nil, false
	}
	return int(mask) + int(b[1]), b[2:], true
}
