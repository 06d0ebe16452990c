package httpserver

import (
	"github.com/warmfront/warmfront/internal/h2"
	"github.com/warmfront/warmfront/internal/message"
)

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
	if m.laid || len(block) > maxMemo || !again && !h2.Steady(block) {
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
