package distribution

import "crypto/tls"

// Security is a CloudFront security policy: what viewers must speak to reach a distribution by TLS. It is
// immutable and shared.
type Security struct {
	Name         string   // as MinimumProtocolVersion spells it
	MinVersion   uint16   // a tls.VersionTLS… constant
	CipherSuites []uint16 // of TLS 1.2 and before, best first; empty when TLS 1.3 alone is spoken
}

// securities are CloudFront's security policies, with those of their cipher suites that crypto/tls has: it
// has no CBC with SHA-384, no RC4 with MD5 and no SSLv3, so SSLv3 is what is left of it, TLSv1. The suites of TLS 1.3
// are the same under each of them and cannot be chosen.
var securities = func() map[string]*Security {
	modern := []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	of2021 := join(modern, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)
	of2019 := join(of2021, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256)
	of2018 := join(of2019, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA256)
	of2016 := join(of2018,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA)
	oldest := join(of2016, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA)
	all := map[string]*Security{}
	for _, s := range []*Security{
		{"SSLv3", tls.VersionTLS10, oldest},
		{"TLSv1", tls.VersionTLS10, oldest},
		{"TLSv1_2016", tls.VersionTLS10, of2016},
		{"TLSv1.1_2016", tls.VersionTLS11, of2016},
		{"TLSv1.2_2018", tls.VersionTLS12, of2018},
		{"TLSv1.2_2019", tls.VersionTLS12, of2019},
		{"TLSv1.2_2021", tls.VersionTLS12, of2021},
		{"TLSv1.2_2025", tls.VersionTLS12, modern},
		{"TLSv1.3_2025", tls.VersionTLS13, nil},
	} {
		all[s.Name] = s
	}
	return all
}()

func join(suites []uint16, more ...uint16) []uint16 {
	return append(append(make([]uint16, 0, len(suites)+len(more)), suites...), more...)
}

// defaultSecurity is that of a distribution with CloudFront's default certificate.
const defaultSecurity = "TLSv1"

// securityOf returns the policy of a MinimumProtocolVersion that passed Validate.
func securityOf(name string) *Security {
	if s := securities[name]; s != nil {
		return s
	}
	return securities[defaultSecurity]
}
