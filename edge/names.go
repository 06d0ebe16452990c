package edge

import (
	"slices"
	"strings"

	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
)

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

// HasAlias tells whether the name is an alias of an enabled distribution as it stands there: not its domain name,
// nor one that a wildcard covers.
func (e *Edge) HasAlias(name string) bool {
	s := e.snap.Load().site(name)
	return s != nil && s.Enabled && slices.Contains(s.Aliases, name) && name[0] != '*'
}

// challenge answers the question of an authority that gives certificates (Config.Challenge). It stands above
// distributions: whose the host is, is what is being asked.
func (v *visit) challenge(r *message.Request) *answer {
	if v.e.cfg.Challenge == nil || r.Scheme != "http" || !strings.HasPrefix(r.Path, "/.well-known/acme-challenge/") {
		return nil
	}
	text, ok := v.e.cfg.Challenge(r.Host, r.Path)
	if !ok {
		return nil
	}
	a := &v.answers[0]
	*a = answer{
		status: 200, outcome: Miss, reason: Challenged, plain: true, body: []byte(text), length: int64(len(text)),
		fields: message.Fields{
			{Name: "Server", Value: "CloudFront"}, {Name: "Date", Value: httpDate(v.now)},
			{Name: "Content-Type", Value: "application/octet-stream"},
		},
	}
	return a
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
