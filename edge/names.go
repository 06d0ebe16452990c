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
