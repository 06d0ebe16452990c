package h1

import (
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// Ending is what a server says about how an answer, and its connection, end.
type Ending struct {
	Length  int64 // of the body in octets; < 0: not said
	Chunked bool
	Last    bool // the connection closes behind it
}

// AppendHead lays out status line and fields. What it says itself follows Content-Type, where
// CloudFront has it, or comes first. A field that would not arrive as the one line that it is gets
// dropped: what comes from elsewhere must not split an answer. The empty line is left to the caller: more fields may
// follow.
func AppendHead(dst []byte, status int, fields message.Fields, e Ending) []byte {
	dst = AppendStatusLine(dst, status)
	kind := ContentType(fields)
	if kind < 0 {
		dst = e.append(dst)
	}
	for i := range fields {
		if f := &fields[i]; !FramingField(f.Name) && OneLine(f) {
			dst = append(append(append(dst, f.Name...), ": "...), f.Value...)
			dst = append(dst, '\r', '\n')
		}
		if i == kind {
			dst = e.append(dst)
		}
	}
	return dst
}

// ContentType is the index of that field, or -1.
func ContentType(fields message.Fields) int {
	for i := range fields {
		if len(fields[i].Name) == len("Content-Type") && strings.EqualFold(fields[i].Name, "Content-Type") {
			return i
		}
	}
	return -1
}

func (e Ending) append(dst []byte) []byte {
	switch {
	case e.Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case e.Length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, e.Length, 10), '\r', '\n')
	}
	if e.Last {
		return append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "Connection: keep-alive\r\n"...)
}

// FramingField tells the fields that are the engine's alone.
func FramingField(name string) bool {
	switch len(name) {
	case 7:
		return strings.EqualFold(name, "Trailer")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// OfConnection tells the fields that HTTP/2 and HTTP/3 know no more (RFC 9113 section 8.2.2), FramingField's included.
func OfConnection(name string) bool {
	return FramingField(name) || len(name) == 7 && strings.EqualFold(name, "Upgrade") ||
		len(name) == 16 && strings.EqualFold(name, "Proxy-Connection") || len(name) == 2 && strings.EqualFold(name, "TE")
}
