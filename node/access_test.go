package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/console"
	"github.com/warmfront/warmfront/internal/lasting"
)

// asks is a client of several control nodes.
type asks struct {
	t     *testing.T
	nodes []Config
}

// do sends a request to one of the nodes, again while that answers 503: the nodes may be agreeing on who leads. key nil: not signed.
func (x asks) do(node int, key *sigv4.Signer, method, path, body, cookie string) (status int, text string, set []*http.Cookie) {
	x.t.Helper()
	comes(x.t, func() string {
		r, err := http.NewRequest(method, "http://"+x.nodes[node].Control+path, strings.NewReader(body))
		if err != nil {
			x.t.Fatal(err)
		}
		r.Header.Set("X-Warmfront", "1")
		r.Header.Set("Content-Type", "application/json")
		if cookie != "" {
			r.Header.Set("Cookie", "warmfront_session="+cookie)
		}
		if key != nil {
			key.Sign(&sigv4.Request{Method: method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.URL.Host, Header: r.Header}, []byte(body), time.Now())
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer w.Body.Close()
		b, err := io.ReadAll(w.Body)
		if err != nil || w.StatusCode == http.StatusServiceUnavailable {
			return fmt.Sprint(w.Status, " ", string(b), err)
		}
		status, text, set = w.StatusCode, string(b), w.Cookies()
		return ""
	})
	return status, text, set
}

func (x asks) want(what string, status, node int, key *sigv4.Signer, method, path, body string) string {
	x.t.Helper()
	got, text, _ := x.do(node, key, method, path, body, "")
	if got != status {
		x.t.Fatalf("%s: %d %s, want %d", what, got, text, status)
	}
	return text
}

func signer(id, secret, token string) *sigv4.Signer {
	return &sigv4.Signer{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token, Region: "us-east-1", Service: "cloudfront"}
}

// key makes an access key at one node.
func (x asks) key(node int, by *sigv4.Signer, user string) *sigv4.Signer {
	x.t.Helper()
	var k struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(x.want("a key is made", 201, node, by, "POST", "/warmfront/v1/access-keys", `{"user":"`+user+`","role":"administrator"}`)), &k); err != nil {
		x.t.Fatal(err)
	}
	return signer(k.ID, k.Secret, "")
}

// session is what a browser knows when somebody has signed in, or comes back.
type session struct {
	cookie string
	key    *sigv4.Signer
}

func (x asks) session(node int, method, body, cookie string) (s session, status int) {
	x.t.Helper()
	status, text, set := x.do(node, nil, method, console.SessionPath, body, cookie)
	var a struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	if status == 200 {
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			x.t.Fatal(err)
		}
	}
	if s.cookie = cookie; len(set) > 0 {
		s.cookie = set[0].Value
	}
	s.key = signer(a.Credentials.AccessKeyID, a.Credentials.SecretAccessKey, a.Credentials.SessionToken)
	return s, status
}

const (
	list = "/2020-05-31/distribution"
	who  = `{"user":"admin","password":"of the first node"}`
)

