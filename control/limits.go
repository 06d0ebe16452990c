package control

import "time"

// Limits are the quotas and bounds (L9). A zero field has the default, which is CloudFront's where
// it has one.
type Limits struct {
	Distributions           int // 500; TooManyDistributions
	CachePolicies           int // 20 custom ones; TooManyCachePolicies
	OriginRequestPolicies   int // 20 custom ones; TooManyOriginRequestPolicies
	DistributionsPerPolicy  int // 100; TooManyDistributionsAssociatedTo…
	ItemsPerInvalidation    int // 3,000; BatchTooLarge
	InvalidationsInProgress int // items in progress per distribution, 30,000; TooManyInvalidationsInProgress
	// WildcardsInProgress bounds those of them that have a *, which are then not counted among the others, as
	// CloudFront does; 0: no bound of their own.
	WildcardsInProgress int

	Scheduled  int // invalidations scheduled per distribution, 100; TooManyInvalidationsInProgress
	Conditions int // those that wait for a condition, over all distributions, 100; the same

	History      int           // invalidations kept per distribution, 10,000
	HistoryItems int           // items kept in them, 200,000
	HistoryAge   time.Duration // 90 days
	Audit        int           // entries of the audit trail kept, 10,000
}

// AWS returns the limits with CloudFront's quotas where the default is more generous.
func (l Limits) AWS() Limits {
	l.InvalidationsInProgress, l.WildcardsInProgress = 3000, 15
	return l
}

// Limits are those that it holds.
func (c *Control) Limits() Limits { return c.cfg.Limits }

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&l.Distributions, 500},
		{&l.CachePolicies, 20},
		{&l.OriginRequestPolicies, 20},
		{&l.DistributionsPerPolicy, 100},
		{&l.ItemsPerInvalidation, 3000},
		{&l.InvalidationsInProgress, 30000},
		{&l.Scheduled, 100},
		{&l.Conditions, 100},
		{&l.History, 10000},
		{&l.HistoryItems, 200000},
		{&l.Audit, 10000},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if l.HistoryAge == 0 {
		l.HistoryAge = 90 * 24 * time.Hour
	}
	return l
}
