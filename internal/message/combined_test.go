package message

import (
	"strings"
	"testing"
)

func TestCombined(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{"", ""}, {"a", "a"}, {" a\t", "a"}, {"a, b", "a,b"}, {" a ,\t b ", "a,b"}, {"a|b", "a,b"}, {"a, b|c", "a,b,c"},
		{"a,", "a,"}, {"a|", "a,"}, {",a", ",a"}, {"a,,b", "a,,b"}, {"a  b, c", "a  b,c"},
		{`"a, b" , c`, `"a, b",c`}, {`"a\", b" , c`, `"a\", b",c`}, {`"a , b`, `"a,b`}, {`"a , b|" , c`, `"a,b,",c`},
		{`x="1 , 2" , "3 , 4`, `x="1 , 2","3,4`},
	} {
		f := Fields{{"Other", "x , y"}}
		for l := range strings.SplitSeq(c.lines, "|") {
			f.Add("X-List", l)
		}
		if got, ok := f.AppendCombined([]byte("> "), "x-list"); string(got) != "> "+c.want || !ok {
			t.Errorf("%q: %q, want %q", c.lines, got, c.want)
		}
	}
	if got, ok := (Fields{{"Other", "x"}}).AppendCombined(nil, "X-List"); ok || got != nil {
		t.Errorf("of no line: %q %v", got, ok)
	}
}

func FuzzCombined(f *testing.F) {
	for _, s := range []string{"a, b", `"a, b" , c`, `"a , b`, `a"b , c"d`, `\", a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, _ := Fields{{"A", s}}.AppendCombined(nil, "A")
		again, _ := Fields{{"A", string(out)}}.AppendCombined(nil, "A")
		if string(again) != string(out) {
			t.Fatalf("%q becomes %q becomes %q", s, out, again)
		}
		bare := func(s string) string { return strings.NewReplacer(" ", "", "\t", "").Replace(s) }
		if bare(string(out)) != bare(s) {
			t.Fatalf("%q becomes %q", s, out)
		}
	})
}
