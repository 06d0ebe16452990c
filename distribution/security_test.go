package distribution

import (
	"crypto/tls"
	"reflect"
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

// byACM is a certificate of ACM, as Terraform sends it.
func byACM(policy string) *wire.ViewerCertificate {
	return &wire.ViewerCertificate{ACMCertificateArn: ptr(arn), SSLSupportMethod: ptr("sni-only"), MinimumProtocolVersion: ptr(policy)}
}

const arn = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"

func TestViewerCertificate_OfOnesOwnIsReadBackAndItsPolicyHolds(t *testing.T) {
	for sent, want := range map[string]wire.ViewerCertificate{
		"acm": {
			ACMCertificateArn: ptr(arn), SSLSupportMethod: ptr("sni-only"), MinimumProtocolVersion: ptr("TLSv1.2_2019"),
			CloudFrontDefaultCertificate: ptr(false), Certificate: ptr(arn), CertificateSource: ptr("acm"),
		},
		"iam": {
			IAMCertificateId: ptr("ASCA1"), SSLSupportMethod: ptr("sni-only"), MinimumProtocolVersion: ptr("TLSv1.2_2019"),
			CloudFrontDefaultCertificate: ptr(false), Certificate: ptr("ASCA1"), CertificateSource: ptr("iam"),
		},
	} {
		c := minimal()
		c.ViewerCertificate = byACM("TLSv1.2_2019")
		if sent == "iam" {
			c.ViewerCertificate.ACMCertificateArn, c.ViewerCertificate.IAMCertificateId = nil, ptr("ASCA1")
		}
		c.ViewerCertificate.Certificate = ptr("arn:aws:acm:us-east-1:123456789012:certificate/before")
		for range 2 { // what is read back is accepted and stays
			FillDefaults(c)
			if err := Validate(c, Known{}); err != nil {
				t.Fatalf("%s: %v", sent, err)
			}
			if got := *c.ViewerCertificate; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: read back %+v", sent, got)
			}
		}
		if d := compiled(t, c); d.Security.Name != "TLSv1.2_2019" {
			t.Errorf("%s: policy %s", sent, d.Security.Name)
		}
	}
}
