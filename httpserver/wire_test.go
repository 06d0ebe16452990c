package httpserver

import (
	"bytes"
	"testing"
)

// record is one of TLS with that much content.
func record(kind byte, content int) []byte {
	return append([]byte{kind, 3, 3, byte(content >> 8), byte(content)}, make([]byte, content)...)
}

// However octets come and are asked for, they are handed out in order, none before its record is complete and
// none beyond it at once; what is no record is handed out as it comes, for crypto/tls to refuse.
func FuzzWire(f *testing.F) {
	f.Add(record(22, 512), uint16(1), uint16(5))
	f.Add(append(record(23, 0), record(23, 16384+256)...), uint16(1400), uint16(517))
	f.Add(append(record(22, 5000), record(23, 100)...), uint16(60000), uint16(1))
	f.Add(record(23, 16384+2048), uint16(4096), uint16(4096))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), uint16(3), uint16(100))
	f.Add([]byte{23, 3, 3, 0xff, 0xff, 1, 2}, uint16(2), uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, coming, asked uint16) {
		w := &wire{}
		var out []byte
		p := make([]byte, int(asked)+1)
		for rest := data; ; {
			if w.whole() {
				in, before := w.in[w.pos:], w.rest
				n, err := w.Read(p)
				if err != nil || n == 0 {
					t.Fatalf("%d octets, %v, of a record that is there", n, err)
				}
				if proper := before == 0 && in[0] >= 20 && in[0] <= 23 && len(in) >= recordHead; proper && n > recordLen(in) {
					t.Fatalf("%d octets of a record of %d", n, recordLen(in))
				}
				out = append(out, p[:n]...)
				w.idle()
				continue
			}
			if n, err := w.Read(p); n != 0 || err != error(errAgain) {
				t.Fatalf("%d octets, %v, of a record that is not there", n, err)
			}
			if len(rest) == 0 {
				break
			}
			room := w.room()
			if len(room) == 0 || cap(w.in) > maxRecord {
				t.Fatalf("room for %d of %d octets", len(room), cap(w.in))
			}
			n := copy(room[:min(len(room), int(coming)+1)], rest)
			w.in, rest = w.in[:len(w.in)+n], rest[n:]
		}
		if !bytes.Equal(out, data[:len(out)]) || len(out)+len(w.in[w.pos:]) != len(data) {
			t.Fatalf("%d octets handed out, %d kept, of %d", len(out), len(w.in)-w.pos, len(data))
		}
		if w.idle(); len(out) == len(data) && w.in != nil {
			t.Error("an idle wire keeps its buffer")
		}
		w.giveBack()
	})
}
