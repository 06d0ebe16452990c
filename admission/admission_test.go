package admission

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func authority(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tokenOf(a *Authority) Token {
	return Token{Addresses: []string{"10.0.0.1:4443"}, Root: a.Fingerprint(), ID: "id", Secret: "secret"}
}

// handshake lets a client shake hands with a control node; who is what the node then knows of it.
func handshake(t *testing.T, server, client *tls.Config) (who string, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := tls.Dial("tcp", l.Addr().String(), client)
		if err == nil {
			_, err = c.Read(make([]byte, 1)) // a refusal may come after the client's half; else the end
			c.Close()
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		done <- err
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server = server.Clone()
	server.ClientAuth = tls.VerifyClientCertIfGiven
	s := tls.Server(conn, server)
	serverErr := s.Handshake()
	s.Close()
	if err := errors.Join(<-done, serverErr); err != nil {
		return "", err
	}
	state := s.ConnectionState()
	edge, serial, ok := Who(&state)
	if !ok {
		return "nobody", nil
	}
	return edge + " " + serial, nil
}

func TestAdmission_FromTokenToIdentity(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	a := authority(t, dir)
	server, err := a.Control()
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewApplicant(tokenOf(a))
	if err != nil {
		t.Fatal(err)
	}
	if who, err := handshake(t, server, p.TLS()); who != "nobody" || err != nil {
		t.Fatalf("an applicant is %s, %v", who, err)
	}
	der, serial, err := a.SignEdge(p.Request, "FRA50-1")
	if err != nil {
		t.Fatal(err)
	}
	if none, err := OpenIdentity(home); none != nil || err != nil {
		t.Fatalf("%v, %v", none, err)
	}
	if _, err := p.Keep(home, "FRA50-1", "FRA50", der, a.Root(), []string{"10.0.0.1:4443"}); err != nil {
		t.Fatal(err)
	}
	i, err := OpenIdentity(home)
	if err != nil || i.Edge != "FRA50-1" || i.Location != "FRA50" {
		t.Fatalf("%+v, %v", i, err)
	}
	// The same authority, opened again, and another node's certificate.
	server, err = authority(t, dir).Control()
	if err != nil {
		t.Fatal(err)
	}
	if who, err := handshake(t, server, i.TLS()); who != "FRA50-1 "+serial || err != nil {
		t.Errorf("%s, %v", who, err)
	}
	for _, f := range []string{filepath.Join(home, edgeFile), filepath.Join(dir, rootKeyFile)} {
		if s, err := os.Stat(f); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, s.Mode(), err)
		}
	}
}

func TestAdmission_AnotherAuthority(t *testing.T) {
	a, b := authority(t, t.TempDir()), authority(t, t.TempDir())
	ours, _ := a.Control()
	theirs, _ := b.Control()
	p, err := NewApplicant(tokenOf(a))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := handshake(t, theirs, p.TLS()); err == nil || !strings.Contains(err.Error(), "not the control plane that made the token") {
		t.Errorf("another control plane: %v", err)
	}
	if _, err := p.Keep(t.TempDir(), "FRA50-1", "FRA50", nil, nil, nil); err == nil {
		t.Error("no certificate was taken for one")
	}
	if _, err := handshake(t, ours, p.TLS()); err != nil {
		t.Fatal(err)
	}
	der, _, err := b.SignEdge(p.Request, "FRA50-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Keep(t.TempDir(), "FRA50-1", "FRA50", der, nil, []string{"x:1"}); err == nil {
		t.Error("another authority's certificate was kept")
	}
	other, _ := NewApplicant(tokenOf(a))
	if der, _, err = a.SignEdge(other.Request, "FRA50-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Keep(t.TempDir(), "FRA50-1", "FRA50", der, nil, []string{"x:1"}); err == nil {
		t.Error("a certificate for another key was kept")
	}
	// A control node's certificate makes nobody an edge.
	show := &tls.Config{RootCAs: ours.ClientCAs, ServerName: ControlName, Certificates: ours.Certificates}
	if who, err := handshake(t, ours, show); err == nil && who != "nobody" {
		t.Errorf("a control node's certificate passed for %s", who)
	}
}

