// Package control knows the control plane: commands come in, facts go out, and the fold of the facts
// answers queries. It speaks in CloudFront's nouns and decides everything that CloudFront's API
// decides: ids, ETags, caller references, names in use, quotas, statuses. Doors only translate.
//
// # State is the fold of the log
//
// Nothing is kept beside the journal. A command runs as a decision on the state caught up to the
// journal's end (W1), its facts are appended with compare-and-swap (W2), and the entry is applied
// by the same code that replays the log at start: what a restart knows is what was known before.
// Queries read the folded state under a read lock that is never held across I/O, so they do not
// wait for an fsync.
//
// # Completed is a fact
//
// P3 lets any tracker declare an invalidation completed, and a new tracker restarts its wait. If
// the status were read from the tracker, a restart would turn Completed back into InProgress for
// up to the slow path's wait. So a declaration is itself appended, as journal.Completed, and status
// is a function of the log: an invalidation, or a distribution's change, is Completed (Deployed)
// when its number is at or below the greatest Completed.UpTo. All control nodes agree, nothing
// flaps, and one short append, shared by all that complete together, is the price.
//
// # Limits (L9)
//
// History is kept for Limits.HistoryAge and at most Limits.History invalidations per distribution;
// what is in progress is never dropped. A watcher that does not keep up loses its buffered changes
// and is told so. Every other table is bounded by a quota with CloudFront's error.
package control

import (
	"context"
	"log/slog"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
)

// Config says what a Control stands on. Log is required, everything else has a default.
type Config struct {
	Log journal.Log

	Now       func() time.Time // wall clock, for times that people read; default time.Now
	Suffix    string           // of distributions' domain names, without a dot in front; default "localhost"
	AccountID string           // twelve digits, part of every ARN; default "000000000000"
	Logger    *slog.Logger     // default: discard

	Limits Limits
}

// Control answers all commands and queries. Make one with New; all methods may be called
// concurrently. Commands work before Run; queries answer from what has been folded so far, so
// doors open after Ready.
type Control struct{ cfg Config }

// New checks cfg; it does no I/O and starts nothing.
func New(cfg Config) (*Control, error) { return &Control{cfg: cfg}, nil }

// Run catches up with the log, follows it, hears acknowledgements, declares what is completed and
// answers freshness probes, until ctx ends.
func (c *Control) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Ready is closed when the state has caught up with the log as it was when Run began.
func (c *Control) Ready() <-chan struct{} { return nil }

