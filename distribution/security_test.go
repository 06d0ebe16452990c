package distribution

import (
	"crypto/tls"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

func TestSecurity_EveryNameOfTheModelIsKnown(t *testing.T) {
	for _, name := range wire.MinimumProtocolVersionValues {
		if s := securities[name]; s == nil || s.Name != name {
			t.Errorf("%s: %v", name, s)
		}
	}
	if len(securities) != len(wire.MinimumProtocolVersionValues) {
		t.Errorf("%d policies, the model has %d", len(securities), len(wire.MinimumProtocolVersionValues))
	}
}

// crypto/tls ignores what it does not have, so a slip would show nowhere else.
func TestSecurity_SuitesExistAndSuitTheVersion(t *testing.T) {
	all := map[uint16]*tls.CipherSuite{}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all[s.ID] = s
	}
	for _, p := range securities {
		seen := map[uint16]bool{}
		for _, id := range p.CipherSuites {
			if all[id] == nil || seen[id] || all[id].SupportedVersions[0] < tls.VersionTLS12 && p.MinVersion > tls.VersionTLS12 {
				t.Errorf("%s: suite %#04x", p.Name, id)
			}
			seen[id] = true
		}
		if len(seen) == 0 && p.MinVersion < tls.VersionTLS13 {
			t.Errorf("%s has no suites", p.Name)
		}
	}
}

func TestSecurity_DefaultCertificateMeansTLSv1(t *testing.T) {
	if d := compiled(t, filled(minimal())); d.Security.Name != "TLSv1" || !d.HTTP2() || d.HTTP3() {
		t.Errorf("%+v, HTTP/2 %v, HTTP/3 %v", d.Security, d.HTTP2(), d.HTTP3())
	}
}