func TestAuthority_Broken(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir)
	if b := authority(t, dir); b.Fingerprint() != a.Fingerprint() {
		t.Error("opened again, it is another one")
	}
	if _, err := OpenAuthority(dir, func() time.Time { return time.Now().Add(life + time.Hour) }); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after ten years: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, rootFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(dir, nil); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("a damaged one: %v", err)
	}
	if _, _, err := a.SignEdge([]byte("x"), "FRA50-1"); err == nil {
		t.Error("no request was signed")
	}
}

// Half of an authority is never completed with a new half: that would be another authority, and no edge would be known.
func TestAuthority_HalfIsRefused(t *testing.T) {
	for _, missing := range []string{rootFile, rootKeyFile} {
		dir := t.TempDir()
		a := authority(t, dir)
		kept, err := os.ReadFile(filepath.Join(dir, missing))
		if err == nil {
			err = os.Remove(filepath.Join(dir, missing))
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, open := range []func() error{
			func() error { _, err := OpenAuthority(dir, nil); return err },
			func() error { _, err := LookAtAuthority(dir); return err },
		} {
			if err := open(); err == nil || !strings.Contains(err.Error(), missing+" is missing") || !strings.Contains(err.Error(), "backup") {
				t.Errorf("without %s: %v", missing, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, missing), kept, 0o600); err != nil {
			t.Fatal(err)
		}
		if b := authority(t, dir); b.Fingerprint() != a.Fingerprint() {
			t.Error("restored, it is another one")
		}
	}
}

// A first start that was cut off is finished by the next one, wherever that was.
func TestAuthority_CutOffAtItsBeginning(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir)
	if err := os.Rename(filepath.Join(dir, rootKeyFile), filepath.Join(dir, begunKeyFile)); err != nil {
		t.Fatal(err)
	}
	if b := authority(t, dir); b.Fingerprint() != a.Fingerprint() {
		t.Error("with both written, the next start makes another one")
	}
	if err := os.Rename(filepath.Join(dir, rootKeyFile), filepath.Join(dir, begunKeyFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, rootFile)); err != nil {
		t.Fatal(err)
	}
	b := authority(t, dir)
	if c := authority(t, dir); b.Fingerprint() != c.Fingerprint() {
		t.Error("with the key alone, it does not last")
	}
}

func TestLookAtAuthority_MakesNone(t *testing.T) {
	dir := t.TempDir()
	if at, err := LookAtAuthority(dir); !at.IsZero() || err != nil {
		t.Errorf("%v, %v", at, err)
	}
	if all, _ := os.ReadDir(dir); len(all) > 0 {
		t.Errorf("it made %v", all)
	}
	a := authority(t, dir)
	if at, err := LookAtAuthority(dir); !at.Equal(a.Expires()) || err != nil {
		t.Errorf("%v, %v", at, err)
	}
}

func TestIdentity_Broken(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{", "{}", `{"Edge":"a","Addresses":["x:1"]}`} {
		if err := os.WriteFile(filepath.Join(dir, identityFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if i, err := OpenIdentity(dir); i != nil || err == nil {
			t.Errorf("%q: %v, %v", text, i, err)
		}
	}
}

func TestToken_RoundTrip(t *testing.T) {
	want := tokenOf(authority(t, t.TempDir()))
	got, err := ParseToken(" " + want.String() + "\n")
	if err != nil || got.String() != want.String() || got.Hash() != want.Hash() {
		t.Errorf("%+v, %v", got, err)
	}
	if strings.Contains(want.Hash(), "secret") {
		t.Error("the hash says the secret")
	}
}

func FuzzParseToken(f *testing.F) {
	whole := Token{Addresses: []string{"a:1"}, Root: strings.Repeat("0", 64), ID: "i", Secret: "s"}.String()
	for _, s := range []string{"", "wfe1.", "wfe1.e30", whole, whole[:len(whole)-2], "wfe2." + whole[5:], whole + "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		again, err := ParseToken(token.String())
		if err != nil || again.String() != token.String() || len(token.Addresses) == 0 || token.Secret == "" {
			t.Errorf("%q: %+v, then %+v, %v", s, token, again, err)
		}
	})
}
