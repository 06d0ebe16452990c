// Package certificate knows which certificate an edge shows for a name.
//
// A Store has the certificates that an operator has put into a directory, read again when it changes, and those that
// it obtains from an ACME authority for the aliases of distributions. certmagic does what has been done well:
// the protocol, renewal, stapling of OCSP responses.
//
// An Authority is a certification authority of one's own, for machines whose owner says that they trust it: `warmfront
// dev` has one. Its root is kept in two files; certificates are made when a name is first asked for, each for
// exactly that name: OpenSSL and browsers take no wildcard directly below a name like "localhost".
//
// Limits (L9): an Authority remembers maxLeaves certificates, beyond that it forgets all and makes them anew when they are asked
// for. It makes them only for names that its caller knows, so that nobody can have it make more than there are
// names of distributions; every other name, and none, gets one certificate for Names. A Store obtains maxObtaining
// certificates at once, and tries a name that has failed again after obtainAgain; meanwhile a viewer gets what there is.
package certificate

import (
	"crypto/tls"
	"strings"
)

// name is the name in a hello as hosts are spelled here: lower case, without the dot at its end.
func name(hello *tls.ClientHelloInfo) string {
	return strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
}
