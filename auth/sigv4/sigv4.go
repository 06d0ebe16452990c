// Package sigv4 knows AWS Signature Version 4: how a request is written in its canonical form, signed,
// and how the server finds out whether the signature is right.
//
// It is pure: no clock, no socket, no key store. A request comes as its parts, the secret through a
// lookup function, the time as an argument. Both forms are known: the Authorization header, and the
// presigned query of which the parameters X-Amz-Algorithm to X-Amz-Signature are part.
//
// What is signed, line by line (the canonical request):
//
//	POST                                                    method
//	/2020-05-31/distribution                                path, encoded once more than on the wire
//	WithTags=                                               query, sorted
//	host:127.0.0.1:9000                                     signed headers, sorted, blanks collapsed
//	x-amz-date:20260514T120000Z
//
//	host;x-amz-date                                         their names
//	e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca49…    SHA-256 of the body, or UNSIGNED-PAYLOAD
//
// Not known, and refused by name: the streaming payloads of S3 and the asymmetric Signature 4A.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

const (
	algorithm       = "AWS4-HMAC-SHA256"
	terminator      = "aws4_request"
	timeLayout      = "20060102T150405Z"
	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// Request is what of a request is signed. Path and Query are raw, as they stand on the wire.
type Request struct {
	Method string
	Path   string              // escaped; "" is "/"
	Query  string              // without "?"
	Host   string              // with the port when one was sent
	Header map[string][]string // keys in the form of net/textproto, as http.Header has them
}

func (r *Request) values(name string) []string {
	if name == "host" {
		return []string{r.Host}
	}
	return r.Header[textproto.CanonicalMIMEHeaderKey(name)]
}

func (r *Request) get(name string) string {
	if v := r.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// scope is where and when a signing key is valid.
type scope struct{ date, region, service string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + terminator
}

// key derives the signing key, which depends on nothing of the request but its scope.
func (s scope) key(secret string) []byte {
	k := sum([]byte("AWS4"+secret), s.date)
	k = sum(k, s.region)
	k = sum(k, s.service)
	return sum(k, terminator)
}

// signature signs a canonical request.
func signature(secret string, s scope, at time.Time, canonical string) string {
	toSign := algorithm + "\n" + at.UTC().Format(timeLayout) + "\n" + s.String() + "\n" + hash([]byte(canonical))
	return hex.EncodeToString(sum(s.key(secret), toSign))
}

func sum(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// canonicalHead is the canonical request without its last line, the payload's hash.
func canonicalHead(r *Request, signed []string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.Path) + "\n" + canonicalQuery(r.Query) + "\n")
	for _, name := range signed {
		b.WriteString(name + ":")
		for i, v := range r.values(name) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.Fields(v), " "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n")
	return b.String()
}

// canonicalPath removes dot segments and empty ones and encodes what is left once more: every service
// but S3 signs the path doubly encoded.
func canonicalPath(path string) string {
	var kept []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, escape(segment))
		}
	}
	p := "/" + strings.Join(kept, "/")
	if len(kept) > 0 && strings.HasSuffix(path, "/") {
		p += "/"
	}
	return p
}

// canonicalQuery decodes each name and value, encodes them in the one way that is canonical, and sorts
// by name, then value. A "+" is a blank, as it is for whoever reads the parameters afterwards. The
// signature itself is left out.
func canonicalQuery(query string) string {
	var pairs [][2]string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair != "" && name != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{escape(unescape(name)), escape(unescape(value))})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

const upperHex = "0123456789ABCDEF"

// escape encodes all but RFC 3986's unreserved characters.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
	}
	return b.String()
}

// unescape decodes what is decodable; a "%" that begins no escape stands for itself.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(s) {
			if v, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				c, i = v[0], i+2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// parameters reads the query for the presigned form. A parameter that comes twice keeps its first
// value here; the signature covers both.
func parameters(query string) map[string]string {
	m := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if _, twice := m[name]; !twice && strings.HasPrefix(name, "X-Amz-") {
			m[name] = unescape(value)
		}
	}
	return m
}
