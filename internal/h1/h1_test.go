package h1

import (
	"math"
	"testing"

	"github.com/warmfront/warmfront/internal/message"
)

func TestFieldLine_IsReadInOneWayOrNotAtAll(t *testing.T) {
	for _, c := range []struct{ line, name, value string }{
		{"A: b\r\n", "A", "b"},
		{"a:b\r\n", "a", "b"},
		{"A: \t b c\t \r\n", "A", "b c"},
		{"A:\r\n", "A", ""},
		{"A: \r\n", "A", ""},
		{"A: \xff,\"x\"\r\n", "A", "\xff,\"x\""},
		{"A: 1234567\x008\r\n", "", ""},
		{"A: b\n", "", ""},
		{"A: b\rc\r\n", "", ""},
		{"A: b\r", "", ""},
		{"A: b", "", ""},
		{"A:", "", ""},
		{"A", "", ""},
		{"A : b\r\n", "", ""},
		{" A: b\r\n", "", ""},
		{": b\r\n", "", ""},
		{"A\x80: b\r\n", "", ""},
		{"A: b\x7f\r\n", "", ""},
		{"", "", ""},
	} {
		name, value, rest, ok := FieldLine([]byte(c.line + "next")[:len(c.line)])
		if name != c.name || value != c.value || ok != (c.name != "") || len(rest) != 0 {
			t.Errorf("%q: %q %q %q %v", c.line, name, value, rest, ok)
		}
		if ok && !OneLine(&message.Field{Name: name, Value: value}) {
			t.Errorf("%q could not be written again", c.line)
		}
	}
}

func TestParseLength_DigitsOnly(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "007": 7, "9223372036854775799": math.MaxInt64 - 8, "9223372036854775808": -1, "99999999999999999999": -1,
		"": -1, "+1": -1, "-1": -1, "1 ": -1, "1,1": -1, "0x1": -1, "1.0": -1, "１": -1,
	} {
		if n, ok := ParseLength(s); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d %v", s, n, ok)
		}
	}
}
