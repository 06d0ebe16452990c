package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/ownapi/client"
)

// asked runs a command line against a server that answers nothing useful, and returns which key came
// in, or what was said.
func asked(t *testing.T, args ...string) (key, said string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		key, _, _ = strings.Cut(rest, "/")
		key += r.Header.Get("X-Amz-Security-Token")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":"Unauthenticated","message":"InvalidClientTokenId: no"}`)
	}))
	defer s.Close()
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "SERVER", s.URL)
	}
	if v := os.Getenv(envEndpoint); v == "SERVER" {
		t.Setenv(envEndpoint, s.URL)
		defer os.Setenv(envEndpoint, v)
	}
	var stderr bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	run(context.Background(), root, &stderr)
	return key, stderr.String()
}

func TestConnection_WhereKeysComeFrom(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range []string{envEndpoint, envKey, envSecret, envToken} {
		t.Setenv(name, "")
	}
	file := func(dir, key string) {
		os.MkdirAll(dir, 0o755)
		text := "# comment=x\nexport AWS_ACCESS_KEY_ID=" + key + "\nexport AWS_SECRET_ACCESS_KEY='s'\nexport AWS_ENDPOINT_URL_CLOUDFRONT=http://127.0.0.1:1\n"
		if err := os.WriteFile(filepath.Join(dir, "aws.env"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file(filepath.Join(home, ".warmfront"), "default")
	file(filepath.Join(home, "other"), "other")
	expect := func(want, says string, args ...string) {
		t.Helper()
		if key, said := asked(t, args...); key != want || !strings.Contains(said, says) {
			t.Errorf("%q: asked with %q: %s", args, key, said)
		}
	}
	expect("default", "which warmfront dev writes", "status", "--endpoint", "SERVER")
	expect("", "no answer from http://127.0.0.1:1: connect: connection refused\n  hint: Is Warmfront running there?", "status")

	t.Setenv(envKey, "environment")
	expect("", "only one of", "status")
	t.Setenv(envSecret, "s")
	t.Setenv(envToken, "+token")
	t.Setenv(envEndpoint, "SERVER")
	expect("environment+token", "For those of warmfront dev: . "+home, "status")
	expect("other", filepath.Join(home, "other"), "status", "--data", filepath.Join(home, "other"), "--endpoint", "SERVER")
	expect("", "http://127.0.0.1:1", "status", "--data", filepath.Join(home, "other"))
	expect("", "is no URL", "status", "--endpoint", "127.0.0.1:9000")
}

func TestFailed_SaysWhatToDo(t *testing.T) {
	c := &connection{data: "/d", keys: envKey + " in the environment"}
	for _, k := range []struct {
		err  error
		says string
	}{
		{&client.Error{Status: 401, Code: "Unauthenticated", Message: "ExpiredToken: over"}, "session that is over"},
		{&client.Error{Status: 403, Code: "ExpiredToken", Message: "over"}, "session that is over"},
		{&client.Error{Status: 403, Code: "SignatureDoesNotMatch", Message: "no"}, ". /d/aws.env"},
		{&client.Error{Status: 403, Code: "AccessDenied", Message: "no"}, "a larger role"},
		{&client.Error{Status: 502, Message: "no"}, "a proxy is in between"},
		{&client.Unreachable{Endpoint: "x", Err: errors.New("y")}, "warmfront dev starts it"},
	} {
		var h *hinted
		if err := c.failed(k.err); !errors.As(err, &h) || !strings.Contains(strings.Join(h.hints, "\n"), k.says) {
			t.Errorf("%v: %v", k.err, h)
		}
	}
	if err := c.failed(&client.Unreachable{Endpoint: "x", Err: context.Canceled}); err.Error() != "interrupted" {
		t.Error(err)
	}
	if c.failed(nil) != nil {
		t.Error("nothing failed")
	}
}

func TestFind_AnEmptyNameIsAMistake(t *testing.T) {
	var mistake usageError
	if _, err := new(connection).find(context.Background(), nil, ""); !errors.As(err, &mistake) {
		t.Error(err)
	}
}

func TestSuggest_IsShort(t *testing.T) {
	var all []client.Distribution
	for i := range 25 {
		all = append(all, client.Distribution{ID: fmt.Sprint("E", i), DomainName: "d", Aliases: []string{"a", "b", "c", "d"}, Comment: "shop"})
	}
	got := suggest(all)
	if len(got) != 12 || got[1] != "  E0  d  a, b, c and 1 more  (shop)" || got[11] != "  and 15 more" {
		t.Errorf("%q", got)
	}
	if got := suggest(nil); !strings.Contains(got[0], "no distributions yet") {
		t.Errorf("%q", got)
	}
}
