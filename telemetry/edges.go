package telemetry

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// EdgeState is what a scrape asks of an edge. The edge is asked then, and not at any other time.
type EdgeState struct {
	Ready         bool
	Objects       int64
	Bytes         int64
	Held          int64
	Capacity      int64
	Evictions     uint64
	Rules         int           // invalidation rules in force
	Applied       uint64        // sequence of the last journal entry applied
	Head          uint64        // the journal's last sequence that this edge has heard of
	LeaseAge      time.Duration // since the start of the last probe that was answered (P1)
	LeaseFresh    bool          // hits may be served
	FillsInFlight int
	OriginsDown   int    // addresses that have not answered for a while
	Failovers     uint64 // how often the second of an origin group was asked
	Tiers         TierState
	AskedAgain    uint64              // how often a fill asked its origin a second time
	TagsLeft      uint64              // cache tags of origins that do not count
	PaceWaiting   int64               // questions to origins that invalidations' paces hold up
	PaceOwed      int64               // URLs for which they do
	Refetched     uint64              // objects asked for after an invalidation, before a viewer did
	CompressBytes int64               // that compressors hold
	Compressed    uint64              // bodies
	Uncompressed  uint64              // bodies left as they were for want of memory
	Connections   [len(protocols)]int // of viewers, open, by version of HTTP
	Disk          DiskState
}

// TierState counts the questions of edges to each other.
type TierState struct {
	Answered, Hits, PassedBy   uint64 // that an edge has asked: hits are among the answered; passed by were those that did not answer
	Served, ServedHits, Denied uint64 // that it was asked
}

// DiskState is the cache's tier on disk; zero where there is none.
type DiskState struct {
	Objects, Bytes, Capacity int64
	Evictions                uint64
	Hits                     uint64 // objects read
	Written                  uint64 // octets
	Waiting                  int64  // octets that are about to be written
	Skipped                  uint64 // objects that were not written: nobody had asked for them before, or too many waited
	Damaged                  uint64 // records that were not what had been written
	Failures                 uint64 // reads and writes
	Failing                  bool
}

// AddEdge adds an edge to every scrape from now on. state may be called concurrently.
func (m *Metrics) AddEdge(name, location string, state func() EdgeState) {
	m.edges.add(edgeSource{name, location, state})
}

type edgeSource struct {
	name, location string
	state          func() EdgeState
}

// edgeCollector turns edge states into metrics at the scrape.
type edgeCollector struct {
	mu      sync.Mutex
	sources []edgeSource // guarded by mu
}

func (c *edgeCollector) add(s edgeSource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources = append(c.sources, s)
}

// edgeGauge is one column of EdgeState.
type edgeGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(EdgeState) float64
}

