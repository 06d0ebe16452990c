package client

import "time"

// The structures of Warmfront's own API, as its OpenAPI document has them; a test holds them against it.
// Times that are not known, or not yet, are nil.

// Actor is who did something.
type Actor struct {
	User      string `json:"user"`
	AccessKey string `json:"accessKey"`
	Address   string `json:"address"`
}

// Invalidation is an invalidation, and who made it.
type Invalidation struct {
	ID            string     `json:"id"`
	Status        string     `json:"status"`
	CreateTime    time.Time  `json:"createTime"`
	CompletedTime *time.Time `json:"completedTime"`
	Items         []string   `json:"items"`
	ItemCount     int        `json:"itemCount"`
	By            Actor      `json:"by"`
	Comment       string     `json:"comment"`
	Plan          *Plan      `json:"plan"`  // nil: it was in force at once
	Mode          string     `json:"mode"`  // remove, stale
	Where         *Where     `json:"where"` // nil: all that Items name
	Pace          *Pace      `json:"pace"`  // nil: everywhere at once
	Waves         []Wave     `json:"waves"` // of one that comes location by location, the turns that have come
}

// Where narrows items to what was answered so: of each condition that has values, one must hold.
type Where struct {
	Status       []string   `json:"status"`      // "404", "4xx"
	ContentType  []string   `json:"contentType"` // "text/css", "image/*"
	Host         []string   `json:"host"`
	StoredBefore *time.Time `json:"storedBefore"`
}

// Pace is how an invalidation spares the origin.
type Pace struct {
	RequestsPerSecond float64 `json:"requestsPerSecond"` // to origins, of each edge; 0: not bounded
	Refetch           bool    `json:"refetch"`           // what is wanted most is brought back before viewers ask

	ByLocation *ByLocation `json:"byLocation"` // nil: at all locations at once
}

// ByLocation lets it come into force at one location after the other.
type ByLocation struct {
	First        []string `json:"first"` // whose turn comes first; the others by name
	PauseSeconds float64  `json:"pauseSeconds"`
}

// Wave is one turn of it.
type Wave struct {
	Locations []string   `json:"locations"`
	Others    []string   `json:"others"` // without Locations: it is the turn of all but these
	Began     time.Time  `json:"began"`
	Completed *time.Time `json:"completed"` // nil: edges are at it
}

// Plan is when a scheduled invalidation comes into force, and what became of it.
type Plan struct {
	At        *time.Time `json:"at"`
	When      *Condition `json:"when"`
	InForce   *time.Time `json:"inForce"`
	Withdrawn *time.Time `json:"withdrawn"`
	LookedAt  *time.Time `json:"lookedAt"`
	Waiting   string     `json:"waiting"`
}

// Condition holds when an origin answers for the URL with this value of the field.
type Condition struct {
	URL   string `json:"url"`
	Field string `json:"field"`
	Value string `json:"value"`
}

// Past is an invalidation of the history, with how it went.
type Past struct {
	ReceiptHead
	TookMs    float64      `json:"tookMs"` // so far, while in progress
	EdgeCount int          `json:"edgeCount"`
	Edges     []ReceiptRow `json:"edges"` // of more than 256, only those that were silent
}

// Receipt is how an invalidation went, edge by edge.
type Receipt struct {
	Invalidation ReceiptHead  `json:"invalidation"`
	TookMs       float64      `json:"tookMs"` // so far, while in progress
	EdgeCount    int          `json:"edgeCount"`
	Edges        []ReceiptRow `json:"edges"` // fewer where some have applied it, and do not remember when
	Doubt        *Doubt       `json:"doubt"` // nil: nothing but edges is waited for
}

// ReceiptHead is the invalidation that a receipt is of.
type ReceiptHead struct {
	Invalidation
	DistributionID  string `json:"distributionId"`
	CallerReference string `json:"callerReference"`
}

// ReceiptRow is one edge's line.
type ReceiptRow struct {
	Edge     string     `json:"edge"`
	Location string     `json:"location"`
	Applied  bool       `json:"applied"`
	At       *time.Time `json:"at"`
	TookMs   float64    `json:"tookMs"`
	Lagging  string     `json:"lagging"`
	Objects  *int64     `json:"objects"` // nil when nobody knows
	Bytes    *int64     `json:"bytes"`
	Counted  bool       `json:"counted"`
	Error    string     `json:"error"`   // why it has not told what it has counted; "": it has, or is no edge any more
	Unbound  bool       `json:"unbound"` // Completed does not speak for it: it is cut off and goes on showing what it has
	Waits    bool       `json:"waits"`   // its location's turn has not come
	Former   bool       `json:"former"`  // it is no edge any more, and is waited for until its lease has run out
	Asked    *int64     `json:"asked"`   // questions to origins that its pace has let through; nil: it has none any more
	Owed     *int64     `json:"owed"`    // objects that have not been brought back
}

// EdgeCount is what one edge has.
type EdgeCount struct {
	Edge              string  `json:"edge"`
	Objects           int64   `json:"objects"`
	Bytes             int64   `json:"bytes"`
	RequestsPerMinute float64 `json:"requestsPerMinute"`
}

