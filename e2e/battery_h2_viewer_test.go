package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 is a viewer's side of an HTTP/2 connection, frame by frame: it can say what no client would.
type h2 struct {
	w       io.Writer
	frames  *http2.Framer
	decoder *hpack.Decoder
	next    uint32   // the next stream to open
	waits   []uint32 // streams whose answers have not been heard, in the order in which they were opened
	streams map[uint32]*h2Stream
	queue   []h2Request // each is opened when the one before has been answered: streams have no order
	over    error       // the connection's end: GOAWAY with an error, or closed
}

type h2Stream struct {
	fields []hpack.HeaderField
	body   bytes.Buffer
	ended  bool
	reset  bool
	code   http2.ErrCode
}

// line is a field line of HTTP/2.
type line = hpack.HeaderField

func newH2(c io.ReadWriter) (*h2, error) {
	h := &h2{w: c, frames: http2.NewFramer(c, c), next: 1, streams: map[uint32]*h2Stream{}}
	h.frames.AllowIllegalReads, h.frames.AllowIllegalWrites = true, true
	h.decoder = hpack.NewDecoder(4096, nil)
	h.decoder.SetMaxStringLength(1 << 20)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil, err
	}
	// Windows large enough that no battery has to think of them.
	if err := h.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
		return nil, err
	}
	return h, h.frames.WriteWindowUpdate(0, 1<<30)
}

// maxFrame is how long a frame may be where nobody has said otherwise.
const maxFrame = 16384

// open sends a request's field lines as they are, and its body. It returns the stream's number.
func (h *h2) open(lines []line, body string) uint32 {
	id := h.next
	h.next += 2
	h.waits = append(h.waits, id)
	h.streams[id] = &h2Stream{}
	h.head(id, lines, body == "")
	for body != "" {
		n := min(len(body), maxFrame)
		h.frames.WriteData(id, n == len(body), []byte(body[:n]))
		body = body[n:]
	}
	return id
}

// openNext opens the next stream of the queue, if there is one.
func (h *h2) openNext() {
	if len(h.queue) > 0 {
		r := h.queue[0]
		h.queue = h.queue[1:]
		h.open(r.lines, r.body)
	}
}

// head sends a block of field lines, in as many frames as it needs.
func (h *h2) head(id uint32, lines []line, last bool) {
	b := block(lines)
	first := b[:min(len(b), maxFrame)]
	h.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: last, EndHeaders: len(first) == len(b)})
	for b = b[len(first):]; len(b) > 0; b = b[min(len(b), maxFrame):] {
		h.frames.WriteContinuation(id, len(b) <= maxFrame, b[:min(len(b), maxFrame)])
	}
}

// say opens a stream with what a case's text says, octet for octet.
func (h *h2) say(text string) error {
	text, trailers, _ := strings.Cut(text, " ||| ")
	head, body, hasBody := strings.Cut(text, " || ")
	lines, err := linesOf(head)
	if err != nil {
		return err
	}
	if body, err = expanded(strings.TrimPrefix(body, "{}")); err != nil {
		return err
	}
	id := h.next
	h.next += 2
	h.waits = append(h.waits, id)
	h.streams[id] = &h2Stream{}
	h.head(id, lines, !hasBody)
	if hasBody {
		h.frames.WriteData(id, trailers == "", []byte(body))
	}
	if trailers != "" {
		if lines, err = linesOf(trailers); err == nil {
			h.head(id, lines, true)
		}
	}
	return err
}

func linesOf(text string) (lines []line, err error) {
	for _, l := range strings.Split(text, " | ") {
		if l, err = expanded(l); err != nil {
			return nil, err
		}
		at := strings.Index(l[1:], ":") // a pseudo-header field begins with one
		if at < 0 {
			return nil, fmt.Errorf("no field line: %q", l)
		}
		lines = append(lines, line{Name: l[:at+1], Value: strings.TrimPrefix(l[at+2:], " ")})
	}
	return lines, nil
}

// block compresses without a table: what one block says must not depend on another.
func block(lines []line) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSize(0)
	for _, l := range lines {
		e.WriteField(l)
	}
	return b.Bytes()
}

// read takes one frame in.
func (h *h2) read() error {
	f, err := h.frames.ReadFrame()
	if err != nil {
		return err
	}
	s := h.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return h.frames.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return h.frames.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			h.over = fmt.Errorf("goaway: %v %s", f.ErrCode, f.DebugData())
		}
	case *http2.RSTStreamFrame:
		if s != nil && !s.ended {
			s.ended, s.reset, s.code = true, true, f.ErrCode
		}
	case *http2.HeadersFrame:
		if s == nil || s.ended {
			return fmt.Errorf("HEADERS on stream %d, which waits for nothing", f.StreamID)
		}
		return h.headers(s, f)
	case *http2.DataFrame:
		if s == nil || s.ended {
			return fmt.Errorf("DATA on stream %d, which waits for nothing", f.StreamID)
		}
		s.body.Write(f.Data())
		s.ended = f.StreamEnded()
	}
	return nil
}

