package h1

import (
	"strings"
	"testing"
)

func FuzzSplitHost(f *testing.F) {
	for _, s := range []string{"", "a", "A.b:80", "[::1]:80", "[::1", "a:b", "a:", ":80", "[v1.x]", "a b", "a@b", "a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, ok := SplitHost(s)
		if !ok {
			return
		}
		if strings.ToLower(host) != host || strings.ContainsAny(host, "/@?# \t\r\n\x00") || strings.Trim(port, "0123456789") != "" || len(port) > 5 {
			t.Errorf("%q -> %q %q", s, host, port)
		}
		if back := strings.TrimSuffix(host+":"+port, ":"); !strings.EqualFold(back, strings.TrimSuffix(s, ":")) {
			t.Errorf("%q -> %q %q loses something", s, host, port)
		}
	})
}

func FuzzSplitTarget(f *testing.F) {
	for _, s := range []string{"*", "http://h", "http://h?q", "HTTPS://h/a", "h:443", "http:///a", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, authority, ok := SplitTarget(s)
		if ok && (got != "*" && !strings.HasPrefix(got, "/") || !strings.HasSuffix(s, strings.TrimPrefix(got, "/")) || !strings.Contains(s, authority)) {
			t.Errorf("%q -> %q, %q", s, got, authority)
		}
	})
}
