// Package certificate knows which certificate an edge shows for a name.
//
// An Authority is a certification authority of one's own, for machines whose owner says that they trust it: `warmfront
// dev` has one. Its root is kept in two files; certificates are made when a name is first asked for, each for
// exactly that name: OpenSSL and browsers take no wildcard directly below a name like "localhost".
//
// Limits (L9): an Authority remembers maxLeaves certificates, beyond that it forgets all and makes them anew when they are asked
// for. It makes them only for names that its caller knows, so that nobody can have it make more than there are
// names of distributions; every other name, and none, gets one certificate for Names.
package certificate

import (
	"crypto/tls"
	"strings"
)

// name is the name in a hello as hosts are spelled here: lower case, without the dot at its end.
func name(hello *tls.ClientHelloInfo) string {
	return strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
}