// earlier writes the files in which earlier versions kept who may.
func earlier(t *testing.T, c Config, key auth.AccessKey, users map[string]string) {
	t.Helper()
	maker, err := auth.NewAccess(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var all []*auth.User
	for name, password := range users {
		u, err := maker.NewUser(name, password, auth.Administrator, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, v := range map[string]map[string]any{keysFile: {"AccessKeys": []auth.AccessKey{key}}, usersFile: {"Users": all}} {
		b, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(c.Data, file), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// oldKey is one of an earlier version's file.
func oldKey(node string) auth.AccessKey {
	return auth.AccessKey{ID: "AKIDOF" + node, Secret: "averysecretthing", User: "ci", Role: auth.Administrator, Created: time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)}
}

// sameEverywhere is part of the life of three nodes: what is changed at one is so at all of them, from the answer on.
func (x asks) sameEverywhere() (kept *sigv4.Signer, in session) {
	t := x.t
	t.Helper()
	for _, name := range []string{"ONE", "TWO"} {
		k := oldKey(name)
		for node := range x.nodes {
			x.want("a key of an earlier version's file", 200, node, signer(k.ID, k.Secret, ""), "GET", list, "")
		}
		if name == "TWO" {
			x.want("it is deleted", 204, 2, signer(k.ID, k.Secret, ""), "DELETE", "/warmfront/v1/access-keys/"+k.ID, "")
		}
	}
	first := signer(oldKey("ONE").ID, oldKey("ONE").Secret, "")
	kept = x.key(0, first, "ops")
	x.want("a key that was just made elsewhere", 200, 1, kept, "GET", list, "")
	x.want("the same", 201, 2, kept, "POST", "/warmfront/v1/users", `{"name":"anna","password":"long enough","role":"viewer"}`)
	if text := x.want("a user that was just made elsewhere", 200, 0, kept, "GET", "/warmfront/v1/users", ""); !strings.Contains(text, `"anna"`) {
		t.Errorf("anna is not among %s", text)
	}
	if _, status := x.session(1, "POST", `{"user":"anna","password":"long enough"}`, ""); status != 200 {
		t.Errorf("who was just made elsewhere signs in: %d", status)
	}

	in, status := x.session(1, "POST", who, "")
	if status != 200 {
		t.Fatalf("sign-in: %d", status)
	}
	x.want("credentials of another node's session", 200, 2, in.key, "GET", list, "")
	again, status := x.session(0, "GET", "", in.cookie)
	if status != 200 {
		t.Errorf("the session at another node: %d", status)
	}
	other, _ := x.session(2, "POST", who, "")
	if _, status := x.session(0, "DELETE", "", in.cookie); status != 204 {
		t.Errorf("sign-out: %d", status)
	}
	for node := range x.nodes {
		if _, status := x.session(node, "GET", "", in.cookie); status != 401 {
			t.Errorf("node %d renews a session that was signed out elsewhere: %d", node, status)
		}
	}
	for node := range x.nodes { // now they have applied it
		x.want("credentials of a session that was signed out", 403, node, again.key, "GET", list, "")
	}
	return kept, other
}

func TestControl_TakesOverEarlierFiles(t *testing.T) {
	c := controlConfig(t)
	c.Control = lasting.Address()
	earlier(t, c, oldKey("ONE"), map[string]string{"admin": "of the first node", "bob": "another person's"})
	x := asks{t, []Config{c}}
	key := signer(oldKey("ONE").ID, oldKey("ONE").Secret, "")
	t.Log("the environment gives a key: those of the file were nobody's then, and stay so")
	own := c
	own.Getenv = func(name string) string {
		return map[string]string{auth.EnvKeyID: "AKIDOWN", auth.EnvSecret: "averysecretthing"}[name]
	}
	_, stopOwn := startRole(t, Control, own)
	x.want("the given key", 200, 0, signer("AKIDOWN", "averysecretthing", ""), "GET", list, "")
	x.want("a key of the file", 403, 0, key, "GET", list, "")
	if err := stopOwn(); err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(c.Data, keysFile)) || exists(filepath.Join(c.Data, usersFile)) {
		t.Error("the file of keys is gone, or that of users is not")
	}
	for range 2 { // and a restart
		d, stop := startRole(t, Control, c)
		if d.who.key.ID != oldKey("ONE").ID || d.who.key.Secret != key.SecretAccessKey {
			t.Errorf("announced is %s", d.who.key.ID)
		}
		x.want("the key of before", 200, 0, key, "GET", list, "")
		for _, body := range []string{who, `{"user":"bob","password":"another person's"}`} {
			if _, status := x.session(0, "POST", body, ""); status != 200 {
				t.Errorf("%s: %d", body, status)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{keysFile, usersFile} {
			if exists(filepath.Join(c.Data, file)) || !exists(filepath.Join(c.Data, file+takenOver)) {
				t.Errorf("%s is still there, or lost", file)
			}
		}
	}

	t.Log("a file that cannot be trusted")
	path := filepath.Join(c.Data, keysFile)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Control(t.Context(), c); err == nil || !strings.Contains(err.Error(), "mend it, or move it away") {
		t.Errorf("it starts: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	t.Log("the authority is another one: who may cannot be read, and nobody is made administrator for it")
	if err := os.Rename(filepath.Join(c.Data, "authority"), filepath.Join(c.Data, "authority.before")); err != nil {
		t.Fatal(err)
	}
	if err := Control(t.Context(), c); err == nil || !strings.Contains(err.Error(), "3 records of users and keys in the journal were sealed by another authority") {
		t.Errorf("it starts: %v", err)
	}
	d, stopped := startRole(t, Control, own)
	if !strings.Contains(d.who.password, "none that can be read") {
		t.Errorf("of the first user's password is said: %s", d.who.password)
	}
	if err := stopped(); err != nil {
		t.Fatal(err)
	}
	lost := c
	lost.Getenv = func(name string) string {
		return map[string]string{auth.EnvKeyID: "AKIDGIVEN", auth.EnvSecret: "averysecretthing", auth.EnvPassword: "a new password"}[name]
	}
	_, stop := startRole(t, Control, lost)
	given := signer("AKIDGIVEN", "averysecretthing", "")
	x.want("the given key", 200, 0, given, "GET", list, "")
	x.want("one that cannot be read", 403, 0, key, "GET", list, "")
	x.want("the given key is nobody's to delete here", 409, 0, given, "DELETE", "/warmfront/v1/access-keys/AKIDGIVEN", "")
	if _, status := x.session(0, "POST", `{"user":"admin","password":"a new password"}`, ""); status != 200 {
		t.Errorf("the given password: %d", status)
	}
	made := x.key(0, given, "ops")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, stop = startRole(t, Control, c)
	x.want("without the environment again", 200, 0, made, "GET", list, "")
	x.want("with it alone", 403, 0, given, "GET", list, "")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
