package httpserver

import (
	"strings"
	"unsafe"

	"github.com/warmfront/warmfront/internal/h1"
	"github.com/warmfront/warmfront/internal/message"
)

// framing is what a head says to the engine alone: where its body ends and whether another request
// may follow it.
type framing struct {
	length   int64 // of the body in octets; -1: chunked
	closes   bool  // no other request follows
	expects  bool  // the viewer waits for 100 before it sends the body
	reserved bool  // Expect asks for something else, which is the handler's to refuse
}

// refusal is an answer that the engine gives itself. The zero value refuses nothing.
type refusal struct {
	status int
	reason string
}

var (
	malformed  = refusal{400, ReasonMalformed}
	badHost    = refusal{400, ReasonBadHost}
	longTarget = refusal{414, ReasonURITooLong}
	largeHead  = refusal{statusHeaderTooLarge, ReasonHeaderLarge}
	badVersion = refusal{505, ReasonVersion}
	badCoding  = refusal{501, ReasonEncoding}
	lateBody   = refusal{408, ReasonSlowBody}
)

// parser parses one head after the other. What it returns points into the octets that it was given:
// no copy, no allocation, and valid only as long as they are.
type parser struct {
	req Request
	framing
	fields message.Fields // room for req.Fields
}

// maxFields is how many field lines a head may have. The octets of a head would be enough for eight
// thousand, and whoever handles a request looks through its fields more than once (law L9).
const maxFields = 512

// fieldRoom is how many fields a parser keeps room for.
const fieldRoom = 32

// parse reads a complete head, with the empty line that ends it. It accepts what RFC 9112 generates,
// not what it tolerates: one SP between the parts of a request line, CRLF at the end of a line, no
// folded lines, one length. Two programs that read such a head read the same.
func (p *parser) parse(b []byte, maxURI int) refusal {
	p.framing = framing{}
	p.req = Request{Body: noBody{}, Request: message.Request{Scheme: "http", Major: 1, Fields: p.fields[:0]}}
	b, no := p.requestLine(b, maxURI)
	if no.status != 0 {
		return no
	}
	s := seen{}
	for {
		if len(b) < 2 {
			return malformed
		}
		if b[0] == '\r' {
			break
		}
		if b, no = p.field(b, &s); no.status != 0 {
			return no
		}
	}
	p.fields = p.req.Fields
	if b[1] != '\n' || len(b) != 2 {
		return malformed
	}
	if no = p.frame(&s); no.status != 0 {
		return no
	}
	return p.target(&s)
}

// seen collects what the fields say to the engine.
type seen struct {
	hosts, lengths, codings int
	host                    int // index of the Host field
	length, coding          string
	keep                    bool
}

// requestLine reads method, target and version; the target is looked at later, when the Host is known.
func (p *parser) requestLine(b []byte, maxURI int) ([]byte, refusal) {
	i := 0
	for i < len(b) && h1.Is(b[i], h1.InToken) {
		i++
	}
	if i == 0 || i >= len(b) || b[i] != ' ' {
		return nil, malformed
	}
	p.req.Method, b = h1.View(b[:i]), b[i+1:]
	for i = 0; i < len(b) && h1.Is(b[i], h1.InTarget); i++ {
	}
	switch {
	case i > maxURI:
		return nil, longTarget
	case i == 0 || i >= len(b) || b[i] != ' ':
		return nil, malformed
	}
	p.req.Path, b = h1.View(b[:i]), b[i+1:]
	const version = "HTTP/1.1\r\n"
	if len(b) < len(version) || string(b[:5]) != "HTTP/" || b[6] != '.' || b[8] != '\r' || b[9] != '\n' || !h1.Digit(b[5]) || !h1.Digit(b[7]) {
		return nil, malformed
	}
	if b[5] != '1' || b[7] > '1' {
		return nil, badVersion
	}
	p.req.Minor = int(b[7] - '0')
	return b[len(version):], refusal{}
}

