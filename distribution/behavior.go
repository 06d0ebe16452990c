package distribution

import (
	"slices"
	"time"
)

// ViewerProtocol is what a behavior does with plain HTTP.
type ViewerProtocol uint8

const (
	AllowAll        ViewerProtocol = iota // serve it
	RedirectToHTTPS                       // answer with a redirect
	HTTPSOnly                             // answer 403
)

// MethodSet is a set of the seven methods that CloudFront knows. The zero value is empty.
type MethodSet uint8

// methodBits gives each method its bit; the order is that of the three sets CloudFront allows.
var methodBits = [...]string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}

// Methods returns the set of the given methods; unknown ones are left out.
func Methods(names ...string) MethodSet {
	var s MethodSet
	for _, n := range names {
		s |= methodBit(n)
	}
	return s
}

func methodBit(name string) MethodSet {
	for i, m := range methodBits {
		if m == name {
			return 1 << i
		}
	}
	return 0
}

// Has tells whether the method, spelled as on the wire, is in the set.
func (s MethodSet) Has(name string) bool { return s&methodBit(name) != 0 }

// List returns the methods in CloudFront's order, e.g. for an Allow field.
func (s MethodSet) List() []string {
	var l []string
	for i, m := range methodBits {
		if s&(1<<i) != 0 {
			l = append(l, m)
		}
	}
	return l
}

// Behavior is one cache behavior with its policies resolved: everything that a request needs is
// precomputed. It is immutable and may be used concurrently.
type Behavior struct {
	PathPattern string // as configured; "*" for the default behavior
	Default     bool
	Origin      *Origin // of a group, the first
	Group       *Group  // nil: there is one origin

	ViewerProtocol ViewerProtocol
	Allowed        MethodSet // others are answered 403
	Cached         MethodSet // always GET and HEAD, which share an entry; OPTIONS has its own

	MinTTL, DefaultTTL, MaxTTL time.Duration

	// CachingDisabled: nothing is stored, errors neither, and requests are not collapsed. So it is
	// with a MaxTTL of 0 and with the legacy "forward all headers".
	CachingDisabled bool

	Compress bool // the edge compresses what comes uncompressed: see ContentCoding
	Gzip     bool // the key tells viewers that accept gzip from others
	Brotli   bool // likewise br
	Zstd     bool // likewise zstd: tag warmfront:compression=zstd

	KeyHasQuery     bool // some part of the query may be in the key
	ForwardsCookies bool // some cookie may reach the origin; otherwise responses lose Set-Cookie
	Legacy          bool // ForwardedValues instead of policies

	CachePolicyID         string // "" with legacy settings
	OriginRequestPolicyID string // or ""

	pattern pattern
	key     keyPlan
	forward forwardPlan
	second  *Behavior // see Second
}

// SharesAuthorized tells whether the origin sees the Authorization of a request whose answer others find:
// all of the viewer's headers are forwarded, and this one is not in the key.
func (b *Behavior) SharesAuthorized() bool {
	keyed := slices.ContainsFunc(b.key.headers, func(h keyHeader) bool { return h.name == "authorization" })
	return !keyed && b.ShowsAuthorization()
}

// ShowsAuthorization tells whether the origin sees the Authorization of a GET, keyed or not.
func (b *Behavior) ShowsAuthorization() bool {
	return b.passes("authorization", "GET") && !b.Origin.CustomHeaders.Has("Authorization")
}

// StripsSetCookie tells whether responses lose their Set-Cookie fields, before they are stored.
func (b *Behavior) StripsSetCookie() bool { return !b.ForwardsCookies }
