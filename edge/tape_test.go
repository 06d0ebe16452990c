package edge

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/warmfront/warmfront/internal/pages"
)

// Whatever comes in whatever pieces: it is read as it came, and is the body in the end, in pages if it is large, its length is
// known, and there are some.
func TestTape_InPagesAndInTheHeap(t *testing.T) {
	pool := pages.New(1 << 20)
	for name, c := range map[string]struct {
		blank func(n int) *pages.Octets
		size  int
		known bool
		paged bool
	}{
		"large":         {pool.Blank, 1<<20 + 5, true, pool != nil},
		"just so":       {pool.Blank, pages.Least, true, pool != nil},
		"small":         {pool.Blank, pages.Least - 1, true, false},
		"empty":         {pool.Blank, 0, true, false},
		"unknown":       {pool.Blank, 300_000, false, false},
		"no pages":      {nil, 300_000, true, false},
		"none are left": {func(int) *pages.Octets { return nil }, 300_000, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(c.size)))
			want := make([]byte, c.size)
			for i := range want {
				want[i] = byte(r.Uint32())
			}
			tp := tape{whole: true, blank: c.blank}
			expected, read, grown := int64(-1), []byte(nil), int64(0)
			if c.known {
				expected = int64(c.size)
			}
			for tp.size < int64(c.size) {
				p, g := tp.room(expected)
				grown += g
				n := copy(p[:1+r.IntN(len(p))], want[tp.size:])
				tp.wrote(n)
				read = append(read, tp.from(int64(len(read)))...)
			}
			body, in := tp.body()
			if !bytes.Equal(read, want) || !bytes.Equal(body, want) || cap(body) != len(body) {
				t.Error("other octets")
			}
			if (in != nil) != c.paged || grown < int64(c.size) {
				t.Errorf("in pages: %v; %d octets are said to be taken", in != nil, grown)
			}
		})
	}
}

// A body that is not kept after all goes on in chunks, and what has been read of it is let go of.
func TestTape_LetsGoOfPages(t *testing.T) {
	tp := tape{whole: true, blank: pages.New(1 << 20).Blank}
	write := func() {
		p, _ := tp.room(1 << 20)
		for i := range p {
			p[i] = byte(int(tp.size)+i) | 1
		}
		tp.wrote(len(p))
	}
	write()
	tp.whole = false
	first := tp.size
	write()
	write()
	if b := tp.from(first); len(b) == 0 || b[0] != byte(first)|1 {
		t.Errorf("behind the pages: %d octets", len(b))
	}
	tp.trim(first)
	if tp.pages != nil || tp.base != first {
		t.Error("the pages are kept")
	}
}
