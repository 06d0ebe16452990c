package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/node"
)

// quotaFlags are the bounds of what the API makes.
type quotaFlags struct {
	aws       bool
	named     []string
	keep      string
	perSecond int
	entries   int
}

// mostQuota is more than any of them can mean.
const mostQuota = 1 << 24

// What --journal-entries may be: an edge that starts reads what there is, and with fewer than some it would be compacted all the time.
const leastEntries, mostEntries = 1000, 1 << 30

func addQuotas(cmd *cobra.Command) *quotaFlags {
	q := new(quotaFlags)
	f := cmd.Flags()
	f.BoolVar(&q.aws, "aws-quotas", false, "CloudFront's quotas for invalidations: 3,000 paths and 15 wildcard paths in progress per distribution")
	f.StringArrayVar(&q.named, "quota", nil, "set a quota: `name=number`, as in paths-in-progress=5000; may be repeated; docs/invalidation.md has the names")
	f.IntVar(&q.perSecond, "rate-per-key", auth.DefaultRate, "`calls` a second of each access key, with bursts of twice as many; more get Throttling")
	f.IntVar(&q.entries, "journal-entries", node.JournalEntries, "compact the journal when it has so many `entries`, if at least half of them are of no use any more; 0: only when told")
	f.StringVar(&q.keep, "history-keep", "90d", "`time` that completed invalidations stay in the history: 90d, 36h")
	return q
}

// quotaNames are the quotas that --quota can set.
func quotaNames(l *control.Limits) []struct {
	name  string
	value *int
} {
	return []struct {
		name  string
		value *int
	}{
		{"distributions", &l.Distributions},
		{"cache-policies", &l.CachePolicies},
		{"origin-request-policies", &l.OriginRequestPolicies},
		{"distributions-per-policy", &l.DistributionsPerPolicy},
		{"paths-per-invalidation", &l.ItemsPerInvalidation},
		{"paths-in-progress", &l.InvalidationsInProgress},
		{"wildcards-in-progress", &l.WildcardsInProgress},
		{"history-per-distribution", &l.History},
	}
}

// check returns the limits, or says by name which makes no sense. What is named is above --aws-quotas.
func (q *quotaFlags) check() (l control.Limits, err error) {
	if q.aws {
		l = l.AWS()
	}
	for _, s := range q.named {
		if err := setQuota(&l, s); err != nil {
			return l, err
		}
	}
	if q.entries != 0 && (q.entries < leastEntries || q.entries > mostEntries) {
		return l, usage("--journal-entries %d: use a number from %d to %d, or 0", q.entries, leastEntries, mostEntries)
	}
	if q.perSecond < 1 || q.perSecond > mostQuota {
		return l, usage("--rate-per-key %d: use a number from 1 to %d", q.perSecond, mostQuota)
	}
	if l.HistoryAge, err = parseDays(q.keep); err != nil || l.HistoryAge < time.Hour {
		return l, usage("--history-keep %q: use a time of an hour or more, as in 90d or 36h", q.keep)
	}
	return l, nil
}

func setQuota(l *control.Limits, s string) error {
	name, number, _ := strings.Cut(s, "=")
	var names []string
	for _, k := range quotaNames(l) {
		if names = append(names, k.name); k.name != name {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > mostQuota {
			return usage("--quota %s: use a number from 1 to %d, as in %s=100", s, mostQuota, name)
		}
		*k.value = n
		return nil
	}
	return usage("--quota %s: there is no such quota; there are %s", s, strings.Join(names, ", "))
}

// parseDays reads a duration that may be in days.
func parseDays(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}
