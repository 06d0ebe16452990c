package h1

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"testing"
)

// Whatever the chunk reader accepts, net/http's accepts and reads the same, however it is cut.
func FuzzChunks_LikeNetHTTPOrStricter(f *testing.F) {
	for _, s := range []string{
		"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "3;a=b;c=\"d\\\"e\"\r\nabc\r\n00\r\nX: y\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
		"3\nabc\n0\n\n", "ffffffffffffffff\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
		"00000000000000000\r\n\r\n", "000000000000003\r\nabc\r\n000000000000000\r\n\r\n",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		ours, used, err := unchunk(b, max(1, step%7))
		if err != nil {
			return
		}
		theirs, terr := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(b[:used])))
		if terr != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("%q: %q, by net/http %q, %v", b, ours, theirs, terr)
		}
		for cut := range used {
			if _, _, err := unchunk(b[:cut], 1); err == nil {
				t.Fatalf("%q ends already after %d octets", b, cut)
			}
		}
	})
}

func TestChunks_DigitsOfASize(t *testing.T) {
	for s, ok := range map[string]bool{
		"000000000000000\r\n\r\n": true, "0000000000000000\r\n\r\n": false, "000000000000003\r\nabc\r\n0\r\n\r\n": true, "0000000000000003\r\nabc\r\n0\r\n\r\n": false,
	} {
		if _, _, err := unchunk([]byte(s), 5); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// unchunk gives the data of a chunked body, fed step octets at a time, and how much of b it took.
func unchunk(b []byte, step int) (data []byte, used int, err error) {
	var c Chunks
	for !c.Ended() {
		piece := b[used:min(len(b), used+step)]
		if len(piece) == 0 {
			return nil, used, errors.New("not complete")
		}
		n, err := c.Feed(piece)
		if err != nil {
			return nil, used, err
		}
		used, piece = used+n, piece[n:]
		if c.Left() > 0 && len(piece) > 0 {
			n := int(min(int64(len(piece)), c.Left()))
			data, used = append(data, piece[:n]...), used+n
			c.Took(n)
		}
	}
	return data, used, nil
}
