package distribution

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// Asked makes a request that has the key, as far as a key tells what was asked: what is not in it, an origin must not
// make a difference by. ok is false when the key is none of the distribution's, when it is of a variant or part, and when it
// has something that no request can ask for, such as a viewer's country, or an origin may depend on what is not in it.
func (d *Distribution) Asked(key []byte) (r *message.Request, ok bool) {
	p := keyParts{rest: key, ok: true}
	if p.part() != d.ID || p.part() != "" {
		return nil, false
	}
	r = &message.Request{Method: "GET", Path: p.part(), Host: d.name(), Major: 1, Minor: 1}
	if e := encodings(p.octet()); e != 0 {
		r.Fields.Add("Accept-Encoding", e.String())
	}
	if p.octet() == 1 {
		r.Query, r.HasQuery = p.part(), true
	}
	var cookies []string
	for len(p.rest) > 0 && p.ok {
		switch p.octet() {
		case 'h':
			p.header(r)
		case 'c':
			cookies = append(cookies, p.part()+"="+p.part())
		case 'r':
		default:
			p.ok = false
		}
	}
	if len(cookies) > 0 {
		r.Fields.Add("Cookie", strings.Join(cookies, "; "))
	}
	if !p.ok {
		return nil, false
	}
	b := d.Behavior(r.Path)
	if r.Scheme == "" {
		if r.Scheme = "https"; b.ViewerProtocol == AllowAll {
			r.Scheme = "http"
		}
		if b.ViewerProtocol == AllowAll && b.Origin.Protocol == OriginMatchViewer {
			return nil, false
		}
	}
	return r, bytes.Equal(b.AppendKey(nil, d, r), key)
}

// name is a host that the distribution answers for: as its viewers know it, if they do.
func (d *Distribution) name() string {
	for _, a := range d.Aliases {
		if !strings.HasPrefix(a, "*") {
			return a
		}
	}
	return d.DomainName
}

// keyParts reads a key. ok turns false where it ends too early.
type keyParts struct {
	rest []byte
	ok   bool
}

func (p *keyParts) octet() byte {
	if len(p.rest) == 0 {
		p.ok = false
		return 0
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func (p *keyParts) part() string {
	if len(p.rest) < 4 || uint64(len(p.rest)-4) < uint64(binary.BigEndian.Uint32(p.rest)) {
		p.rest, p.ok = nil, false
		return ""
	}
	n := 4 + int(binary.BigEndian.Uint32(p.rest))
	s := string(p.rest[4:n])
	p.rest = p.rest[n:]
	return s
}

func (p *keyParts) header(r *message.Request) {
	name, v := p.part(), p.octet()
	value := p.part()
	switch {
	case v != 'v':
		p.ok = false
	case name == "host":
		if host, port, err := net.SplitHostPort(value); err == nil {
			r.Host, r.Port = host, port
		} else {
			r.Host = value
		}
	case name == "cloudfront-forwarded-proto":
		r.Scheme = value
	default:
		r.Fields.Add(name, value)
	}
}
