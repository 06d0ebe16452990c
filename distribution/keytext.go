package distribution

import (
	"encoding/binary"
	"strings"
)

// KeyText writes a key of AppendKey for people: what it tells apart, in words of HTTP. Two keys may
// look the same; only the key itself is exact. What is no key gives "".
func KeyText(key []byte) string {
	k := keyReader{rest: key}
	k.part() // the distribution's id
	method, path, encoded, hasQuery := k.part(), k.part(), encodings(k.byte()), k.byte() == 1
	if method == "" {
		method = "GET"
	}
	var b strings.Builder
	b.WriteString(method + " " + path)
	if hasQuery {
		b.WriteString("?" + k.part())
	}
	if encoded != 0 {
		b.WriteString(", Accept-Encoding: " + encoded.String())
	}
	for len(k.rest) > 0 && !k.bad {
		kind := k.byte()
		if kind == 'r' {
			break
		}
		switch name := k.part(); kind {
		case 'h':
			k.bad = k.byte() != 'v' || k.bad
			b.WriteString(", " + name + ": " + k.part())
		case 'c':
			b.WriteString(", cookie " + name + "=" + k.part())
		default:
			k.bad = true
		}
	}
	if k.bad {
		return ""
	}
	return b.String()
}

// keyReader takes a key apart. bad: it is none.
type keyReader struct {
	rest []byte
	bad  bool
}

func (k *keyReader) byte() byte {
	if len(k.rest) == 0 {
		k.bad = true
		return 0
	}
	b := k.rest[0]
	k.rest = k.rest[1:]
	return b
}

func (k *keyReader) part() string {
	if len(k.rest) < 4 || uint64(binary.BigEndian.Uint32(k.rest)) > uint64(len(k.rest)-4) {
		k.bad, k.rest = true, nil
		return ""
	}
	n := int(binary.BigEndian.Uint32(k.rest))
	s := string(k.rest[4 : 4+n])
	k.rest = k.rest[4+n:]
	return s
}
