package main

import (
	"strings"
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for _, k := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(1234567), "1,234,567"}, {number(-123), "-123"}, {number(-1234), "-1,234"},
		{count(0, "edge"), "0 edges"}, {count(1, "edge"), "1 edge"}, {count(uint64(1200), "edge"), "1,200 edges"},
		{size(0), "0 B"}, {size(1023), "1023 B"}, {size(1024), "1.0 KiB"}, {size(10188), "9.9 KiB"}, {size(10189), "10 KiB"},
		{size(1<<20 - 1), "1.0 MiB"}, {size(3 << 30), "3.0 GiB"}, {size(1 << 50), "1024 TiB"},
		{took(0), "0.0 ms"}, {took(9.94), "9.9 ms"}, {took(9.96), "10 ms"}, {took(999.4), "999 ms"}, {took(999.6), "1.0 s"},
		{took(59_949), "59.9 s"}, {took(59_960), "1 min 0 s"}, {took(61_000), "1 min 1 s"},
		{span(0), "0 s"}, {span(59 * time.Second), "59 s"}, {span(time.Hour), "1 h 0 min"}, {span(90 * time.Minute), "1 h 30 min"},
		{span(49 * time.Hour), "2 d 1 h"},
		{percent(1, 3), "33.3 %"}, {percent(99999, 100000), "99.9 %"}, {percent(5, 5), "100.0 %"}, {percent(0, 5), "0.0 %"},
		{few([]string{"a", "b"}, 2), "a, b"}, {few([]string{"a", "b", "c"}, 2), "a, b and 1 more"}, {few(nil, 2), ""},
		{few([]string{"/" + strings.Repeat("ä", 3000), "/b"}, 3), "/" + strings.Repeat("ä", 78) + "…, /b"}, {brief("/" + strings.Repeat("x", 79)), "/" + strings.Repeat("x", 79)},
		{where("e1", "e1"), "e1"}, {where("e1", "FRA"), "e1 in FRA"}, {where("e1", ""), "e1"},
		{clean("plain, ä…"), "plain, ä…"}, {clean("a\x1b[2Jb\r"), `a\x1b[2Jb\r`}, {clean("two\nlines"), "two\nlines"}, {clean("\u202ertl"), `\u202ertl`},
		{clean("'\x00"), `'\x00`},
	} {
		if k.got != k.want {
			t.Errorf("%q, not %q", k.got, k.want)
		}
	}
}

func TestTable_AlignsAndCleans(t *testing.T) {
	var tab table
	tab.row("A", "LONG HEAD", "C")
	tab.row("wide cell", "x\ny", "\x1b[31m")
	tab.row("only")
	want := []string{`A          LONG HEAD  C`, `wide cell  x y        \x1b[31m`, `only`}
	got := tab.lines()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, not %q", got[i], want[i])
		}
	}
}
