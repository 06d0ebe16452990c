package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
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
