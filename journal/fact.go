package journal

import (
	"slices"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
)

// Fact is one thing that happened. This page lists everything that can ever happen. A fact is
// self-contained: whoever applies it needs no other source. Exactly one member is set.
//
// Facts are stored as JSON with these names; a name, once written, keeps its meaning for ever.
type Fact struct {
	// What an edge must know.
	DistributionPut     *DistributionPut     `json:",omitempty"`
	DistributionDeleted *DistributionDeleted `json:",omitempty"`
	Invalidated         *Invalidated         `json:",omitempty"`

	// What only the control plane must know of invalidations that are not in force yet.
	Scheduled *Scheduled `json:",omitempty"`
	Withdrawn *Withdrawn `json:",omitempty"`

	// What a compaction has put in the place of invalidations that nobody remembers.
	Forgotten *Forgotten `json:",omitempty"`

	// What only the control plane must know.
	CachePolicyPut             *CachePolicyPut         `json:",omitempty"`
	CachePolicyDeleted         *PolicyDeleted          `json:",omitempty"`
	OriginRequestPolicyPut     *OriginRequestPolicyPut `json:",omitempty"`
	OriginRequestPolicyDeleted *PolicyDeleted          `json:",omitempty"`

	// Who was given, or lost, the right to do it.
	AccessChanged *AccessChanged `json:",omitempty"`

	// Who takes part (P2, P4).
	EdgeJoined *EdgeJoined `json:",omitempty"`
	EdgeLeft   *EdgeLeft   `json:",omitempty"`

	// Which machines may.
	EdgeInvited  *EdgeInvited  `json:",omitempty"`
	EdgeAdmitted *EdgeAdmitted `json:",omitempty"`
	EdgeRemoved  *EdgeRemoved  `json:",omitempty"`

	// Which place fills through which (L7).
	PlacePut     *PlacePut     `json:",omitempty"`
	PlaceDeleted *PlaceDeleted `json:",omitempty"`

	// What a tracker has declared (P3).
	Completed *Completed `json:",omitempty"`

	// Nothing, but with a number: what a freshness probe is answered with (P1).
	Tick *Tick `json:",omitempty"`
}

// DistributionPut creates a distribution or replaces all of it: config, tags and the policies that
// it names, resolved. A change of a policy is one entry with the policy's fact and one of these per
// distribution that uses it.
type DistributionPut struct {
	ID           string
	DomainName   string // dXXXX.<suffix>
	ETag         string
	LastModified time.Time
	Config       *wire.DistributionConfig
	Tags         map[string]string `json:",omitempty"`

	// By policy id, every custom policy that Config names. Managed ones are known to every node.
	CachePolicies         map[string]*wire.CachePolicyConfig         `json:",omitempty"`
	OriginRequestPolicies map[string]*wire.OriginRequestPolicyConfig `json:",omitempty"`

	By Actor
}

// DistributionDeleted removes a distribution; its domain name is never used again.
type DistributionDeleted struct {
	ID string
	By Actor
}

// Invalidated is an accepted invalidation. Its number is the sequence of the entry that carries it.
type Invalidated struct {
	DistributionID  string
	InvalidationID  string
	CallerReference string
	Items           []string  // as submitted
	CreateTime      time.Time // when it came into force
	Comment         string    `json:",omitempty"` // why, in the words of whoever made it
	Mode            Mode      `json:",omitempty"`
	Where           *Where    `json:",omitempty"` // nil: all that Items name
	Pace            *Pace     `json:",omitempty"` // nil: everywhere at once
	By              Actor

	// Wave says at which edges it comes into force; nil: at all. One that comes location by location is several of
	// these, with one InvalidationID and the same items, each with its own number and CreateTime.
	Wave *Wave `json:",omitempty"`

	// Of one that had been Scheduled, with the same id.
	Accepted time.Time `json:",omitzero"`  // when that was
	Plan     *Plan     `json:",omitempty"` // when it was to come into force
}

