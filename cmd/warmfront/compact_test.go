package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// --keep takes the times that other flags do, and what the API would refuse is refused in the words of the flag, without asking.
func TestCompact_Keep(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = append(asked, string(b))
		fmt.Fprint(w, `{"before":3,"after":2,"base":2}`)
	}))
	defer s.Close()
	t.Setenv(envKey, "k")
	t.Setenv(envSecret, "s")
	compact := func(args ...string) (code int, stderr string) {
		asked = nil
		var errors bytes.Buffer
		root := newRoot()
		root.SetOut(io.Discard)
		root.SetArgs(append([]string{"compact", "--endpoint", s.URL}, args...))
		code = run(context.Background(), root, &errors)
		return code, errors.String()
	}
	for keep, want := range map[string]string{"7d": `{"keepSeconds":604800}`, "90m": `{"keepSeconds":5400}`, "0s": `{"keepSeconds":0}`, "366d": `{"keepSeconds":31622400}`} {
		if code, stderr := compact("--keep", keep); code != exitDone || len(asked) != 1 || asked[0] != want {
			t.Errorf("--keep %s: %d %q, asked %q", keep, code, stderr, asked)
		}
	}
	if code, stderr := compact(); code != exitDone || len(asked) != 1 || asked[0] != "{}" {
		t.Errorf("without: %d %q, asked %q", code, stderr, asked)
	}
	for _, keep := range []string{"-1s", "367d", "9000h", "1", "d", "-1d", ""} {
		if code, stderr := compact("--keep", keep); code != exitUsage || !strings.HasPrefix(stderr, "warmfront: --keep ") || len(asked) > 0 {
			t.Errorf("--keep %q: %d %q, asked %q", keep, code, stderr, asked)
		}
	}
}
