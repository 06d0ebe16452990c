package httpserver

import "github.com/warmfront/warmfront/internal/message"

// h2memo is a connection's last request. A viewer that asks for the same thing again sends the same header
// block again; as long as no other block has been decoded since, it means the same, and section is still what was
// decoded. It is laid out when a block comes for the second time: who asks for something else each time pays for
// no more than the comparison.
type h2memo struct {
	block  []byte // of a request without a body; empty: there is none that may be used again
	laid   bool   // req is what it means
	req    Request
	fields message.Fields // req's: a desk belongs to another connection in the meantime
}

// maxMemo bounds the block that is remembered, and with it what an idle connection holds: its request's strings
// are the dynamic table's, or short.
const maxMemo = 256

// is tells whether the memo knows what the block means.
func (m *h2memo) is(block []byte, ended bool) bool {
	return ended && len(m.block) > 0 && string(m.block) == string(block)
}

// keep remembers a block that was answered inline, and what it means if it is the second time.
func (m *h2memo) keep(block []byte, again bool, r *Request) {
	if m.laid || len(block) > maxMemo || !again && !steady(block) {
		return
	}
	m.block = append(m.block[:0], block...)
	if m.laid = again; again {
		m.fields = append(m.fields[:0], r.Fields...)
		m.req = *r
		m.req.Fields = m.fields
	}
}

// forget is called before a block is decoded, which may change what the next one means.
func (m *h2memo) forget() {
	m.block, m.laid = m.block[:0], false
}

// steady tells whether a header block that could be decoded leaves the dynamic table as it is: it has only
// indexed fields, and literals without indexing (RFC 7541 section 6). Of some that do it says no: those with
// large integers.
func steady(b []byte) bool {
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