// Forgotten stands for the newest of a distribution's invalidations that a compaction has left out, in its place: what was
// fetched before may be dead by one of them, and is. Who has followed the log never sees it; who begins may have objects on disk.
type Forgotten struct{ DistributionID string }

// Mode is what edges do with what an invalidation matches: a distribution's default is resolved when it is accepted. An
// edge takes one that it does not know for Remove: to drop too much is a cost, to show too much is a lie.
type Mode string

const (
	Remove Mode = ""      // it is never shown again
	Stale  Mode = "stale" // it is shown while it is revalidated, and not after that
)

// Scheduled is an accepted invalidation that is not in force yet. Nothing that an edge serves depends on it. What puts
// it in force is an Invalidated with its id.
type Scheduled struct {
	DistributionID  string
	InvalidationID  string
	CallerReference string
	Items           []string // as submitted
	CreateTime      time.Time
	Comment         string `json:",omitempty"`
	Mode            Mode   `json:",omitempty"`
	Plan            Plan
	Where           *Where `json:",omitempty"`
	Pace            *Pace  `json:",omitempty"`
	By              Actor
}

// Where narrows Items to what was answered so: of each condition that has values, one must hold
// (invalidation.Conditions).
type Where struct {
	Status       []string  `json:",omitempty"` // "404", "4xx"
	ContentType  []string  `json:",omitempty"` // "text/css", "image/*"
	Host         []string  `json:",omitempty"`
	StoredBefore time.Time `json:",omitzero"`
}

// Plan is when a scheduled invalidation comes into force: one of them is set.
type Plan struct {
	At   time.Time  `json:",omitzero"`
	When *Condition `json:",omitempty"`
}

// Condition holds when an origin answers a request for the URL with this value of the field.
type Condition struct {
	URL   string
	Field string
	Value string
}

// Pace is how an invalidation spares the origin.
type Pace struct {
	// RequestsPerSecond bounds the requests to origins that it causes on each edge; 0: nothing does.
	RequestsPerSecond float64 `json:",omitempty"`

	// Refetch has edges ask for what was wanted most of what it drops, before viewers do, within that bound.
	Refetch bool `json:",omitempty"`

	ByLocation *ByLocation `json:",omitempty"` // nil: at all locations at once
}

// ByLocation lets an invalidation come into force at one location after the other: at the next when every edge has
// applied what came before.
type ByLocation struct {
	First []string      `json:",omitempty"` // whose turn comes first, in this order; the others by name
	Pause time.Duration `json:",omitempty"` // before the next turn; in nanoseconds
}

// Wave is one turn of a ByLocation.
type Wave struct {
	Number    int      // from 1
	Locations []string `json:",omitempty"` // it is for the edges of these
	Others    []string `json:",omitempty"` // or, as the last one, for the edges of all locations but these, whose turn has been
}

// Covers tells whether the edges of a location have to apply what comes with the wave.
func (w *Wave) Covers(location string) bool {
	switch {
	case w == nil:
		return true
	case len(w.Locations) > 0:
		return slices.Contains(w.Locations, location)
	}
	return !slices.Contains(w.Others, location)
}

// Last tells whether nothing comes after it. A nil wave is the only one.
func (w *Wave) Last() bool { return w == nil || len(w.Locations) == 0 }

// Withdrawn takes an invalidation back: a scheduled one before it was in force, or one that comes location by location
// before its last turn.
type Withdrawn struct {
	DistributionID string
	InvalidationID string
	Time           time.Time
	By             Actor
}

// CachePolicyPut creates or replaces a custom cache policy.
type CachePolicyPut struct {
	ID           string
	ETag         string
	LastModified time.Time
	Config       *wire.CachePolicyConfig
	By           Actor
}

// OriginRequestPolicyPut creates or replaces a custom origin request policy.
type OriginRequestPolicyPut struct {
	ID           string
	ETag         string
	LastModified time.Time
	Config       *wire.OriginRequestPolicyConfig
	By           Actor
}

// PolicyDeleted removes a custom policy.
type PolicyDeleted struct {
	ID string
	By Actor
}

