package edge

import "github.com/warmfront/warmfront/httpserver"

// Policy implements httpserver.Names from the current snapshot. A disabled distribution still says how it
// wants to be spoken to: its answer is a refusal, not a handshake that fails.
func (e *Edge) Policy(serverName string) (p httpserver.Policy, known bool) {
	s := e.snap.Load().site(serverName)
	if s == nil {
		return p, false
	}
	return httpserver.Policy{
		HTTP2: s.HTTP2(), HTTP3: s.HTTP3(),
		MinVersion: s.Security.MinVersion, CipherSuites: s.Security.CipherSuites,
	}, true
}

// misdirected tells whether the connection was opened under a name of another distribution than the one
// that the request is for. Its handshake was by the other's rules, which may be laxer, so the request
// belongs on a connection of its own (RFC 9110 section 7.4). A name that no distribution has is forgiven, as no
// name is: there are no other rules.
func (q *query) misdirected() bool {
	name := q.req.ServerName
	if name == "" || name == q.req.Host {
		return false
	}
	s := q.snap.site(name)
	return s != nil && s != q.site
}
