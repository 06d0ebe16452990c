package h3

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/quic-go/qpack"
)

// ErrSection says that a field section cannot be decoded. The connection cannot go on.
var ErrSection = errors.New("h3: field section cannot be decoded")

// Fields gives the fields of an encoded section to yield, in order, until it returns false. The strings
// stay valid. A literal takes at least five eighths of its octets in the section, and what is named by its
// number is short, so a section is at most some twenty times as long as its encoding.
func Fields(section []byte, yield func(name, value string) bool) error {
	next := qpack.NewDecoder().Decode(section)
	for {
		f, err := next()
		switch {
		case err == io.EOF && len(section) > 0:
			return nil
		case err != nil:
			return ErrSection
		case !yield(f.Name, f.Value):
			return nil
		}
	}
}

// BeginHeaders begins a HEADERS frame, whose length EndHeaders fills in, with a section in it. at is
// where the frame begins.
func BeginHeaders(dst []byte) (out []byte, at int) {
	at = len(dst)
	// The length takes four octets whatever it is. The two zeros say that no table is referred to.
	return append(dst, byte(Headers), 0x80, 0, 0, 0, 0, 0), at
}

// EndHeaders ends the frame that begins at at.
func EndHeaders(dst []byte, at int) {
	n := len(dst) - at - 5
	dst[at+1], dst[at+2], dst[at+3], dst[at+4] = 0x80|byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
}

// AppendStatus appends the field that comes first in an answer.
func AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 100:
		return appendInt(dst, 0xc0, 6, 63)
	case 200:
		return append(dst, 0xc0|25)
	case 204:
		return appendInt(dst, 0xc0, 6, 64)
	case 206:
		return appendInt(dst, 0xc0, 6, 65)
	case 304:
		return append(dst, 0xc0|26)
	case 404:
		return append(dst, 0xc0|27)
	case 503:
		return append(dst, 0xc0|28)
	}
	dst = appendInt(dst, 0x50, 4, 24)
	at := len(dst)
	dst = strconv.AppendInt(append(dst, 0), int64(status), 10)
	dst[at] = byte(len(dst) - at - 1)
	return dst
}

// AppendField appends a field, its name in lower case. It is written as it is: Huffman's code would save a
// quarter of the octets and cost more than all the rest.
func AppendField(dst []byte, name, value string) []byte {
	if i := named(name); i > 0 {
		dst = appendInt(dst, 0x50, 4, uint64(i))
	} else {
		dst = appendInt(dst, 0x20, 3, uint64(len(name)))
		for i := range len(name) {
			c := name[i]
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
		}
	}
	return append(appendInt(dst, 0, 7, uint64(len(value))), value...)
}

// appendInt appends an integer of QPACK's (RFC 9204 section 4.1.1) behind the bits of kind.
func appendInt(dst []byte, kind byte, bits uint, v uint64) []byte {
	most := uint64(1)<<bits - 1
	if v < most {
		return append(dst, kind|byte(v))
	}
	dst = append(dst, kind|byte(most))
	for v -= most; v >= 128; v >>= 7 {
		dst = append(dst, 0x80|byte(v))
	}
	return append(dst, byte(v))
}

// named gives the number under which the static table (RFC 9204 appendix A) has a name, 0 for none, for
// those that answers have.
func named(name string) int {
	for _, x := range byLength(len(name)) {
		if strings.EqualFold(x.name, name) {
			return x.index
		}
	}
	return 0
}

type indexed struct {
	name  string
	index int
}

func byLength(n int) []indexed {
	if n >= len(static) {
		return nil
	}
	return static[n]
}

// static has the names by their length.
var static = func() (t [28][]indexed) {
	for _, x := range []indexed{
		{"age", 2}, {"content-disposition", 3}, {"content-length", 4}, {"date", 6}, {"etag", 7}, {"last-modified", 10},
		{"link", 11}, {"location", 12}, {"set-cookie", 14}, {"accept-ranges", 32},
		{"access-control-allow-headers", 33}, {"access-control-allow-origin", 35}, {"cache-control", 36},
		{"content-encoding", 42}, {"content-type", 44}, {"strict-transport-security", 56}, {"vary", 59},
		{"x-content-type-options", 61}, {"x-xss-protection", 62}, {"alt-svc", 83}, {"content-security-policy", 85},
		{"server", 92}, {"timing-allow-origin", 93}, {"x-frame-options", 97},
	} {
		if n := len(x.name); n < len(t) {
			t[n] = append(t[n], x)
		}
	}
	return t
}()
