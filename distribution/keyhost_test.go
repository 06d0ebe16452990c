package distribution

import "testing"

func TestKeyHost(t *testing.T) {
	for _, c := range []struct {
		headers string
		request string
		want    string
	}{
		{"", "GET /a?x=1", ""},
		{"Accept-Language", "GET /a", ""},
		{"Host", "GET /a", "www.example.com"},
		{"Accept-Language Host X-A", "GET /a?x=1", "www.example.com"},
	} {
		d := withPolicies(t, cacheBy(c.headers, "", "x", false, false), nil)
		r := request(c.request)
		r.Host, r.Port = "www.example.com", "8080"
		r.Fields.Add("Accept-Language", "host")
		key := d.Behaviors[0].AppendKey(nil, d, r)
		if got := KeyHost(string(key) + "variant"); got != c.want {
			t.Errorf("%q: %q, want %q", c.headers, got, c.want)
		}
		for i := range key { // no key at all, and whatever looks a little like one
			if got := KeyHost(string(key[:i])); got != "" && got != c.want {
				t.Errorf("%v octets of it: %q", i, got)
			}
			_ = KeyHost(string(key[i:]))
		}
	}
}
