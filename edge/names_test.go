package edge

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/journal"
)

// other puts a second distribution that has an alias.
func other(w *world, alias string) {
	put := usual()
	put.ID, put.DomainName = "D2", "d2.cloudfront.test"
	put.Config.Aliases = &wire.Aliases{Quantity: wire.Ptr[int64](1), Items: []string{alias}}
	put.Config.HttpVersion = wire.Ptr("http2and3")
	distribution.FillDefaults(put.Config)
	w.commit(journal.Fact{DistributionPut: put})
	w.settle(0)
}

func TestPolicy_IsThatOfTheNamesDistribution(t *testing.T) {
	story(t, func(w *world) {
		other(w, "*.other.test")
		for name, want := range map[string]struct {
			known, http3 bool
			version      uint16
		}{host: {true, false, tls.VersionTLS10}, "a.other.test": {true, true, tls.VersionTLS10}, "": {}, "nobody.test": {}} {
			p, known := w.edge.Policy(name)
			if known != want.known || p.HTTP3 != want.http3 || p.MinVersion != want.version || known != (len(p.CipherSuites) > 0) {
				t.Errorf("%q: %+v, %v", name, p, known)
			}
		}
	})
}

func TestHasAlias_WordForWordAndEnabled(t *testing.T) {
	story(t, func(w *world) {
		other(w, "www.other.test")
		for name, want := range map[string]bool{"www.other.test": true, "d2.cloudfront.test": false, "a.other.test": false, "": false} {
			if w.edge.HasAlias(name) != want {
				t.Errorf("%q", name)
			}
		}
		other(w, "*.other.test")
		for _, name := range []string{"a.other.test", "*.other.test"} {
			if w.edge.HasAlias(name) {
				t.Errorf("%q", name)
			}
		}
	})
}

// What no authority has asked goes to its distribution, and by https nobody asks.
func TestChallenge_DeclinedIsARequestLikeAnyOther(t *testing.T) {
	story(t, func(w *world) {
		w.edge.cfg.Challenge = func(_, path string) (string, bool) { return "key", path == "/.well-known/acme-challenge/mine" }
		w.origin.on("/.well-known/acme-challenge/its", ok("origin's"))
		w.expect("200 Miss origin's", "/.well-known/acme-challenge/its")
		w.expect("404 Error nothing here", "/.well-known/acme-challenge/mine", "Scheme: https")
	})
}

// The connection of one distribution does not serve another (421); every name of one is the same.
func TestMisdirected_ByDistributionNotByName(t *testing.T) {
	story(t, func(w *world) {
		other(w, "*.other.test")
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.expect("200 Miss v1", "/a", "Host: 1.other.test", "ServerName: 1.other.test")
		for name, want := range map[string]string{
			"1.other.test": "200 Hit v1", "2.other.test": "200 Hit v1", "d2.cloudfront.test": "200 Hit v1", "": "200 Hit v1", "nobody.test": "200 Hit v1",
			host: "421 Error page",
		} {
			w.expect(want, "/a", "Host: 1.other.test", "ServerName: "+name)
		}
	})
}

// A plain hit is answered inline only where Serve would answer it.
func TestMisdirected_IsNoPlainHit(t *testing.T) {
	story(t, func(w *world) {
		other(w, "other.test")
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=60"))
		w.get("/a")
		for name, want := range map[string]bool{host: true, "": true, "other.test": false} {
			if inline := w.both("/a", "ServerName: "+name); inline != want {
				t.Errorf("%q: answered inline: %v", name, inline)
			}
		}
	})
}

// Each of CloudFront's security policies by real handshakes: which versions are spoken, and by which suites.
func TestPolicy_HandshakesByEachSecurityPolicy(t *testing.T) {
	certificates := map[string]*tls.Certificate{"ecdsa": selfSigned(t, false), "rsa": selfSigned(t, true)}
	story(t, func(w *world) {
		for _, policy := range wire.MinimumProtocolVersionValues {
			w.configure(func(p *journal.DistributionPut) {
				p.Config.ViewerCertificate = &wire.ViewerCertificate{
					ACMCertificateArn: wire.Ptr("arn:aws:acm:us-east-1:1:certificate/x"), SSLSupportMethod: wire.Ptr("sni-only"), MinimumProtocolVersion: wire.Ptr(policy),
				}
			})
			w.settle(0)
			want, _ := w.edge.Policy(host)
			for kind, c := range certificates {
				server := (&httpserver.TLS{Names: w.edge, Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, nil }}).Config("http/1.1")
				for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
					suite, err := handshake(server, &tls.Config{ServerName: host, MinVersion: v, MaxVersion: v, CipherSuites: everySuite()})
					if (err == nil) != (v >= want.MinVersion) {
						t.Errorf("%s, %s, %s: %v", policy, kind, tls.VersionName(v), err)
					}
					if err == nil && v < tls.VersionTLS13 && !slices.Contains(want.CipherSuites, suite) {
						t.Errorf("%s, %s, %s by %s", policy, kind, tls.VersionName(v), tls.CipherSuiteName(suite))
					}
				}
			}
			// Only who knows it has 3DES.
			_, err := handshake(&tls.Config{
				MinVersion: tls.VersionTLS10, CipherSuites: want.CipherSuites, Certificates: []tls.Certificate{*certificates["rsa"]},
			}, &tls.Config{ServerName: host, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}})
			if oldest := policy == "SSLv3" || policy == "TLSv1"; oldest != (err == nil) {
				t.Errorf("%s: 3DES: %v", policy, err)
			}
		}
	})
}

func everySuite() (ids []uint16) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, s.ID)
	}
	return ids
}

// handshake returns the suite that both have agreed on.
func handshake(server, client *tls.Config) (suite uint16, err error) {
	client.InsecureSkipVerify = true
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan bool)
	go func() {
		s := tls.Server(b, server)
		s.Handshake()
		b.Close()
		close(done)
	}()
	c := tls.Client(a, client)
	err = c.Handshake()
	a.Close()
	<-done
	return c.ConnectionState().CipherSuite, err
}

func selfSigned(t *testing.T, byRSA bool) *tls.Certificate {
	var key crypto.Signer
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if byRSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
