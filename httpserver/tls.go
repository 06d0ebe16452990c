package httpserver

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// TLS says how a Server speaks TLS. Only Certificate is required.
type TLS struct {
	// Certificate returns what to show; an error ends the handshake. Called concurrently, during handshakes;
	// it may wait for as long as a viewer would, others shake hands meanwhile.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Challenges: Certificate also answers the question of an ACME authority (tls-alpn-01, RFC 8737), which is a
	// handshake for acme-tls/1 and nothing after it.
	Challenges bool
	// Names tells what is wanted of a connection by the name that it is opened under. Nil: every name is unknown.
	Names Names
}

// Names tells what the distributions want of connections that are opened under their names. It is asked
// concurrently, during handshakes, and must not block. serverName is lower case, "" when the viewer
// gave none. What nobody knows gets the zero Policy: HTTP/1.1 over TLS 1.2 or later.
type Names interface {
	Policy(serverName string) (p Policy, known bool)
}

// Policy is what a name wants of connections. HTTP/1.1 is always spoken over TCP.
type Policy struct {
	HTTP2, HTTP3 bool
	MinVersion   uint16   // a tls.VersionTLS… constant; 0: TLS 1.2
	CipherSuites []uint16 // of TLS 1.2 and before; empty: Go's choice. One of few slices that live on: configs are kept by its address
}

// The names of protocols in ALPN (RFC 7301).
const (
	protoHTTP11 = "http/1.1"
	protoHTTP2  = "h2"
	protoHTTP3  = "h3"
	protoACME   = "acme-tls/1"
)

// overTCP is what a connection accepted by a listener can speak, best first: what conn.serve knows.
var overTCP = []string{protoHTTP2, protoHTTP11}

// challenge is all that an ACME authority offers when it asks.
var challenge = []string{protoACME}

var errNoProtocol = errors.New("httpserver: the name speaks no protocol of this transport")

// Config makes the configuration with which a transport that can speak the protocols of the list, best
// first, shakes hands: the certificate by t.Certificate, versions, cipher suites and protocols by
// what the name in the viewer's hello wants. A name that wants none of them gets no handshake. Session
// tickets are sealed by keys of this config's own, which crypto/tls renews every day.
func (t *TLS) Config(protocols ...string) *tls.Config {
	var made sync.Map // of *tls.Config by configKey: as many as there are policies
	base := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: protocols,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if w, ok := hello.Conn.(*wire); ok {
				defer w.c.aside()()
			}
			return t.Certificate(hello)
		},
		// A record is what a viewer must have before it can read any of it: small ones first would help a
		// slow viewer a little, and cost every large answer several percent.
		DynamicRecordSizingDisabled: true,
	}
	asked := base.Clone()
	asked.NextProtos = challenge
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		var p Policy
		if t.Names != nil {
			p, _ = t.Names.Policy(serverName(hello.ServerName))
		}
		if t.Challenges && slices.Equal(hello.SupportedProtos, challenge) {
			return asked, nil
		}
		k := keyOf(p, hello)
		if c, ok := made.Load(k); ok {
			return c.(*tls.Config), nil
		}
		c := base.Clone()
		c.GetConfigForClient = nil
		c.MinVersion = max(p.MinVersion, tls.VersionTLS10)
		if p.MinVersion == 0 {
			c.MinVersion = tls.VersionTLS12
		}
		c.CipherSuites = p.CipherSuites
		c.NextProtos = slices.DeleteFunc(slices.Clone(protocols), func(name string) bool {
			return name == protoHTTP2 && !k.http2 || name == protoHTTP3 && !k.http3
		})
		if len(c.NextProtos) == 0 {
			return nil, errNoProtocol
		}
		kept, _ := made.LoadOrStore(k, c)
		return kept.(*tls.Config), nil
	}
	return base
}

// configKey tells configs apart.
type configKey struct {
	minVersion   uint16
	suites       *uint16
	http2, http3 bool
}

func keyOf(p Policy, hello *tls.ClientHelloInfo) configKey {
	return configKey{
		minVersion: p.MinVersion, suites: unsafe.SliceData(p.CipherSuites), http3: p.HTTP3,
		// HTTP/2 is for TLS 1.2 and later (RFC 9113 section 9.2).
		http2: p.HTTP2 && slices.ContainsFunc(hello.SupportedVersions, func(v uint16) bool { return v >= tls.VersionTLS12 }),
	}
}

// serverName is a name of a hello as hosts are spelled here.
func serverName(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }
