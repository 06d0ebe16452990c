package httpserver

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// heard answers everything inline with what it has heard of the request.
type heard struct{}

func (heard) Inline() Inline           { return heard{} }
func (heard) Sent()                    {}
func (heard) Done(int64, bool)         {}
func (heard) Later() func(int64, bool) { return func(int64, bool) {} }
func (heard) Answer(dst []byte, r *Request) ([]byte, Rest, bool) {
	text := fmt.Sprint(r.Method, " ", r.URI(), " ", r.Host, " ", r.ContentLength, " ", r.Fields)
	return AppendBlock(dst, 200, nil, int64(len(text))), Rest{Octets: []byte(text)}, true
}

// The same octets mean the same only as long as nothing has changed the table.
func TestH2_SameBlockAgain(t *testing.T) {
	addr, _ := start(t, &Server{H2C: true, Answerer: heard{}, Handler: handlerFunc(echo)})
	c := viewer2(t, addr)
	who := "\x82\x86\x04\x02/q\x01\x01h\xbe" // with whatever is the last in the table
	blocks := []struct{ block, want string }{
		{"\x82\x86\x04\x02/i\x01\x01h\x40\x05x-who\x03one", "/i h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{"\x82\x86\x04\x02/r\x01\x01h\xbe", "/r h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{who, "/q h 0 [{Host h} {x-who one}]"},
		{"\x82\x86\x04\x02/i\x01\x01h\x40\x05x-who\x03two", "/i h 0 [{Host h} {x-who two}]"},
		{who, "/q h 0 [{Host h} {x-who two}]"},
		{"\x82\x86\x04\x02/i\x01\x01h\x40\x05x-who\x01x", "/i h 0 [{Host h} {x-who x}]"},
		{"\x82\x86\x04\x02/i\x01\x01h\x40\x05x-who\x01x", "/i h 0 [{Host h} {x-who x}]"},
		{"\x82\x86\x04\x02/i\x01\x01h\x40\x05x-who\x01x", "/i h 0 [{Host h} {x-who x}]"},
		{"\x82\x86\x04\x02/q\x01\x01h\xc0\xc1", "/q h 0 [{Host h} {x-who x} {x-who two}]"}, // that was three times
		{who, "/q h 0 [{Host h} {x-who x}]"},
	}
	for i, b := range blocks {
		id := uint32(2*i + 1)
		c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte(b.block), EndHeaders: true, EndStream: true})
		c.until("an answer", func() bool { return c.ends[id] != "" })
		if got := string(c.bodies[id]); !strings.HasSuffix(got, b.want) {
			t.Errorf("block %d, %q: %q, want %q", i, b.block, got, b.want)
		}
	}
}
