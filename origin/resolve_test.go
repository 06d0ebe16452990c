package origin

import (
	"strings"
	"testing"

	"github.com/warmfront/warmfront/distribution"
)

func TestResolve_MostSpecificWins(t *testing.T) {
	m, err := ParseResolve([]string{
		"My-Bucket.s3.amazonaws.com=127.0.0.1:8090",
		"*.amazonaws.com=127.0.0.1:2",
		"*.s3.amazonaws.com = https://local.test",
		"six.example=http://[::1]:9/",
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newResolver(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"my-bucket.s3.amazonaws.com": " 127.0.0.1:8090",
		"MY-BUCKET.s3.amazonaws.com": " 127.0.0.1:8090",
		"other.s3.amazonaws.com":     "https local.test:443",
		"a.b.amazonaws.com":          " 127.0.0.1:2",
		"six.example":                "http [::1]:9",
		"amazonaws.com":              "none",
		"example.com":                "none",
	} {
		got := "none"
		if x, ok := r.lookup(name); ok {
			got = x.scheme + " " + x.addr
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestResolve_ErrorsSayWhat(t *testing.T) {
	for entry, want := range map[string]string{
		"a.example":                  "want name=host:port",
		"=127.0.0.1:1":               "no origin name",
		"*.=127.0.0.1:1":             "no origin name",
		"a.*.example=h:1":            "a * may only be",
		"*a.example=h:1":             "a * may only be",
		"http://a=h:1":               "no scheme, port or blank",
		"a=127.0.0.1":                `target "127.0.0.1" is not host:port`,
		"a=:80":                      "is not host:port",
		"a=h:0":                      `bad port "0"`,
		"a=h:http":                   `bad port "http"`,
		"a=ftp://h":                  "must be http or https",
		"a=http://h/path":            "want only scheme, host and port",
		"a=http://u@h":               "want only scheme, host and port",
		"a=http://h:99999":           "bad port",
		"b.example=h:1,b.example=h2": "bad port",
	} {
		if _, err := ParseResolve([]string{entry}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
	if _, err := ParseResolve([]string{"a=h:1", "A=h:2"}); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("twice: %v", err)
	}
}

func TestResolve_File(t *testing.T) {
	m, err := ReadResolve(strings.NewReader("# production names\n\na=h:1 # local\n*.b = http://h\n"), "names")
	if err != nil || len(m) != 2 || m["a"] != "h:1" || m["*.b"] != "http://h" {
		t.Errorf("%v %v", m, err)
	}
	if _, err := ReadResolve(strings.NewReader("a=h:1\nbad\n"), "names"); err == nil || !strings.HasPrefix(err.Error(), "names:2: ") {
		t.Errorf("%v", err)
	}
}

func TestResolve_SchemeOverridesThePolicy(t *testing.T) {
	c := client(t, Config{Resolve: map[string]string{"plain.example": "http://127.0.0.1:1", "policy.example": "127.0.0.1:1"}})
	for name, want := range map[string]string{"plain.example": "http", "policy.example": "https"} {
		o := &distribution.Origin{DomainName: name, Protocol: distribution.OriginHTTPSOnly, SSLProtocols: []string{"TLSv1.2"}}
		if k, err := c.key(o, "http"); err != nil || k.scheme != want || k.network != "tcp" {
			t.Errorf("%s: %+v %v", name, k, err)
		}
	}
}

func FuzzParseResolve(f *testing.F) {
	f.Add("a=h:1")
	f.Add("*.b=https://[::1]:2")
	f.Fuzz(func(t *testing.T, entry string) {
		m, err := ParseResolve([]string{entry})
		if err != nil {
			return
		}
		if _, err := newResolver(m); err != nil {
			t.Errorf("%q parses but is refused by New: %v", entry, err)
		}
	})
}
