package distribution

import "testing"

func TestKeyText(t *testing.T) {
	d := compiled(t, rich())
	for _, c := range []struct {
		d      *Distribution
		line   string
		fields []string
		want   string
	}{
		{d, "GET /", nil, "GET /index.html"},
		{d, "GET /a.css", []string{"Accept-Encoding: gzip, br"}, "GET /a.css, Accept-Encoding: br,gzip"},
		{d, "GET /old/x?v=1&w=2", []string{"Origin: http://x", "Accept: a", "Accept: b", "Cookie: sess1=u; other=v"},
			"GET /old/x?v=1, accept: a, b, origin: http://x, cookie sess1=u"},
		{d, "GET /old/x?w=2", nil, "GET /old/x"},
	} {
		r := request(c.line, c.fields...)
		if got := KeyText([]byte(key(c.d, r))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
	whole := []byte(key(d, request("GET /old/x?v=1", "Cookie: sess1=u")))
	for n := range whole { // cut anywhere it is no key, or one of fewer parts, and never a panic
		KeyText(whole[:n])
	}
	for _, s := range []string{"", "garbage", "\xff\xff\xff\xff"} {
		if got := KeyText([]byte(s)); got != "" {
			t.Errorf("%q gives %q", s, got)
		}
	}
}