// Error is a refusal. Code is CloudFront's error code (wire.ErrorStatus has the HTTP status of most;
// InvalidationBatchAlreadyExists is 409, ServiceUnavailable 503); Message says what to do.
type Error struct {
	Code    string
	Message string
	Err     error // the cause of a ServiceUnavailable, for the log; else nil
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Status words of the API.
const (
	InProgress = "InProgress"
	Deployed   = "Deployed"  // of a distribution
	Completed  = "Completed" // of an invalidation
)

// Page is one page of a list. Marker is the one that was asked for; NextMarker is the last item's
// id when Truncated, else "".
type Page[T any] struct {
	Items      []T
	Marker     string
	NextMarker string
	MaxItems   int
	Truncated  bool
}

// Distribution is a distribution as of one moment. Config, Tags and what they point to belong to
// the state: read only.
type Distribution struct {
	ID                      string
	ARN                     string
	DomainName              string
	ETag                    string
	Status                  string // InProgress, Deployed
	LastModified            time.Time
	InProgressInvalidations int
	Config                  *wire.DistributionConfig // with the defaults filled in
	Tags                    map[string]string
}

// Invalidation is an invalidation as of one moment. Items belong to the state: read only.
type Invalidation struct {
	ID              string
	DistributionID  string
	CallerReference string
	Items           []string // as submitted, in order
	Status          string   // InProgress, Completed
	CreateTime      time.Time
	CompletedTime   time.Time // zero while in progress
	Seq             uint64    // its number in the journal
	By              journal.Actor
}

// CachePolicy is a managed or a custom cache policy. Config is read only.
type CachePolicy struct {
	ID           string
	ETag         string
	LastModified time.Time
	Managed      bool
	Config       *wire.CachePolicyConfig
}

// OriginRequestPolicy is a managed or a custom origin request policy. Config is read only.
type OriginRequestPolicy struct {
	ID           string
	ETag         string
	LastModified time.Time
	Managed      bool
	Config       *wire.OriginRequestPolicyConfig
}

// CreateDistribution makes a distribution. Errors: DistributionAlreadyExists, CNAMEAlreadyExists,
// InvalidTagging, TooMany…, and those of distribution.Validate. c is not changed and not kept.
func (c *Control) CreateDistribution(ctx context.Context, by journal.Actor, cfg *wire.DistributionConfig, tags map[string]string) (*Distribution, error) {
	return nil, nil
}

// CopyDistribution makes a distribution with another's configuration. enabled nil means true.
// ifMatch is the primary's ETag; "" is InvalidIfMatchVersion.
func (c *Control) CopyDistribution(ctx context.Context, by journal.Actor, primaryID, ifMatch string, req *wire.CopyDistributionRequest) (*Distribution, error) {
	return nil, nil
}

// UpdateDistribution replaces a configuration as a whole.
func (c *Control) UpdateDistribution(ctx context.Context, by journal.Actor, id, ifMatch string, cfg *wire.DistributionConfig) (*Distribution, error) {
	return nil, nil
}

// DeleteDistribution removes a distribution that is disabled and Deployed.
func (c *Control) DeleteDistribution(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	return nil
}

// Distribution returns one, or NoSuchDistribution.
func (c *Control) Distribution(id string) (*Distribution, error) { return nil, nil }

// DistributionFilter selects distributions; empty fields select all.
type DistributionFilter struct {
	CachePolicyID         string // uses it in any behavior; NoSuchCachePolicy when there is none
	OriginRequestPolicyID string // uses it in any behavior; NoSuchOriginRequestPolicy when there is none
	Match                 func(*Distribution) bool
}

// Distributions lists distributions ordered by id, those after marker, at most max (0 and more than
// 100 mean 100).
func (c *Control) Distributions(f DistributionFilter, marker string, max int) (Page[*Distribution], error) {
	return Page[*Distribution]{}, nil
}

// CreateInvalidation accepts a batch. created is false when the same caller reference came with the
// same paths before: the invalidation is then that one. Nil error means that the invalidation is
// durable in the journal (L8).
func (c *Control) CreateInvalidation(ctx context.Context, by journal.Actor, distributionID string, b *wire.InvalidationBatch) (inv *Invalidation, created bool, err error) {
	return nil, false, nil
}

// Invalidation returns one; NoSuchDistribution, NoSuchInvalidation.
func (c *Control) Invalidation(distributionID, id string) (*Invalidation, error) { return nil, nil }

// Invalidations lists a distribution's invalidations, newest first.
func (c *Control) Invalidations(distributionID, marker string, max int) (Page[*Invalidation], error) {
	return Page[*Invalidation]{}, nil
}

// CreateCachePolicy makes a custom cache policy.
func (c *Control) CreateCachePolicy(ctx context.Context, by journal.Actor, cfg *wire.CachePolicyConfig) (*CachePolicy, error) {
	return nil, nil
}

// UpdateCachePolicy replaces a custom cache policy; distributions that use it get a new ETag.
func (c *Control) UpdateCachePolicy(ctx context.Context, by journal.Actor, id, ifMatch string, cfg *wire.CachePolicyConfig) (*CachePolicy, error) {
	return nil, nil
}

// DeleteCachePolicy removes a custom cache policy that no distribution uses.
func (c *Control) DeleteCachePolicy(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	return nil
}

// CachePolicy returns one, managed or custom, or NoSuchCachePolicy.
func (c *Control) CachePolicy(id string) (*CachePolicy, error) { return nil, nil }

// CachePolicies lists policies, managed ones first. policyType is "managed", "custom" or "" for both.
func (c *Control) CachePolicies(policyType, marker string, max int) (Page[*CachePolicy], error) {
	return Page[*CachePolicy]{}, nil
}

// CreateOriginRequestPolicy makes a custom origin request policy.
func (c *Control) CreateOriginRequestPolicy(ctx context.Context, by journal.Actor, cfg *wire.OriginRequestPolicyConfig) (*OriginRequestPolicy, error) {
	return nil, nil
}

// UpdateOriginRequestPolicy replaces a custom origin request policy.
func (c *Control) UpdateOriginRequestPolicy(ctx context.Context, by journal.Actor, id, ifMatch string, cfg *wire.OriginRequestPolicyConfig) (*OriginRequestPolicy, error) {
	return nil, nil
}

// DeleteOriginRequestPolicy removes a custom origin request policy that no distribution uses.
func (c *Control) DeleteOriginRequestPolicy(ctx context.Context, by journal.Actor, id, ifMatch string) error {
	return nil
}

// OriginRequestPolicy returns one, managed or custom, or NoSuchOriginRequestPolicy.
func (c *Control) OriginRequestPolicy(id string) (*OriginRequestPolicy, error) { return nil, nil }

// OriginRequestPolicies lists policies, managed ones first.
func (c *Control) OriginRequestPolicies(policyType, marker string, max int) (Page[*OriginRequestPolicy], error) {
	return Page[*OriginRequestPolicy]{}, nil
}

// Tag adds tags to a resource, replacing those with the same keys; NoSuchResource, InvalidTagging.
func (c *Control) Tag(ctx context.Context, by journal.Actor, arn string, tags map[string]string) error {
	return nil
}

// Untag removes tags by key; keys that are not there are ignored.
func (c *Control) Untag(ctx context.Context, by journal.Actor, arn string, keys []string) error {
	return nil
}

// Tags returns a resource's tags, a copy.
func (c *Control) Tags(arn string) (map[string]string, error) { return nil, nil }

// Receipt tells edge by edge how an invalidation went.
type Receipt struct {
	Invalidation *Invalidation
	Took         time.Duration // from accepted to Completed; so far, while in progress
	Edges        []ReceiptRow  // by name
}

// ReceiptRow is one edge's line of a receipt.
type ReceiptRow struct {
	Edge     string
	Location string
	Applied  bool
	At       time.Time     // on the edge's clock; zero when not applied
	Took     time.Duration // from accepted to applied; so far, while waiting
	Lagging  string        // why it has not applied it, "" when it has
}

// Receipt returns an invalidation's receipt; NoSuchDistribution, NoSuchInvalidation.
func (c *Control) Receipt(distributionID, id string) (*Receipt, error) { return nil, nil }

// Node is an edge that takes part.
type Node struct {
	Edge        string
	Location    string
	Incarnation string
	Joined      time.Time
	Applied     uint64    // the newest entry that it has acknowledged
	Heard       time.Time // when it last acknowledged; zero: not since this process started
	Behind      uint64    // entries appended that it has not acknowledged
}

// Nodes lists the edges that are members, by name.
func (c *Control) Nodes() []Node { return nil }

// Join makes an edge a member (P2) and returns the number of the entry; it must apply it before it
// serves. A new incarnation replaces the old one.
func (c *Control) Join(ctx context.Context, e journal.EdgeJoined) (uint64, error) { return 0, nil }

// Leave ends a membership, after the edge's last answer. For an edge that is known to be dead (its
// machine is off) an operator may call it too (P4). Not a member with this incarnation: nothing to do.
func (c *Control) Leave(ctx context.Context, e journal.EdgeLeft) error { return nil }

// ChangeKind says what changed.
type ChangeKind int

// Kinds of changes.
const (
	ChangeMissed       ChangeKind = iota // the watcher was slow, changes were dropped: read again what is shown
	ChangeDistribution                   // created, updated, deployed or deleted
	ChangeInvalidation                   // accepted, applied by an edge or completed
	ChangePolicy                         // a policy was created, updated or deleted
	ChangeNode                           // an edge joined or left
)

// Change tells a watcher to look again at one thing.
type Change struct {
	Kind           ChangeKind
	ID             string // of the distribution, invalidation or policy, or the edge's name
	DistributionID string // of an invalidation
	Status         string // the new status; "" when deleted or not applicable
	Seq            uint64 // the entry that caused it
}

// Watch subscribes to changes. stop ends it and closes the channel.
func (c *Control) Watch() (changes <-chan Change, stop func()) { return nil, func() {} }
