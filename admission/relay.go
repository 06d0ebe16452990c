package admission

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// A relay brings edges what is pushed, and their connections to control nodes. It has a certificate as an edge has, of another kind and
// with a name of a host, so that neither passes for the other, nor for a control node; the authority's key, which it does not have, signs
// what it passes on.

// RelayName is the name in the certificates of all relays, whatever their addresses are.
const RelayName = "relay.warmfront.internal"

// relayPrefix begins the names of relays among those who are admitted. No edge's name has a dot.
const relayPrefix = "relay."

// Relay is the name under which a relay is admitted.
func Relay(name string) string { return relayPrefix + name }

// IsRelay tells the name of a relay from an edge's.
func IsRelay(admitted string) bool { return strings.HasPrefix(admitted, relayPrefix) }

// relayUnit marks certificates of relays.
const relayUnit = "relay"

// Sign makes the certificate of an edge or of a relay, as the name says, of its request, and returns it with its serial number.
func (a *Authority) Sign(request []byte, name string) (der []byte, serial string, err error) {
	if !IsRelay(name) {
		return a.SignEdge(request, name)
	}
	return a.signRequest(request, &x509.Certificate{
		Subject: subject(relayUnit, name), DNSNames: []string{RelayName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
}

// WhoRelay is Who for relays.
func WhoRelay(c *tls.ConnectionState) (relay, serial string, ok bool) {
	relay, serial, ok = who(c, relayUnit)
	return relay, serial, ok && IsRelay(relay)
}

// ToRelay is TLS for a connection to a relay.
func (i *Identity) ToRelay() *tls.Config { return i.to(RelayName) }

// SignPush signs an entry for those whom a relay brings it.
func (a *Authority) SignPush(entry []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, a.key, pushSum(entry))
}

// Pushed tells whether the authority has signed the entry, as far as this edge knows it: after a renewal of either, nothing is until the edge
// has the new one's root, and what is pushed is read instead.
func (i *Identity) Pushed(entry, signature []byte) bool {
	key, ok := i.held.Load().root.PublicKey.(*ecdsa.PublicKey)
	return ok && ecdsa.VerifyASN1(key, pushSum(entry), signature)
}

// pushSum is what is signed. A certificate, which the same key signs, does not begin so.
func pushSum(entry []byte) []byte {
	h := sha256.New()
	h.Write([]byte("warmfront push\x00"))
	h.Write(entry)
	return h.Sum(nil)
}
