package distribution

import (
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
)

// Known tells which custom policies exist. Managed ones always do. A nil func knows none.
type Known struct {
	CachePolicy         func(id string) bool
	OriginRequestPolicy func(id string) bool
}

type ManagedCachePolicy struct {
	ID           string
	LastModified time.Time
	Config       *wire.CachePolicyConfig // shared; do not change
}

type ManagedOriginRequestPolicy struct {
	ID           string
	LastModified time.Time
	Config       *wire.OriginRequestPolicyConfig // shared; do not change
}

// Forwarded is what the origin gets, but for what the edge itself adds: Via, CDN-Loop, X-Amz-Cf-Id,
// validators of a revalidation, Range, and the framing of a body.
type Forwarded struct {
	Path     string // origin path included
	Query    string
	HasQuery bool
	Host     string
	Fields   message.Fields
}

type keyPlan struct{}
type forwardPlan struct{}

func FillDefaults(c *wire.DistributionConfig)                             {}
func Validate(c *wire.DistributionConfig, known Known) error              { return nil }
func Compile(put Source) (*Distribution, error)                           { return nil, nil }
func ManagedCachePolicies() []ManagedCachePolicy                          { return nil }
func ManagedOriginRequestPolicies() []ManagedOriginRequestPolicy          { return nil }
func FillCachePolicyDefaults(c *wire.CachePolicyConfig)                   {}
func ValidateCachePolicy(c *wire.CachePolicyConfig) error                 { return nil }
func FillOriginRequestPolicyDefaults(c *wire.OriginRequestPolicyConfig)   {}
func ValidateOriginRequestPolicy(c *wire.OriginRequestPolicyConfig) error { return nil }
func ValidateTags(tags map[string]string) error                           { return nil }

// Behavior returns the behavior of a rooted path: the first whose pattern matches its normal form.
func (d *Distribution) Behavior(path string) *Behavior {
	n := normalPath(path)
	last := len(d.Behaviors) - 1
	for _, b := range d.Behaviors[:last] {
		if b.pattern.matches(n) {
			return b
		}
	}
	return d.Behaviors[last]
}

// AppendKey appends the complete cache key of r.
func (b *Behavior) AppendKey(dst []byte, d *Distribution, r *message.Request) []byte { return dst }

// KeyedQuery returns the part of the query that is in the key; ignored when none can be.
func (b *Behavior) KeyedQuery(r *message.Request) (query string, ignored bool) { return "", true }

// Forward returns what the origin gets for r.
func (b *Behavior) Forward(d *Distribution, r *message.Request) Forwarded { return Forwarded{} }

// KeptVary returns what stays of a response's Vary value; "" when nothing does.
func (b *Behavior) KeptVary(vary string) string { return "" }