// AccessChanged says that users or access keys were changed. Edges get it like any other entry, so it never has a secret but in
// Records.
type AccessChanged struct {
	Action   string // the operation: "CreateUser", "DeleteAccessKey"; "": nothing for the audit trail
	Resource string // "user/anna", "access-key/WFAK…"
	By       Actor

	Records []AccessRecord `json:",omitempty"`
}

// AccessRecord is a user, an access key, or who has signed out, in place of what had the name before. Control nodes alone
// can read it (auth.Access).
type AccessRecord struct {
	Name   string
	Sealed []byte `json:",omitempty"` // none: it is gone
}

// EdgeJoined makes an edge a member: from this entry on Completed waits for it (P2). A new
// incarnation of the same edge replaces the old one.
type EdgeJoined struct {
	Edge        string // its name, e.g. "FRA50-1"
	Location    string // the edge location that it belongs to, e.g. "FRA50"
	Incarnation string // random, new at each start
	Address     string `json:",omitempty"` // host:port where other edges ask it; "": nowhere

	// What it had applied when it asked: an EdgeJoined above that it has not seen, and does not replace. A request that
	// comes late is refused by it; and so is one of an edge that follows what the log has lost, by the ID of entry After.
	// "" and 0: not said, by an earlier version.
	Epoch   ID     `json:",omitempty"`
	After   uint64 `json:",omitempty"`
	AfterID ID     `json:",omitempty"`
}

// EdgeLeft ends a membership cleanly, after the edge's last answer.
type EdgeLeft struct {
	Edge        string
	Incarnation string
}

// EdgeInvited is a token, good for one machine to become this edge.
type EdgeInvited struct {
	Token    string // its public half
	Hash     string // of the whole
	Edge     string
	Location string
	Expires  time.Time
	By       Actor
}

// EdgeAdmitted uses a token up: the certificate with this serial number is the edge's, and no earlier one. Without a token it is a
// renewal: the edge has asked with its certificate, which counts until it ends, or until the renewed one is renewed.
type EdgeAdmitted struct {
	Token    string
	Edge     string
	Location string
	Serial   string // hex
	Previous string `json:",omitempty"` // the serial number of the certificate that was renewed
}

// EdgeRemoved ends an admission. The edge's certificate counts no more.
type EdgeRemoved struct {
	Edge string
	By   Actor
}

// PlacePut says what an edge location is to others, in place of what was said before.
type PlacePut struct {
	Place   string
	Parent  string   `json:",omitempty"` // the place that its fills go through; "": none
	Regions []string `json:",omitempty"` // Origin Shield regions that it serves
	By      Actor
}

// PlaceDeleted takes that back.
type PlaceDeleted struct {
	Place string
	By    Actor
}

// Completed declares everything up to and including UpTo completed: every member has acknowledged it,
// or the wait of the slow path is over (P3). It is a fact so that the status of an invalidation, and
// of a distribution's change, is a function of the log: it never goes back, not by a restart, which
// makes a tracker wait anew, nor from one control node to the next. Edges ignore it.
type Completed struct {
	UpTo  uint64
	At    time.Time     // the declarer's wall clock; for receipts only
	Edges []EdgeApplied `json:",omitempty"` // the members then; of more than CompletedEdges only those that were silent

	Members int `json:",omitempty"` // how many there were, where Edges does not name all; else 0
}

// CompletedEdges bounds Completed.Edges: beyond it, no line is kept of an edge that has acknowledged. It may remember itself.
const CompletedEdges = 256

// EdgeApplied is one edge's part in a Completed.
type EdgeApplied struct {
	Edge     string
	Location string    `json:",omitempty"`
	At       time.Time `json:",omitzero"` // on the edge's clock; zero: it was silent until its lease had run out

	// Acked is up to where one that was silent had acknowledged.
	Acked uint64 `json:",omitempty"`
}

// Tick carries nothing.
type Tick struct{}

// Actor is who did it, for history and audit.
type Actor struct {
	User      string `json:",omitempty"` // user or role name
	AccessKey string `json:",omitempty"` // access key id, never the secret
	Address   string `json:",omitempty"` // IP address of the client
}
