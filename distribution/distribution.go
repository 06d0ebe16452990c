// Package distribution knows what a distribution is: its configuration in CloudFront's own words
// (wire.DistributionConfig), what is missing from it, what is wrong with it, and what it means for a
// request.
//
//	FillDefaults  what the service fills in, so that a read-back shows no difference
//	Validate      what is refused, with CloudFront's code and the field's name
//	Compile       the form that an edge uses: made once per change, not per request
//
// The compiled form answers, without I/O and without a clock: which behavior has this path
// (Distribution.Behavior), under which key is its answer kept (Behavior.AppendKey), what does the
// origin get (Behavior.Forward), what does the answer lose (Behavior.KeptVary, StripsSetCookie).
// Hosts finds the distribution of a Host.
//
// No field is accepted and then ignored. Each one is compiled, or recorded because it has no effect
// by its nature, or refused by name when it asks for what the edge does not have; the table in
// docs/config-fields.md and a test that walks every field hold this. Two rules keep caching safe:
// whatever is in the key reaches the origin, and what is not in the key reaches it only when a
// policy (or the legacy settings) says so.
//
// Costs: Behavior and AppendKey allocate nothing in the common case; Forward belongs to the miss
// path and allocates its fields. Compile may take milliseconds.
//
// It never fetches, stores or waits, and knows nothing of accounts, quotas over several
// distributions, or uniqueness of aliases: that is control's.
package distribution

import (
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Source is what Compile reads: a config that passed Validate, and every custom policy it names.
// Managed policies need not be given.
type Source struct {
	ID         string
	DomainName string
	Config     *wire.DistributionConfig
	Tags       map[string]string

	CachePolicies         map[string]*wire.CachePolicyConfig
	OriginRequestPolicies map[string]*wire.OriginRequestPolicyConfig
}

// Distribution is a compiled distribution. It is immutable and may be used concurrently.
type Distribution struct {
	ID                string
	DomainName        string   // lower case
	Aliases           []string // lower case, in order
	Enabled           bool
	DefaultRootObject string // without a leading "/"; "" for none

	Behaviors  []*Behavior // in order of precedence, the default one last
	Origins    []*Origin   // in order
	Groups     []*Group    // in order
	ErrorPages map[int]ErrorPage

	CacheTagHeader string // name of the response field with cache tags; "" when off
	AWSWildcards   bool   // tag warmfront:wildcards=aws: a "*" that is not last is literal
	RFC            bool   // tag warmfront:semantics=rfc: RFC 9111 decides what is cached, not CloudFront's rules
	Targeted       bool   // tag warmfront:targeted=heeded, or RFC without that tag: CDN-Cache-Control and Surrogate-Control count
	Purge          bool   // tag warmfront:purge=on or plain: the edge itself takes PURGE
	PurgePlain     bool   // tag warmfront:purge=plain: by plain HTTP too
	Isolation      Isolation
	HTTPVersion    string // "http1.1", "http2", "http3" or "http2and3": see HTTP2 and HTTP3
	Security       *Security

	root string // "/" + DefaultRootObject
}

// ErrorPage is what a distribution says about one error status.
type ErrorPage struct {
	ErrorCode    int
	PagePath     string        // page to fetch, by the behavior that matches it; "" keeps the origin's body
	ResponseCode int           // status to answer with; 0 when PagePath is ""
	MinTTL       time.Duration // how long the error is cached at least
}

// DefaultErrorTTL is how long an error without a CustomErrorResponse is cached at least.
const DefaultErrorTTL = 10 * time.Second

// ErrorTTL returns how long an answer with this error status is cached at least.
func (d *Distribution) ErrorTTL(status int) time.Duration {
	if p, ok := d.ErrorPages[status]; ok {
		return p.MinTTL
	}
	return DefaultErrorTTL
}

// HTTP2 tells whether viewers may speak HTTP/2.
func (d *Distribution) HTTP2() bool { return d.HTTPVersion == "http2" || d.HTTPVersion == "http2and3" }

// HTTP3 tells whether viewers may speak HTTP/3.
func (d *Distribution) HTTP3() bool { return d.HTTPVersion == "http3" || d.HTTPVersion == "http2and3" }

// RootedPath returns the path that stands for the requested one: the default root object for exactly
// "/", the path itself otherwise. Behavior takes a rooted path; AppendKey and Forward root it
// themselves.
func (d *Distribution) RootedPath(path string) string {
	if path == "/" && d.DefaultRootObject != "" {
		return d.root
	}
	return path
}
