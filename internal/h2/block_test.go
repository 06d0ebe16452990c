package h2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// A block that is taken for steady leaves the table as it was, and means the same a second time.
func FuzzSteady_LeavesTheTable(f *testing.F) {
	f.Add([]byte("\x82\x86\x04\x02/q\xbf\xbe"))
	f.Add([]byte("\x82\x86\x44\x02/p\x41\x01h"))
	f.Add([]byte("\x3f\xe1\x1f\x82"))
	f.Add([]byte("\x10\x01a\x01b\x0f\x20\x7f\x01" + strings.Repeat("x", 128)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !Steady(b) {
			return
		}
		var got []hpack.HeaderField
		d := hpack.NewDecoder(4096, func(f hpack.HeaderField) { got = append(got, f) })
		decode := func(b []byte) ([]hpack.HeaderField, error) {
			got = nil
			_, err := d.Write(b)
			return slices.Clone(got), err
		}
		var filled bytes.Buffer
		e := hpack.NewEncoder(&filled)
		for i := range 20 {
			e.WriteField(hpack.HeaderField{Name: fmt.Sprint("x-", i), Value: "v"})
		}
		if _, err := decode(filled.Bytes()); err != nil {
			t.Fatal(err)
		}
		all := make([]byte, 20)
		for i := range all {
			all[i] = 0x80 | byte(62+i)
		}
		before, _ := decode(all)
		first, err := decode(b)
		if err != nil || d.Close() != nil {
			return // the connection ends
		}
		second, err := decode(b)
		after, _ := decode(all)
		if err != nil || !slices.Equal(first, second) || !slices.Equal(before, after) || len(after) != 20 {
			t.Errorf("%x: %v %v %v, table %v", b, err, first, second, after)
		}
	})
}
