package httpserver

import (
	"strings"
	"testing"
)

// A section has as many fields, and octets of them, as a head of HTTP/1.1.
func TestSection_Sizes(t *testing.T) {
	const most = 1 << 15
	base := []string{":method", "GET", ":scheme", "https", ":authority", "h", ":path", "/"}
	room := most
	for i := 0; i < len(base); i += 2 {
		room -= len(base[i]) + len(base[i+1]) + 4
	}
	repeat := func(n int, field ...string) (all []string) {
		for range n {
			all = append(all, field...)
		}
		return all
	}
	for name, c := range map[string]struct {
		fields []string
		want   refusal
	}{
		"as many as may be":             {repeat(maxFields-1, "x", "y"), refusal{}},
		"one too many":                  {repeat(maxFields, "x", "y"), largeHead},
		"Host is no other":              {append(repeat(maxFields-1, "x", "y"), "host", "h"), refusal{}},
		"crumbs":                        {repeat(maxFields-1, "cookie", "a=b"), refusal{}},
		"one crumb too many":            {repeat(maxFields, "cookie", "a=b"), largeHead},
		"as large as may be":            {[]string{"x", strings.Repeat("y", room-5)}, refusal{}},
		"too large":                     {[]string{"x", strings.Repeat("y", room-4)}, largeHead},
		"what comes later is no matter": {[]string{"x", strings.Repeat("y", room), "X", ""}, largeHead},
		"Host in another script":        {[]string{"host", "\u212a"}, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			var s section
			s.begin(nil, most, false)
			all := append(append([]string(nil), base...), c.fields...)
			if strings.Contains(name, "script") {
				all[5] = "k" // which a Kelvin sign is in another case
			}
			for i := 0; i < len(all); i += 2 {
				s.field(all[i], all[i+1])
			}
			var r Request
			if no := s.request(&r, 2, true, "https", 8192); no != c.want || no.status == 0 && len(r.Fields) > maxFields {
				t.Errorf("%+v with %d fields, want %+v", no, len(r.Fields), c.want)
			}
		})
	}
}