// Preview is what an invalidation would drop.
type Preview struct {
	Items []PreviewItem `json:"items"`
	Mode  string        `json:"mode"` // of an invalidation that does not say so itself
	Total PreviewTotal  `json:"total"`

	Unanswered []Unanswered `json:"unanswered"` // edges of which nothing is counted
}

// Unanswered is an edge that takes part and has not answered.
type Unanswered struct {
	Edge  string `json:"edge"`
	Error string `json:"error"`
}

// PreviewTotal counts objects; what several items match counts once.
type PreviewTotal struct {
	Objects           int64       `json:"objects"`
	Bytes             int64       `json:"bytes"`
	RequestsPerMinute float64     `json:"requestsPerMinute"`
	OriginRequests    float64     `json:"originRequests"` // at most, in the first minute after
	Edges             []EdgeCount `json:"edges"`
}

// PreviewItem is one selector's line.
type PreviewItem struct {
	Item    string     `json:"item"`
	Kind    string     `json:"kind"`
	Error   *ItemError `json:"error,omitempty"`
	Warning string     `json:"warning,omitempty"`
	PreviewTotal
	Sample []string `json:"sample"`
}

// ItemError is why a selector is none.
type ItemError struct {
	Reason string `json:"reason"`
	Hint   string `json:"hint"`
}

// Question is what Explain is asked: either URL, or DistributionID and Path.
type Question struct {
	URL            string            `json:"url,omitempty"`
	DistributionID string            `json:"distributionId,omitempty"`
	Path           string            `json:"path,omitempty"`
	Headers        map[string]string `json:"headers,omitempty"`
	Items          []string          `json:"items,omitempty"` // would an invalidation of these drop it?
	Where          *Where            `json:"where,omitempty"` // if it were narrowed so
	Mode           string            `json:"mode,omitempty"`  // "": as the distribution's tag says
}

// Explanation is what the edges make of a request.
type Explanation struct {
	DistributionID string `json:"distributionId"`
	DomainName     string `json:"domainName"`
	Behavior       struct {
		PathPattern string   `json:"pathPattern"`
		Precedence  int      `json:"precedence"`
		Origins     []string `json:"origins"` // in the order in which they are asked
	} `json:"behavior"`
	CachePolicy *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"cachePolicy"`
	CacheKey struct {
		Readable string `json:"readable"`
	} `json:"cacheKey"`
	Subject struct {
		Path  string   `json:"path"`
		Query string   `json:"query"`
		Tags  []string `json:"tags"`
		Host  string   `json:"host"` // "": it is for every host
	} `json:"subject"`
	Edges      []ExplainedEdge `json:"edges"`
	WouldMatch []Match         `json:"wouldMatch"`
	Mode       string          `json:"mode"`  // of an invalidation of the items
	Where      *Where          `json:"where"` // what would narrow it
	Items      []ExplainedItem `json:"items"`
}

// ExplainedItem tells whether an invalidation of an item would drop what is explained.
type ExplainedItem struct {
	Item    string     `json:"item"`
	Kind    string     `json:"kind"`
	Error   *ItemError `json:"error,omitempty"`
	Warning string     `json:"warning,omitempty"`
	Matches bool       `json:"matches"`
	Edges   []string   `json:"edges"` // on which what is stored is meant
}

// ExplainedEdge is what one edge has stored.
type ExplainedEdge struct {
	Edge       string     `json:"edge"`
	Error      string     `json:"error"` // why it has not told; "": it has
	Stored     bool       `json:"stored"`
	Status     int        `json:"status"`
	StoredAt   *time.Time `json:"storedAt"`
	Stamp      uint64     `json:"stamp"`
	Fresh      bool       `json:"fresh"`
	FreshUntil *time.Time `json:"freshUntil"`
	AgeSeconds int64      `json:"ageSeconds"`
	Bytes      int64      `json:"bytes"`
	Hits       uint64     `json:"hits"`
	Memory     bool       `json:"memory"`
	Disk       bool       `json:"disk"`
	Slices     int64      `json:"slices"`       // 0: it is not cut
	SlicesHere int64      `json:"slicesStored"` // of them
	Second     string     `json:"second"`       // of an origin group, if it has sent it
	Marked     bool       `json:"marked"`       // stale, by an invalidation
	MatchedBy  []Match    `json:"matchedBy"`
	Through    []Through  `json:"through"` // edges that it asks before the origin, the nearest first
}

// Through is an edge that another asks for what that one has not.
type Through struct {
	Edge  string `json:"edge"`
	Place string `json:"place"`
}

// Match is an item of an invalidation.
type Match struct {
	InvalidationID string `json:"invalidationId"`
	Item           string `json:"item"`
	Mode           string `json:"mode"`
	Where          *Where `json:"where"` // what narrows it
}

// About is what runs there.
type About struct {
	Version string `json:"version"`
	Suffix  string `json:"suffix"`
	Edges   []struct {
		Name     string `json:"name"`
		Location string `json:"location"`
		URL      string `json:"url"`
	} `json:"edges"`
	AccountID string `json:"accountId"`
	Demo      *struct {
		URL            string `json:"url"`
		DistributionID string `json:"distributionId"`
	} `json:"demo"`
	Quotas struct {
		PathsPerInvalidation int `json:"pathsPerInvalidation"`
	} `json:"quotas"`
}

// Node is an edge and how it is.
type Node struct {
	Edge       string     `json:"edge"`
	Location   string     `json:"location"`
	URL        string     `json:"url"`
	Joined     *time.Time `json:"joined"`
	Applied    uint64     `json:"applied"`
	Behind     uint64     `json:"behind"`
	Heard      *time.Time `json:"heard"`
	Lease      string     `json:"lease"`
	LeaseAgeMs float64    `json:"leaseAgeMs"`
	Cache      NodeCache  `json:"cache"`
	Ready      bool       `json:"ready"`
	Version    string     `json:"version"`  // "": it does not answer
	HitRatio   *float64   `json:"hitRatio"` // of the last five minutes; nil: nothing could have been a hit

	OriginsDown []OriginDown `json:"originsDown"`
}

// ControlNode is a machine with the control plane.
type ControlNode struct {
	Name     string `json:"name"`
	Version  string `json:"version"`  // "": another than the one that was asked
	Position uint64 `json:"position"` // of the journal, as far as it has read; 0: the same
	Ready    bool   `json:"ready"`
	Problem  string `json:"problem"` // why it is not
	Leads    bool   `json:"leads"`   // of several

	Journal *JournalExtent `json:"journal"` // nil: of another
}

// JournalExtent is how much a journal holds.
type JournalExtent struct {
	Entries   uint64     `json:"entries"`
	Base      uint64     `json:"base"` // who stands below that entry drops what it has cached; 0: it was never compacted
	Bytes     uint64     `json:"bytes"`
	Compacted *time.Time `json:"compacted"` // while it ran; nil: not known

	Uncompacted string `json:"uncompacted"` // why this node does not compact it while it runs; "": it does
}

// Compacted is what a compaction of the journal did.
type Compacted struct {
	Before uint64 `json:"before"`
	After  uint64 `json:"after"` // the same: it was left alone
	Base   uint64 `json:"base"`
}

// AllNodes are the machines of a Warmfront.
type AllNodes struct {
	Edges   []Node        `json:"edges"`
	Control []ControlNode `json:"control"`
	Relays  []Relay       `json:"relays"`
	Doubt   *Doubt        `json:"doubt"` // nil: the one that was asked does not doubt its journal
}

// Doubt says why a control node completes invalidations by time alone.
type Doubt struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`   // it does not end before
	Unheard int       `json:"unheard"` // edges that have not been heard to follow its journal
	Edges   []string  `json:"edges"`   // the first of them
}

