package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
)

// A request comes from whoever has had a token. What it costs to look at it must not be theirs to choose: checking the
// signature of a long RSA key takes as long as its maker likes.
func TestSignEdge_OnlyKeysAsApplicantsMakeThem(t *testing.T) {
	a, err := OpenAuthority(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{long, other} {
		request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.SignEdge(request, "FRA50-1"); err == nil {
			t.Errorf("a %T was signed", key)
		}
	}
	good, err := NewApplicant(Token{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.SignEdge(good.Request, "FRA50-1"); err != nil {
		t.Error(err)
	}
}
