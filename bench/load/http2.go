package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/net/http2/hpack"
)

// Blocks makes HPACK header blocks for GETs of the paths, as a client that knows its connection sends them
// from its second request on: all but the path are one octet each. They are right on a connection whose
// first block was the one of First.
func Blocks(host string, paths []string) [][]byte {
	var out bytes.Buffer
	e := hpack.NewEncoder(&out)
	encode(&out, e, host, "/")
	blocks := make([][]byte, len(paths))
	for i, path := range paths {
		out.Reset()
		encode(&out, e, host, path)
		blocks[i] = bytes.Clone(out.Bytes())
	}
	return blocks
}

// First is the block that fills the dynamic table for the others.
func First(host, path string) []byte {
	var out bytes.Buffer
	encode(&out, hpack.NewEncoder(&out), host, path)
	return out.Bytes()
}

// encode leaves paths out of the dynamic table, as nghttp2 and browsers do: they would fill it.
func encode(out *bytes.Buffer, e *hpack.Encoder, host, path string) {
	e.WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
	e.WriteField(hpack.HeaderField{Name: ":scheme", Value: "https"})
	e.WriteField(hpack.HeaderField{Name: ":authority", Value: host})
	out.WriteByte(0x04) // literal without indexing, its name is entry 4 of the static table: :path
	out.WriteByte(0x80 | byte(hpack.HuffmanEncodeLength(path)))
	out.Write(hpack.AppendHuffmanString(nil, path))
	e.WriteField(hpack.HeaderField{Name: "user-agent", Value: "bench"})
	e.WriteField(hpack.HeaderField{Name: "accept", Value: "*/*"})
}

// HTTP2 keeps streams on TLS connections busy: whatever came at once is answered by as many new requests
// in one write.
type HTTP2 struct {
	Address     netip.AddrPort // IPv4
	Config      *tls.Config
	Connections int
	Streams     int       // open at a time per connection
	First       []byte    // the first request's header block
	Requests    *Requests // header blocks of all others
	Size        int

	loop *loop
}

func (h *HTTP2) Open(ctx context.Context) error { return h.open(ctx, h.Connections, -1) }

// open makes the connections and asks once on each. After that all may ask left times more in all.
func (h *HTTP2) open(ctx context.Context, connections, left int) (err error) {
	buf := make([]byte, scratch)
	h.loop, err = openLoop(connections, func(int) (conn, error) {
		c, err := openSecure(ctx, h.Address, h.Config, buf)
		if err != nil {
			return nil, err
		}
		s := &session{secure: c, requests: h.Requests, size: h.Size, left: 1}
		s.out = hello()
		s.add(h.First)
		return s, nil
	})
	if err != nil {
		return err
	}
	if _, err = h.loop.closed(ctx, 0); err != nil {
		return err
	}
	for _, c := range h.loop.conns {
		s := c.(*session)
		s.streams, s.left = h.Streams, left
	}
	return nil
}

func (h *HTTP2) Run(ctx context.Context, length time.Duration) (Outcome, error) {
	return h.loop.closed(ctx, length)
}

func (h *HTTP2) Close() {
	if h.loop != nil {
		h.loop.close()
	}
}

// Fill asks for each unit once, over one connection, so that a cache has them.
func (h *HTTP2) Fill(ctx context.Context) error {
	one := *h
	defer one.Close()
	if err := one.open(ctx, 1, h.Requests.Len()); err != nil {
		return err
	}
	one.loop.patient = true
	_, err := one.loop.closed(ctx, 10*time.Minute)
	return err
}

// session is one HTTP/2 connection.
type session struct {
	*secure
	requests *Requests
	frames   Frames
	size     int
	streams  int    // to keep open
	id       uint32 // of the last stream
	left     int    // requests that may yet be asked; below 0: no bound
	data     int    // octets of bodies
	answers  int    // of all
	out      []byte // not written yet
}

// add opens one more stream.
func (s *session) add(block []byte) {
	if s.id == 0 {
		s.id = 1
	} else {
		s.id += 2
	}
	s.out = appendFrame(s.out, frameHeaders, flagEndStream|flagEndHeaders, s.id, block)
	s.owed++
}

func (s *session) take() (answers int, err error) {
	if err := s.each(s.frames.Feed); err != nil {
		return 0, err
	}
	answers = s.frames.Answers
	s.owed -= answers
	s.answers += answers
	s.data += s.frames.Data
	s.out = append(s.out, s.frames.Reply...)
	s.frames.Answers, s.frames.Data, s.frames.Reply = 0, 0, s.frames.Reply[:0]
	if s.owed < 0 {
		return 0, errUnasked
	}
	if answers == 0 { // next will not be called
		err = s.flush()
	}
	return answers, err
}

// next fills up the streams. What it tells is how long ago it was last called.
func (s *session) next(now time.Duration, stop bool) (took time.Duration, err error) {
	took = now - s.asked
	s.asked = now
	for !stop && s.owed < s.streams && s.left != 0 {
		s.add(s.requests.Next())
		s.left--
	}
	if s.owed == 0 && s.data != s.answers*s.size {
		return 0, fmt.Errorf("%d octets of bodies came in %d answers, want %d in each", s.data, s.answers, s.size)
	}
	return took, s.flush()
}

func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.tls.Write(s.out)
	s.out = s.out[:0]
	return err
}