// Relay stands between control nodes and edges.
type Relay struct {
	Name        string `json:"name"`
	Version     string `json:"version"` // "": it does not answer
	Address     string `json:"address"`
	Ready       bool   `json:"ready"`
	Edges       int    `json:"edges"`       // to which it passes on what is pushed
	Connections int    `json:"connections"` // of edges to control nodes that it carries
	Position    uint64 `json:"position"`    // of what it has passed on last
}

// OriginDown is an address that has not answered an edge for a while.
type OriginDown struct {
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	Failure string    `json:"failure"`
}

// NodeCache is how full an edge's cache is.
type NodeCache struct {
	Objects   int64  `json:"objects"`
	Bytes     int64  `json:"bytes"`
	Capacity  int64  `json:"capacity"`
	Evictions uint64 `json:"evictions"`
}

// Metrics is a distribution's traffic, in steps that are over.
type Metrics struct {
	Step   int           `json:"step"` // seconds
	Points []MetricPoint `json:"points"`
	Now    struct {
		RequestsPerSecond float64 `json:"requestsPerSecond"`
		HitRatio          float64 `json:"hitRatio"`
	} `json:"now"`
}

// MetricPoint is one step.
type MetricPoint struct {
	Time               time.Time `json:"time"`
	Requests           uint64    `json:"requests"`
	Hits               uint64    `json:"hits"`
	RefreshHits        uint64    `json:"refreshHits"`
	Misses             uint64    `json:"misses"`
	Errors             uint64    `json:"errors"`
	Redirects          uint64    `json:"redirects"`
	Bytes              uint64    `json:"bytes"`
	OriginRequests     uint64    `json:"originRequests"`
	OriginLatencyMsP50 float64   `json:"originLatencyMsP50"`
	OriginLatencyMsP99 float64   `json:"originLatencyMsP99"`
}

// Change says what has changed.
type Change struct {
	Kind           string `json:"kind"`
	ID             string `json:"id"`
	DistributionID string `json:"distributionId"`
	Status         string `json:"status"`
	Seq            uint64 `json:"seq"`
}

// Place is an edge location, as others see it.
type Place struct {
	Place   string   `json:"place"`
	Parent  string   `json:"parent"` // "": none
	Regions []string `json:"regions"`
	Edges   int      `json:"edges"` // that others can ask
}
