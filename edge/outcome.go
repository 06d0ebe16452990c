package edge

import (
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Outcome is what a request came to, in CloudFront's words.
type Outcome uint8

const (
	Hit              Outcome = iota // from the cache
	RefreshHit                      // from the cache, after the origin said 304
	Miss                            // from the origin
	Failed                          // status 400 and above, from the origin, from the cache or made here
	Redirect                        // to https
	CapacityExceeded                // a limit of this edge
	outcomes
)

// outcomeTable gives each outcome its X-Cache value and its name in logs and metric labels, which
// are CloudFront's x-edge-result-type.
var outcomeTable = [outcomes]struct{ xcache, name string }{
	Hit:              {"Hit from cloudfront", "Hit"},
	RefreshHit:       {"RefreshHit from cloudfront", "RefreshHit"},
	Miss:             {"Miss from cloudfront", "Miss"},
	Failed:           {"Error from cloudfront", "Error"},
	Redirect:         {"Redirect from cloudfront", "Redirect"},
	CapacityExceeded: {"CapacityExceeded from cloudfront", "CapacityExceeded"},
}

func (o Outcome) String() string { return outcomeTable[o].name }

// XCache is the value of the X-Cache field.
func (o Outcome) XCache() string { return outcomeTable[o].xcache }

// Reason says why a request came to its outcome. One reason may go with several outcomes: a cold
// miss whose origin answers 404 is Failed, Cold.
type Reason uint8

const (
	// Answered from the cache.
	Fresh                Reason = iota // a fresh object
	Collapsed                          // along with the fill that another request had begun
	StaleWhileRevalidate               // stale, the origin is asked in the background
	MarkedStale                        // marked stale by an invalidation, the origin is asked in the background
	StaleOnError                       // stale, the origin has failed
	StaleOnRequest                     // stale, the viewer takes it (max-stale)
	Revalidated                        // stale, the origin said 304
	IsolationServeStale                // perhaps invalidated: the journal has not been heard of (isolation.go)

	// Fetched, because …
	Cold            // … there was no object
	Invalidated     // … a rule matches the object
	Overwritten     // … an unsafe request came after the object
	Insisted        // … the viewer wants the origin's word (no-cache, max-age, min-fresh)
	Expired         // … the object was stale
	LeaseLost       // … the journal had not been heard of (L5)
	IsolationBypass // … it had not, and the distribution wants nothing cached then
	Unshared        // … the fill that it waited for brought what is for one viewer only
	MethodUncached  // … answers to this method are not cached
	CachingDisabled // … the behavior does not cache
	RangeUncached   // … a part of what cannot be kept was asked for
	WebSocket       // … the viewer wanted a WebSocket

	// Answered here, because …
	ToHTTPS              // … the behavior redirects to https
	Purging              // … the viewer has purged something, or may not
	Challenged           // … an authority asks before it gives a certificate
	UnknownHost          // … no distribution has this host
	Disabled             // … the distribution is disabled
	Misdirected          // … the connection was opened under another distribution's name
	OnlyIfCached         // … the viewer wanted a stored answer or none
	BadTarget            // … the request target is not a path
	MethodNotAllowed     // … the behavior does not allow the method
	HTTPSOnly            // … the behavior wants https
	UnexpectedBody       // … a GET or HEAD came with a body
	TooManyHops          // … the request has passed too many CDNs
	UpgradeRefused       // … the handshake of a WebSocket is malformed
	ExpectationFailed    // … Expect asks for what nobody knows
	RangeNotSatisfiable  // … the range lies beyond the end
	PreconditionFailed   // … If-Match or If-Unmodified-Since does not hold
	IsolationFail        // … the journal has not been heard of, and the distribution wants nothing answered then
	NotMember            // … this edge has not joined, or not yet again (P2)
	Overtaken            // … rules came faster than the origin answered
	TooManyFills         // … the edge is fetching as much as it may
	Paced                // … an invalidation's pace lets no question to the origin through for so long
	OriginDown           // … the origin has not answered for a while and was not asked
	OriginBusy           // … as many requests are on their way to the origin as may be
	OriginDNS            // … the origin's name has no address
	OriginConnect        // … the origin refuses connections
	OriginConnectTimeout // … the origin does not take connections
	OriginTLS            // … the origin's TLS is not acceptable
	OriginReadTimeout    // … the origin is too slow
	OriginInvalid        // … the origin answered garbage
	OriginHeaderTooBig   // … the origin's header is too large
	OriginClosed         // … the origin closed the connection
	ViewerGone           // … nobody listens any more
	VersionChanged       // … and cut: the origin has another version of what is being sent in slices
	Internal             // … of a mistake of ours

	// Refused by the engine before it was a request (httpserver.RefusalReasons), because …
	MalformedRequest   // … it has no one meaning
	MalformedHost      // … its host is none
	TargetTooLong      // … its target is
	HeaderTooBig       // … its header is
	UnknownVersion     // … it is in another HTTP
	UnknownCoding      // … its transfer coding is not chunked
	PlainOnHTTPS       // … it came without TLS to a port for https
	TooManyConnections // … the edge has as many as it may
	BodyTooSlow        // … its body did not come
	reasons
)

var reasonNames = [reasons]string{
	Fresh: "fresh", Collapsed: "collapsed", StaleWhileRevalidate: "stale-while-revalidate",
	MarkedStale: "marked-stale", StaleOnError: "stale-on-error", StaleOnRequest: "stale-on-request", Overwritten: "overwritten", Insisted: "insisted",
	OnlyIfCached: "only-if-cached", Revalidated: "revalidated",
	Cold: "cold", Invalidated: "invalidated", Expired: "expired", LeaseLost: "lease-lost",
	IsolationServeStale: "isolation-serve-stale", IsolationBypass: "isolation-bypass", IsolationFail: "isolation-fail",
	Unshared:       "unshared",
	MethodUncached: "method-uncached", CachingDisabled: "caching-disabled", RangeUncached: "range-uncached", WebSocket: "websocket",
	ToHTTPS: "to-https", Purging: "purging", Challenged: "challenged", UnknownHost: "unknown-host", Disabled: "disabled", Misdirected: "misdirected", BadTarget: "bad-target",
	MethodNotAllowed: "method-not-allowed", HTTPSOnly: "https-only", UnexpectedBody: "unexpected-body",
	TooManyHops: "too-many-hops", UpgradeRefused: "upgrade-refused", ExpectationFailed: "expectation-failed",
	RangeNotSatisfiable: "range-not-satisfiable", PreconditionFailed: "precondition-failed",
	NotMember: "not-member", Overtaken: "overtaken", TooManyFills: "too-many-fills", Paced: "paced",
	OriginDown: "origin-down", OriginBusy: "origin-busy", OriginDNS: "origin-dns", OriginConnect: "origin-connect", OriginConnectTimeout: "origin-connect-timeout",
	OriginTLS: "origin-tls", OriginReadTimeout: "origin-read-timeout", OriginInvalid: "origin-invalid",
	OriginHeaderTooBig: "origin-header-too-big", OriginClosed: "origin-closed", ViewerGone: "viewer-gone", VersionChanged: "version-changed",
	Internal:         "internal",
	MalformedRequest: "malformed-request", MalformedHost: "malformed-host", TargetTooLong: "target-too-long",
	HeaderTooBig: "header-too-big", UnknownVersion: "unknown-version", UnknownCoding: "unknown-coding",
	PlainOnHTTPS: "plain-on-https", TooManyConnections: "too-many-connections", BodyTooSlow: "body-too-slow",
}

func (r Reason) String() string { return reasonNames[r] }

// Outcomes and Reasons list all values, for metrics that want every label to exist from the start.
func Outcomes() []Outcome { return all(outcomes) }

// Reasons lists all reasons.
func Reasons() []Reason { return all(reasons) }

func all[T ~uint8](n T) []T {
	var l []T
	for v := range n {
		l = append(l, v)
	}
	return l
}

// Exchange is one request, or what was refused before it became one, with its answer, as it is told to Config.Observe: once, when the answer is
// over. It is valid during the call, its strings too: those of a plain hit lie in buffers that the next
// request overwrites.
type Exchange struct {
	Start   time.Time
	Edge    string
	Pop     string           // as in X-Amz-Cf-Pop
	ID      string           // as in X-Amz-Cf-Id
	Request *message.Request // as the viewer sent it; of what the engine refused, what httpserver.Server.Refuse is told
	Stripe  uint32           // internal/stripe's, for what is counted

	Distribution string // id; "" when the host is nobody's
	Domain       string // the distribution's domain name
	Behavior     string // path pattern of the behavior; ""

	Outcome Outcome
	Reason  Reason
	NoStore httpcache.NoStoreReason // why what was fetched is not kept; Storable when it is, or nothing was fetched

	Status        int   // 0: the viewer left before the answer began
	Bytes         int64 // of the body, as given to the engine
	ContentType   string
	FirstByte     time.Duration // from Start until the head was written
	Duration      time.Duration // from Start to the end
	Origin        string        // id of the origin that was asked for this answer, of a group the last one; "": none
	OriginLatency time.Duration // of the fetch that the answer came from, to its first octet; 0: none
	Restarts      int           // how often a decision had to be taken anew
	Aborted       bool          // the body was cut
}