func (h *h2) headers(s *h2Stream, f *http2.HeadersFrame) error {
	b := bytes.Clone(f.HeaderBlockFragment())
	for done := f.HeadersEnded(); !done; {
		more, err := h.frames.ReadFrame()
		if err != nil {
			return err
		}
		c, ok := more.(*http2.ContinuationFrame)
		if !ok {
			return fmt.Errorf("%v within a header block", more.Header())
		}
		b = append(b, c.HeaderBlockFragment()...)
		done = c.HeadersEnded()
	}
	fields, err := h.decoder.DecodeFull(b)
	if err != nil {
		return err
	}
	if len(fields) > 0 && fields[0].Name == ":status" && strings.HasPrefix(fields[0].Value, "1") {
		return nil // 100 Continue
	}
	s.fields = append(s.fields, fields...)
	s.ended = f.StreamEnded()
	return nil
}

// hear waits for the next answer, in the order of the requests. A reset over what a request says counts as
// the 400 that HTTP/1.1 would have; a connection that ends is io.EOF.
func (h *h2) hear() (*heard, error) {
	if len(h.waits) == 0 {
		return nil, errors.New("no request waits for an answer")
	}
	s := h.streams[h.waits[0]]
	for !s.ended {
		err := h.read()
		if h.over != nil || err == io.EOF || err == io.ErrUnexpectedEOF || isReset(err) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, err
		}
	}
	h.waits = h.waits[1:]
	h.openNext()
	a := &heard{header: http.Header{}, body: s.body.String(), cut: s.reset}
	if s.reset && len(s.fields) == 0 {
		if s.code != http2.ErrCodeProtocol {
			return nil, fmt.Errorf("stream reset with %v", s.code)
		}
		return &heard{status: 400, text: "reset", header: http.Header{"X-Cache": {results["error"]}}}, nil
	}
	for _, l := range s.fields {
		if l.Name == ":status" {
			a.status, _ = strconv.Atoi(l.Value)
			continue
		}
		if l.Name != strings.ToLower(l.Name) || strings.HasPrefix(l.Name, ":") || l.Name == "connection" || l.Name == "transfer-encoding" {
			return nil, fmt.Errorf("the answer has a field %q", l.Name)
		}
		a.header.Add(l.Name, l.Value)
	}
	var head bytes.Buffer
	a.header.Write(&head)
	a.text = strconv.Itoa(a.status) + "\r\n" + head.String() + "\r\n" + a.body
	return a, nil
}

// inFrames tells a request that is written as HTTP/1.1 in the words of HTTP/2. ok is false for what HTTP/2 has no
// words for: it is about the lines themselves, or fields of a connection.
func inFrames(octets string) (requests []h2Request, ok bool) {
	for octets != "" {
		head, rest, whole := strings.Cut(octets, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		words := strings.Split(lines[0], " ")
		if !whole || len(words) != 3 || words[2] != "HTTP/1.1" || !strings.HasPrefix(words[1], "/") {
			return nil, false
		}
		r := h2Request{lines: []line{{Name: ":method", Value: words[0]}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: words[1]}}}
		hosts, length := 0, 0
		for _, l := range lines[1:] {
			name, value, ok := strings.Cut(l, ":")
			name, value = strings.ToLower(name), strings.Trim(value, " \t")
			switch name {
			case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "http2-settings":
				return nil, false
			case "host":
				hosts++
				r.lines = append(r.lines, line{Name: ":authority", Value: value})
				continue
			case "content-length":
				length, _ = strconv.Atoi(value)
			}
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return nil, false
			}
			r.lines = append(r.lines, line{Name: name, Value: value})
		}
		if hosts != 1 || length > len(rest) {
			return nil, false
		}
		r.body, octets = rest[:length], rest[length:]
		r.inOrder()
		requests = append(requests, r)
	}
	return requests, len(requests) > 0
}

type h2Request struct {
	lines []line
	body  string
}

// inOrder puts the pseudo-header fields first.
func (r *h2Request) inOrder() {
	var pseudo, others []line
	for _, l := range r.lines {
		if strings.HasPrefix(l.Name, ":") {
			pseudo = append(pseudo, l)
		} else {
			others = append(others, l)
		}
	}
	r.lines = append(pseudo, others...)
}
