package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func authority(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := OpenAuthority(AuthorityConfig{
		Dir: dir, Names: []string{"localhost", "*.localhost", "127.0.0.1"}, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func show(t *testing.T, a *Authority, name string) *x509.Certificate {
	t.Helper()
	known := func(n string) bool { return strings.HasSuffix(n, ".example.com") }
	c, err := a.Certificates(known)(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

// trusted verifies against what lies in the directory.
func trusted(t *testing.T, dir, name string, c *x509.Certificate, at time.Time) error {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, RootFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		t.Fatalf("no certificate in %s", b)
	}
	_, err = c.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at})
	return err
}

func TestAuthority_EachKnownNameHasItsOwn(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir, nil)
	for asked, covers := range map[string]string{
		"WWW.example.com.": "www.example.com", "": "127.0.0.1", "localhost": "localhost", "unknown.test": "x.localhost",
	} {
		c := show(t, a, asked)
		if err := trusted(t, dir, covers, c, time.Now()); err != nil {
			t.Errorf("%q: %v", asked, err)
		}
		if c != show(t, a, asked) {
			t.Errorf("%q: made twice", asked)
		}
	}
	if c := show(t, a, "www.example.com"); !slices.Equal(c.DNSNames, []string{"www.example.com"}) {
		t.Errorf("covers %v", c.DNSNames)
	}
}

func TestAuthority_TheRootIsKeptAndItsKeyPrivate(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir, nil)
	c := show(t, authority(t, dir, nil), "a.example.com")
	if err := trusted(t, dir, "a.example.com", c, time.Now()); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(filepath.Join(dir, RootKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAuthority_RenewsLeavesAndRoot(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	a := authority(t, dir, func() time.Time { return now })
	first := show(t, a, "a.example.com")
	if life := first.NotAfter.Sub(first.NotBefore); life > 398*24*time.Hour {
		t.Errorf("lives %v", life)
	}
	now = first.NotAfter.Add(-renewal + time.Hour)
	if second := show(t, a, "a.example.com"); second == first || trusted(t, dir, "a.example.com", second, first.NotAfter.Add(time.Hour)) != nil {
		t.Errorf("not renewed: ends %v", second.NotAfter)
	}
	now = a.root.NotAfter.Add(-time.Hour)
	if c := show(t, authority(t, dir, func() time.Time { return now }), ""); trusted(t, dir, "localhost", c, now.Add(48*time.Hour)) != nil {
		t.Error("a root that ended was used on")
	}
}

func TestAuthority_RemembersABoundedNumber(t *testing.T) {
	a := authority(t, t.TempDir(), nil)
	for i := range maxLeaves + 10 {
		show(t, a, strings.Repeat("a", 1+i%60)+"."+strings.Repeat("b", 1+i/60)+".example.com")
	}
	if len(a.leaves) > maxLeaves {
		t.Errorf("%d are kept", len(a.leaves))
	}
}

func TestAuthority_BrokenRootSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir, nil)
	if err := os.WriteFile(filepath.Join(dir, RootFile), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(AuthorityConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "remove both") {
		t.Error(err)
	}
}
