package h3

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// AppendHead lays out a HEADERS frame: what h1.AppendHead would say, in HTTP/3. A field that would not be
// one line in HTTP/1.1 is dropped here too: somebody behind may speak it.
func AppendHead(dst []byte, status int, fields message.Fields, length int64) []byte {
	dst, at := BeginHeaders(dst)
	dst = AppendStatus(dst, status)
	if !fields.Has("Content-Type") {
		dst = appendLength(dst, length)
	}
	for i := range fields {
		f := &fields[i]
		if h1.OfConnection(f.Name) || !h1.OneLine(f) {
			continue
		}
		dst = AppendField(dst, f.Name, h1.TrimBlanks(f.Value))
		if length >= 0 && len(f.Name) == len("Content-Type") && strings.EqualFold(f.Name, "Content-Type") {
			dst = appendLength(dst, length)
			length = -1
		}
	}
	EndHeaders(dst, at)
	return dst
}

// appendLength says the length, if there is one to say.
func appendLength(dst []byte, length int64) []byte {
	if length < 0 {
		return dst
	}
	var digits [20]byte
	return AppendField(dst, "content-length", h1.View(strconv.AppendInt(digits[:0], length, 10)))
}

// AppendPrepared says an answer in HTTP/3 that was prepared for HTTP/1.1 by h1.AppendHead. It returns what
// is behind the head.
func AppendPrepared(dst, answer []byte) (out, body []byte) {
	head, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	line, head, _ := bytes.Cut(head, []byte("\r\n"))
	status := 0
	for _, c := range line[len("HTTP/1.1 "):][:3] {
		status = status*10 + int(c-'0')
	}
	dst, at := BeginHeaders(dst)
	dst = AppendStatus(dst, status)
	for len(head) > 0 {
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(": "))
		if n := h1.View(name); !h1.OfConnection(n) || strings.EqualFold(n, "Content-Length") {
			dst = AppendField(dst, n, h1.View(value))
		}
	}
	EndHeaders(dst, at)
	return dst, body
}