// field reads one field line.
func (p *parser) field(b []byte, s *seen) ([]byte, refusal) {
	name, value, rest, ok := h1.FieldLine(b)
	if !ok {
		return nil, malformed
	}
	if len(p.req.Fields) == maxFields {
		return nil, largeHead
	}
	p.req.Fields = append(p.req.Fields, message.Field{Name: name, Value: value})
	switch len(name) {
	case 4:
		if strings.EqualFold(name, "Host") {
			s.hosts++
			s.host = len(p.req.Fields) - 1
		}
	case 6:
		if strings.EqualFold(name, "Expect") {
			p.expects = h1.EqualASCII(value, "100-continue")
			p.reserved = !p.expects
		}
	case 10:
		if strings.EqualFold(name, "Connection") {
			p.connection(value, s)
		}
	case 14:
		if strings.EqualFold(name, "Content-Length") {
			s.lengths++
			s.length = value
		}
	case 17:
		if strings.EqualFold(name, "Transfer-Encoding") {
			s.codings++
			s.coding = value
		}
	}
	return rest, refusal{}
}

// connection reads the options of a Connection field.
func (p *parser) connection(value string, s *seen) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.Trim(option, " \t"); {
		case h1.EqualASCII(option, "close"):
			p.closes = true
		case h1.EqualASCII(option, "keep-alive"):
			s.keep = true
		}
	}
}

// frame decides where the body ends (RFC 9112 section 6.3). Whatever could be read in two ways is refused,
// also where the RFC would let it pass: several lengths although they are equal, a length beside a
// coding, a coding in HTTP/1.0.
func (p *parser) frame(s *seen) refusal {
	p.closes = p.closes || p.req.Minor == 0 && !s.keep
	switch {
	case s.codings > 0:
		if s.codings > 1 || s.lengths > 0 || p.req.Minor == 0 || s.coding == "" {
			return malformed
		}
		if !h1.EqualASCII(s.coding, "chunked") {
			return badCoding
		}
		p.length = -1
	case s.lengths > 1:
		return malformed
	case s.lengths == 1:
		n, ok := h1.ParseLength(s.length)
		if !ok {
			return malformed
		}
		p.length = n
	}
	p.expects = p.expects && p.length != 0 && p.req.Minor > 0
	p.req.ContentLength = p.length
	return refusal{}
}

// target takes the request target apart and finds the host (RFC 9112 sections 3.2 and 3.3).
func (p *parser) target(s *seen) refusal {
	r := &p.req
	if s.hosts > 1 || s.hosts == 0 && r.Minor > 0 {
		return malformed
	}
	raw := r.Path
	host := ""
	if s.hosts == 1 {
		host = r.Fields[s.host].Value
	}
	if raw[0] != '/' {
		target, authority, ok := h1.SplitTarget(raw)
		switch {
		case !ok || r.Method == "CONNECT" || target == "*" && r.Method != "OPTIONS":
			return malformed
		case target != "*":
			// The authority counts, whatever Host says, and takes its place for whoever reads on.
			if _, _, ok := h1.SplitHost(host); !ok {
				return badHost
			}
			if host = authority; s.hosts == 1 {
				r.Fields[s.host].Value = host
			} else {
				r.Fields.Add("Host", host)
				p.fields = r.Fields
			}
		}
		raw = target
	} else if r.Method == "CONNECT" {
		return malformed
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(raw, "?")
	if !h1.EscapesOK(r.Path) {
		return malformed
	}
	var ok bool
	if r.Host, r.Port, ok = h1.SplitHost(host); !ok {
		return badHost
	}
	return refusal{}
}

// lasting returns a copy of the parsed request that stays valid: one copy of the head, into which all
// its strings point. A handler's request must be such a copy, because what it is handed to, an
// origin's connection for one, may read it a moment longer than the handler runs.
func (p *parser) lasting(head []byte, r *Request) {
	kept := string(head)
	first := uintptr(unsafe.Pointer(unsafe.SliceData(head)))
	move := func(s string) string {
		if s == "" {
			return "" // not a pointer into head
		}
		at := uintptr(unsafe.Pointer(unsafe.StringData(s))) - first // wraps round for what lies before
		if at >= uintptr(len(kept)) {
			return s // a constant, or a copy already
		}
		return kept[at : at+uintptr(len(s))]
	}
	*r = p.req
	for _, s := range []*string{&r.Method, &r.Path, &r.Query, &r.Host, &r.Port} {
		*s = move(*s)
	}
	r.Fields = make(message.Fields, len(p.req.Fields))
	for i, f := range p.req.Fields {
		r.Fields[i] = message.Field{Name: move(f.Name), Value: move(f.Value)}
	}
}
