package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoChange(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/_change" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		io.WriteString(w, `{"edition":7,"name":"Dusk","changed":"2026-05-14T12:00:00Z"}`)
	}))
	defer site.Close()
	for flag, want := range map[string]string{
		"":       "the demonstration site is at edition 7 now: Dusk\n",
		"--json": `"edition": 7`,
	} {
		var out, errs bytes.Buffer
		root := newRoot()
		root.SetArgs(strings.Fields("demo change --demo " + site.Listener.Addr().String() + " " + flag))
		root.SetOut(&out)
		if code := run(t.Context(), root, &errs); code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %d %q %q", flag, code, out.String(), errs.String())
		}
	}
}

// Without --demo the API of the data directory's Warmfront is asked where the site is.
func TestDemoChange_AsksWhereTheSiteIs(t *testing.T) {
	var about string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /warmfront/v1/about":
			io.WriteString(w, about)
		case "POST /_change":
			io.WriteString(w, `{"edition":7,"name":"Dusk"}`)
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}))
	defer s.Close()
	dir := t.TempDir()
	env := "export AWS_ENDPOINT_URL_CLOUDFRONT=" + s.URL + "\nexport AWS_ACCESS_KEY_ID=k\nexport AWS_SECRET_ACCESS_KEY=s\n"
	if err := os.WriteFile(filepath.Join(dir, "aws.env"), []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		about, want string
		code        int
	}{
		{`{"demo":{"url":"` + s.URL + `/","distributionId":"E1"}}`, "at edition 7 now: Dusk", exitDone},
		{`{"demo":null}`, "has no demonstration site", exitRefused},
		{`{"demo":{"url":"nowhere"}}`, `"nowhere"`, exitRefused},
	} {
		about = x.about
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs([]string{"demo", "change", "--data", dir})
		root.SetOut(&out)
		if code := run(t.Context(), root, &out); code != x.code || !strings.Contains(out.String(), x.want) {
			t.Errorf("%s: %d %q", x.about, code, out.String())
		}
	}
}