var edgeGauges = func() []edgeGauge {
	g := func(name, help string, kind prometheus.ValueType, value func(EdgeState) float64) edgeGauge {
		return edgeGauge{prometheus.NewDesc("warmfront_"+name, help, []string{"edge"}, nil), kind, value}
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	return []edgeGauge{
		g("edge_ready", "1 when the edge has caught up and serves.", gauge, func(s EdgeState) float64 { return truth(s.Ready) }),
		g("cache_objects", "Objects stored.", gauge, func(s EdgeState) float64 { return float64(s.Objects) }),
		g("cache_bytes", "Octets that stored objects take.", gauge, func(s EdgeState) float64 { return float64(s.Bytes) }),
		g("cache_held_bytes", "Octets of memory taken for them, room for the next ones included.", gauge, func(s EdgeState) float64 { return float64(s.Held) }),
		g("cache_capacity_bytes", "Octets that may be held.", gauge, func(s EdgeState) float64 { return float64(s.Capacity) }),
		g("cache_evictions_total", "Objects dropped to make room.", counter, func(s EdgeState) float64 { return float64(s.Evictions) }),
		g("disk_objects", "Objects stored on disk.", gauge, func(s EdgeState) float64 { return float64(s.Disk.Objects) }),
		g("disk_bytes", "Octets that objects take on disk.", gauge, func(s EdgeState) float64 { return float64(s.Disk.Bytes) }),
		g("disk_capacity_bytes", "Octets of the file on disk; 0 without one.", gauge, func(s EdgeState) float64 { return float64(s.Disk.Capacity) }),
		g("disk_evictions_total", "Objects dropped from disk to make room.", counter, func(s EdgeState) float64 { return float64(s.Disk.Evictions) }),
		g("disk_hits_total", "Objects read from disk because memory did not have them.", counter, func(s EdgeState) float64 { return float64(s.Disk.Hits) }),
		g("disk_written_bytes_total", "Octets written to disk.", counter, func(s EdgeState) float64 { return float64(s.Disk.Written) }),
		g("disk_waiting_bytes", "Octets that wait to be written to disk.", gauge, func(s EdgeState) float64 { return float64(s.Disk.Waiting) }),
		g("disk_skipped_total", "Objects not written to disk: asked for once, or too many were waiting.", counter, func(s EdgeState) float64 { return float64(s.Disk.Skipped) }),
		g("disk_damaged_total", "Records on disk that were not what had been written, and were not served.", counter, func(s EdgeState) float64 { return float64(s.Disk.Damaged) }),
		g("disk_failures_total", "Reads and writes of the disk that failed.", counter, func(s EdgeState) float64 { return float64(s.Disk.Failures) }),
		g("disk_failing", "1 while the disk is left alone because it failed.", gauge, func(s EdgeState) float64 { return truth(s.Disk.Failing) }),
		g("invalidation_rules", "Invalidation rules that objects are checked against.", gauge, func(s EdgeState) float64 { return float64(s.Rules) }),
		g("journal_applied_sequence", "Sequence of the last journal entry applied.", gauge, func(s EdgeState) float64 { return float64(s.Applied) }),
		g("journal_lag_entries", "Journal entries heard of but not yet applied.", gauge, func(s EdgeState) float64 { return lag(s) }),
		g("journal_lease_age_seconds", "Since the probe that last proved this edge up to date.", gauge, func(s EdgeState) float64 { return s.LeaseAge.Seconds() }),
		g("journal_lease_fresh", "1 while hits may be served.", gauge, func(s EdgeState) float64 { return truth(s.LeaseFresh) }),
		g("fills_in_flight", "Questions to origins that are not yet answered completely.", gauge, func(s EdgeState) float64 { return float64(s.FillsInFlight) }),
		g("origins_down", "Addresses of origins that do not answer, and are asked by one request at a time.", gauge, func(s EdgeState) float64 { return float64(s.OriginsDown) }),
		g("origin_failovers_total", "How often the second origin of a group was asked in the place of the first.", counter, func(s EdgeState) float64 { return float64(s.Failovers) }),
		g("fills_asked_again_total", "How often a fill that somebody waited for asked its origin a second time, because no answer came.", counter, func(s EdgeState) float64 { return float64(s.AskedAgain) }),
		g("tier_answered_total", "Questions to other edges that they have answered.", counter, func(s EdgeState) float64 { return float64(s.Tiers.Answered) }),
		g("tier_hits_total", "Those among them that were answered with what was stored there.", counter, func(s EdgeState) float64 { return float64(s.Tiers.Hits) }),
		g("tier_passed_by_total", "Questions to other edges that they could not answer: behind, full, or not to be reached.", counter, func(s EdgeState) float64 { return float64(s.Tiers.PassedBy) }),
		g("tier_served_total", "Questions of other edges that were answered.", counter, func(s EdgeState) float64 { return float64(s.Tiers.Served) }),
		g("tier_served_hits_total", "Those among them that were answered with what was stored here.", counter, func(s EdgeState) float64 { return float64(s.Tiers.ServedHits) }),
		g("tier_denied_total", "Questions of other edges that could not be answered.", counter, func(s EdgeState) float64 { return float64(s.Tiers.Denied) }),
		g("cache_tags_ignored_total", "Words in answers' cache tag headers that are no tags, or more than count: no invalidation finds an object by them.", counter, func(s EdgeState) float64 { return float64(s.TagsLeft) }),
		g("pace_waiting", "Questions to origins that the paces of invalidations hold up.", gauge, func(s EdgeState) float64 { return float64(s.PaceWaiting) }),
		g("pace_owed_urls", "URLs that paced invalidations have dropped and that have not been brought back.", gauge, func(s EdgeState) float64 { return float64(s.PaceOwed) }),
		g("refetched_total", "Objects that were asked for again after a paced invalidation, before a viewer did.", counter, func(s EdgeState) float64 { return float64(s.Refetched) }),
		g("compress_bytes", "Octets that compressors hold.", gauge, func(s EdgeState) float64 { return float64(s.CompressBytes) }),
		g("compressed_total", "Bodies compressed here.", counter, func(s EdgeState) float64 { return float64(s.Compressed) }),
		g("uncompressed_total", "Bodies that went out as they were because compressors held all they may.", counter, func(s EdgeState) float64 { return float64(s.Uncompressed) }),
	}
}()

var edgeInfo = prometheus.NewDesc("warmfront_edge_info", "Always 1; says where an edge is.", []string{"edge", "location"}, nil)

var edgeConnections = prometheus.NewDesc("warmfront_viewer_connections", "Connections of viewers that are open, by version of HTTP.", []string{"edge", "protocol"}, nil)

func (c *edgeCollector) Describe(out chan<- *prometheus.Desc) {
	out <- edgeInfo
	out <- edgeConnections
	for _, g := range edgeGauges {
		out <- g.desc
	}
}

func (c *edgeCollector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	sources := append([]edgeSource(nil), c.sources...)
	c.mu.Unlock()
	for _, src := range sources {
		out <- prometheus.MustNewConstMetric(edgeInfo, prometheus.GaugeValue, 1, src.name, src.location)
		s := src.state()
		for i, n := range s.Connections {
			out <- prometheus.MustNewConstMetric(edgeConnections, prometheus.GaugeValue, float64(n), src.name, protocols[i])
		}
		for _, g := range edgeGauges {
			out <- prometheus.MustNewConstMetric(g.desc, g.kind, g.value(s), src.name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func lag(s EdgeState) float64 {
	if s.Head <= s.Applied {
		return 0
	}
	return float64(s.Head - s.Applied)
}
