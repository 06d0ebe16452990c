package origin

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// What an answer must not be. docs/http.md lists them; all but the last two are Invalid.
var (
	errOctets      = errors.New("the head has octets, or ends of lines, that no head has")
	errStatusLine  = errors.New("the status line is malformed")
	errVersion     = errors.New("the HTTP version is neither 1.0 nor 1.1")
	errFieldLine   = errors.New("a field line is malformed")
	errLength      = errors.New("Content-Length is no plain number")
	errLengths     = errors.New("more than one Content-Length")
	errTwoFramings = errors.New("Content-Length beside Transfer-Encoding")
	errCoding      = errors.New("the transfer coding is not exactly one chunked")
	errOldCoding   = errors.New("Transfer-Encoding in HTTP/1.0")
	errSwitches    = errors.New("the origin switches protocols unasked")
	errInterimBody = errors.New("an interim answer that announces a body")
	errInterims    = errors.New("too many interim answers")
	errHeadSize    = errors.New("the head is too large")
	errFieldCount  = errors.New("the head has too many fields")
)

// What comes before the answer proper, and in it, has limits (L9).
const (
	maxInterim = 16  // interim answers before the final one; their octets count as its head's
	maxFields  = 512 // field lines of a head
)

// head is an answer's, in its parsed form.
type head struct {
	status  int
	fields  message.Fields
	length  int64 // of the body in octets; -1: chunked, or until the end of the connection
	chunked bool
	closes  bool          // the connection carries no other answer
	keeps   time.Duration // for how long the origin says it keeps the connection; 0: it does not say
}

// parseHead reads a complete head, with the empty line that ends it, of an answer to a request with
// that method. The result points into b. It accepts what RFC 9112 generates, and of what it merely
// tolerates only what living origins cannot do without: a status line that ends with its status, and
// a Content-Length with 204.
func parseHead(b []byte, method string) (head, error) {
	h := head{length: -1}
	minor, b, err := h.statusLine(b)
	if err != nil {
		return head{}, err
	}
	n := bytes.Count(b, []byte{'\n'}) - 1
	if n > maxFields {
		return head{}, errFieldCount
	}
	h.fields = make(message.Fields, 0, max(n, 0))
	s := seen{}
	for len(b) != 2 || b[0] != '\r' || b[1] != '\n' {
		name, value, rest, ok := h1.FieldLine(b)
		if !ok {
			return head{}, errFieldLine
		}
		if b = rest; s.note(name, value) {
			h.fields = append(h.fields, message.Field{Name: name, Value: value})
		}
	}
	return h, h.frame(minor, method, &s)
}

// statusLine reads "HTTP/1.1 200 OK". The reason is looked at and forgotten.
func (h *head) statusLine(b []byte) (minor byte, rest []byte, err error) {
	const least = "HTTP/1.1 200\r\n"
	if len(b) < len(least) || string(b[:5]) != "HTTP/" || !h1.Digit(b[5]) || b[6] != '.' || !h1.Digit(b[7]) || b[8] != ' ' {
		return 0, nil, errStatusLine
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, nil, errVersion
	}
	for _, c := range b[9:12] {
		if !h1.Digit(c) {
			return 0, nil, errStatusLine
		}
		h.status = h.status*10 + int(c-'0')
	}
	end := bytes.IndexByte(b, '\r')
	if h.status < 100 || end < 12 || end > 12 && b[12] != ' ' || !h1.All(h1.View(b[12:end]), h1.InValue) || b[end+1] != '\n' {
		return 0, nil, errStatusLine
	}
	return b[7] - '0', b[end+2:], nil
}

// seen collects what the fields say about the connection.
type seen struct {
	lengths, codings int
	length, coding   string
	closes           bool
	keeps            time.Duration
}

// note tells whether the field is for others than this connection's two ends.
func (s *seen) note(name, value string) bool {
	switch len(name) {
	case len("Trailer"):
		return !strings.EqualFold(name, "Trailer") // trailers are dropped
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			for option := range strings.SplitSeq(value, ",") {
				s.closes = s.closes || h1.EqualASCII(strings.Trim(option, " \t"), "close")
			}
		} else if strings.EqualFold(name, "Keep-Alive") {
			s.keeps = keptFor(value)
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			s.lengths++
			s.length = value
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			s.codings++
			s.coding = value
			return false
		}
	}
	return true
}

// keptFor reads the timeout of "timeout=5, max=100" (RFC 2068 section 19.7.1.1); 0 when there is none.
func keptFor(value string) time.Duration {
	for param := range strings.SplitSeq(value, ",") {
		name, seconds, _ := strings.Cut(strings.Trim(param, " \t"), "=")
		if n, ok := h1.ParseLength(seconds); ok && h1.EqualASCII(name, "timeout") {
			return time.Duration(min(n, 86400)) * time.Second
		}
	}
	return 0
}

// frame decides where the body ends (RFC 9112 section 6.3). What could be read in two ways is refused.
func (h *head) frame(minor byte, method string, s *seen) error {
	h.closes, h.keeps = s.closes || minor == 0, s.keeps
	switch {
	case s.lengths > 1:
		return errLengths
	case s.lengths == 1 && s.codings > 0:
		return errTwoFramings
	case s.codings > 0 && minor == 0:
		return errOldCoding
	case s.codings > 1, s.codings == 1 && !h1.EqualASCII(s.coding, "chunked"):
		return errCoding
	case s.lengths == 1:
		var ok bool
		if h.length, ok = h1.ParseLength(s.length); !ok {
			return errLength
		}
	}
	h.chunked = s.codings > 0
	switch {
	case h.status < 200:
		if h.chunked || h.length > 0 {
			return errInterimBody
		}
	case h.status == 204:
		// One that announces a body may send it: who reads on might take it for the next answer.
		h.closes = h.closes || h.chunked || h.length > 0
	}
	switch {
	case h.bodied(method):
		h.closes = h.closes || !h.chunked && h.length < 0
	case h.status == 304:
		// What it says is the length of a 200 (RFC 9110 section 8.6); none is not 0.
		h.length, h.chunked = -1, false
	case method == "HEAD":
		h.chunked = false
	default:
		h.length, h.chunked = 0, false
	}
	return nil
}

// bodied tells whether a body follows the head.
func (h *head) bodied(method string) bool {
	return method != "HEAD" && h.status >= 200 && h.status != 204 && h.status != 304
}
