package admission

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// admitted is an edge that an authority has admitted.
func admitted(t *testing.T, a *Authority) (i *Identity, home string) {
	t.Helper()
	home = t.TempDir()
	p, err := NewApplicant(tokenOf(a))
	if err != nil {
		t.Fatal(err)
	}
	p.root = a.root // as after a handshake
	der, _, err := a.SignEdge(p.Request, "FRA50-1")
	if err == nil {
		i, err = p.Keep(home, "FRA50-1", "FRA50", der, a.Root(), []string{"10.0.0.1:4443"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return i, home
}

// renewed lets the edge have another certificate of this authority.
func renewed(t *testing.T, a *Authority, i *Identity) {
	t.Helper()
	r, err := i.Renew()
	if err != nil {
		t.Fatal(err)
	}
	der, _, err := a.SignEdge(r.Request, i.Edge)
	if err == nil {
		err = r.Keep(der, a.Root())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func control(t *testing.T, a *Authority) *tls.Config {
	t.Helper()
	c, err := a.Control()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An edge's certificate is renewed at two thirds of its life, takes effect without a restart, and is there after one.
func TestIdentity_RenewsAtTwoThirds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := authority(t, t.TempDir())
		i, home := admitted(t, a)
		config := i.TLS() // as a connection has it, for ever
		shown := func() string {
			c, err := config.GetClientCertificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			return serialOf(c.Leaf)
		}
		first, until := shown(), i.Expires()
		if time.Until(until) != edgeLife {
			t.Errorf("it lasts until %v", until)
		}
		time.Sleep(edgeLife/3*2 - time.Hour)
		if i.Due(time.Now()) {
			t.Error("it is due before two thirds")
		}
		time.Sleep(time.Hour)
		if !i.Due(time.Now()) {
			t.Error("it is not due after two thirds")
		}
		renewed(t, a, i)
		if i.Due(time.Now()) || shown() == first || shown() != i.Serial() || !i.Expires().Equal(until.Add(edgeLife/3*2)) {
			t.Errorf("renewed, it shows %s until %v", shown(), i.Expires())
		}
		again, err := OpenIdentity(home)
		if err != nil || again.Serial() != i.Serial() || again.Edge != "FRA50-1" {
			t.Errorf("after a restart: %v, %v", again, err)
		}
		r, _ := i.Renew()
		other, _ := i.Renew()
		der, _, _ := a.SignEdge(other.Request, i.Edge)
		if err := r.Keep(der, a.Root()); err == nil || shown() != i.Serial() {
			t.Errorf("a certificate for another key: %v", err)
		}
	})
}

// Everybody who knows the old authority goes on after a renewal, and changes over; who has not when the old one ends is out.
func TestAuthority_RenewedWithOverlap(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir)
	slow, _ := admitted(t, a)
	quick, home := admitted(t, a)
	token, err := NewApplicant(tokenOf(a))
	if err != nil {
		t.Fatal(err)
	}
	b, err := RenewAuthority(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if reopened := authority(t, dir); reopened.Fingerprint() != b.Fingerprint() || b.Fingerprint() == a.Fingerprint() {
		t.Error("opened, it is not the new one")
	}
	if fp, until := b.Previous(); fp != a.Fingerprint() || !until.Equal(a.Expires()) {
		t.Errorf("before it was %s until %v", fp, until)
	}
	server := control(t, authority(t, dir))
	meets := func(what string, server, client *tls.Config, want string) {
		t.Helper()
		if who, err := handshake(t, server, client); err != nil || who != want {
			t.Errorf("%s: %s, %v", what, who, err)
		}
	}
	meets("an edge of the old one", server, slow.TLS(), "FRA50-1 "+slow.Serial())
	meets("a token of the old one", server, token.TLS(), "nobody")
	der, _, err := b.SignEdge(token.Request, "FRA50-2")
	if err == nil {
		_, err = token.Keep(t.TempDir(), "FRA50-2", "FRA50", der, b.Root(), []string{"x:1"})
	}
	if err != nil {
		t.Errorf("a token of the old one: %v", err)
	}
	renewed(t, b, quick)
	if quick.Authority() != b.Fingerprint() {
		t.Error("it does not trust the new one")
	}
	meets("an edge that has changed over", server, quick.TLS(), "FRA50-1 "+quick.Serial())
	again, err := OpenIdentity(home)
	if err != nil {
		t.Fatal(err)
	}
	meets("the same after a restart", server, again.TLS(), "FRA50-1 "+quick.Serial())

	// Without the old one, which has ended or was taken away, the slow one is out, and the quick one is not.
	if err := os.Remove(filepath.Join(dir, previousFile)); err != nil {
		t.Fatal(err)
	}
	server = control(t, authority(t, dir))
	meets("without the old one", server, quick.TLS(), "FRA50-1 "+quick.Serial())
	if _, err := handshake(t, server, slow.TLS()); err == nil {
		t.Error("an edge that knows only the old one was not refused")
	}
	late, err := OpenAuthority(dir, func() time.Time { return time.Now().Add(life - time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	if fp, _ := late.Previous(); fp != "" {
		t.Error("there is one before it still")
	}
}

// What root renews is still the user's that the control node runs as.
func TestAuthority_RenewedByRoot(t *testing.T) {
	const user = 4711
	dir := t.TempDir()
	authority(t, dir)
	if err := errors.Join(os.Chown(dir, user, user), os.Chown(filepath.Join(dir, rootKeyFile), user, user), os.Chown(filepath.Join(dir, rootFile), user, user)); err != nil {
		t.Skipf("only root gives files away: %v", err)
	}
	if _, err := RenewAuthority(dir, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rootFile, rootKeyFile, previousFile, secretFile} {
		if i, err := os.Stat(filepath.Join(dir, name)); err != nil || i.Sys().(*syscall.Stat_t).Uid != user {
			t.Errorf("%s is root's, or not there: %v", name, err)
		}
	}
}

func TestAuthority_ThePreviousOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		authority(t, dir)
		time.Sleep(life / 2)
		if _, err := RenewAuthority(dir, nil); err != nil {
			t.Fatal(err)
		}
		if fp, _ := authority(t, dir).Previous(); fp == "" {
			t.Error("the one before is gone at once")
		}
		time.Sleep(life/2 + time.Second)
		if fp, _ := authority(t, dir).Previous(); fp != "" {
			t.Error("the one before has not ended")
		}
	})
}

// Wherever a renewal of the authority is cut off, there is one whole authority, and the edges of the first know it.
func TestAuthority_RenewalCutOff(t *testing.T) {
	whole := t.TempDir()
	a := authority(t, whole)
	edge, _ := admitted(t, a)
	before := read(t, whole)
	if _, err := RenewAuthority(whole, nil); err != nil {
		t.Fatal(err)
	}
	after := read(t, whole)
	// In this order: secret.pem, previous.pem, the key under its first name, the root, the key's name.
	steps := []map[string]string{
		{secretFile: after[secretFile]},
		{previousFile: after[previousFile]},
		{begunKeyFile: after[rootKeyFile]},
		{rootFile: after[rootFile]},
		{begunKeyFile: "", rootKeyFile: after[rootKeyFile]},
	}
	for n := range len(steps) + 1 {
		dir := t.TempDir()
		for name, text := range before {
			put(t, dir, name, text)
		}
		for _, step := range steps[:n] {
			for name, text := range step {
				put(t, dir, name, text)
			}
		}
		b, err := OpenAuthority(dir, nil)
		if err != nil {
			t.Errorf("after step %d: %v", n, err)
			continue
		}
		if who, err := handshake(t, control(t, b), edge.TLS()); err != nil || who == "nobody" {
			t.Errorf("after step %d: %s, %v", n, who, err)
		}
		if fresh := b.Fingerprint() != a.Fingerprint(); fresh != (n >= 4) {
			t.Errorf("after step %d: the new one: %t", n, fresh)
		}
		if _, err := RenewAuthority(dir, nil); err != nil {
			t.Errorf("after step %d, once more: %v", n, err)
		}
	}
	if _, err := RenewAuthority(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no authority") {
		t.Errorf("of nothing: %v", err)
	}
}

// What is sealed by it can be read by all control nodes, and after a renewal; another authority's is another one.
func TestAuthority_Secret(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	secret := func(dir string) string {
		t.Helper()
		a, err := OpenAuthority(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Secret()) != 32 {
			t.Errorf("%d bytes", len(a.Secret()))
		}
		return string(a.Secret())
	}
	first := secret(dir)
	if secret(dir) != first || secret(other) == first {
		t.Fatal("it is another one when opened again, or the same of another authority")
	}
	for range 2 {
		a, err := RenewAuthority(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(a.Secret()) != first || secret(dir) != first {
			t.Fatal("a renewal changes it")
		}
	}
	p, err := ReadPapers(dir)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "authority")
	if err := p.Keep(copied); err != nil {
		t.Fatal(err)
	}
	if secret(copied) != first {
		t.Error("another control node has another one")
	}
	if i, err := os.Stat(filepath.Join(copied, secretFile)); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	for _, text := range []string{"x", read(t, dir)[rootFile], read(t, dir)[secretFile][:40], read(t, dir)[secretFile] + "more"} {
		put(t, dir, secretFile, text)
		if _, err := OpenAuthority(dir, nil); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, e := range all {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m[e.Name()] = string(b)
	}
	return m
}

// put writes a file, or removes it when the text is empty.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if text == "" {
		os.Remove(path)
		return
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
