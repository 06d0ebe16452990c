// Package telemetry knows what to tell those who watch: Prometheus metrics, health and readiness,
// profiles, the access log. It adapts: other packages know nothing of it, node hands it their events
// and their counters.
//
// Every label has a bound (law L9). Names of results come from CloudFront's table, distributions are
// counted up to a limit, and what is beyond is counted under "other", so that no traffic and no number
// of distributions can make a scrape grow without end.
package telemetry

import (
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Request is one answered request of a viewer, as metrics and the access log need it. Result is the
// first word of X-Cache ("Hit", "RefreshHit", "Miss", "Error", ...), Reason the edge's name for why.
type Request struct {
	Time         time.Time // when the request was complete
	Edge         string    // the node's name
	Location     string    // X-Amz-Cf-Pop
	Distribution string    // its id; "": the host is no distribution's
	Remote       netip.AddrPort
	Method       string
	Scheme       string
	Host         string
	URI          string // path and query as sent
	Protocol     string // "HTTP/1.1"
	Status       int
	Result       string
	Reason       string
	BytesOut     int64 // of the body
	FirstByte    time.Duration
	Duration     time.Duration
	ID           string // X-Amz-Cf-Id
	UserAgent    string
	Referer      string
}

// Fetch is one question to an origin: a miss, a revalidation, one in the background.
type Fetch struct {
	Edge         string
	Distribution string
	Failure      string        // the origin error's kind; "" when it answered
	FirstByte    time.Duration // also of a failure: how long it took to fail
}

// Metrics holds all counters, in a registry of their own. It is made by New and may be used
// concurrently.
type Metrics struct {
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	bytesOut  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	reasons   *prometheus.CounterVec
	origin    *prometheus.HistogramVec
	failures  *prometheus.CounterVec
	created   *prometheus.CounterVec
	completed *prometheus.HistogramVec
	edges     edgeCollector

	distributions, reasonNames, failureNames bound

	mu     sync.Mutex                        // held while series grows
	series atomic.Pointer[map[key]*counters] // copied on growth; read without a lock on every request
}

// key names the series of a request; equal keys count into the same counters.
type key struct {
	edge, distribution, result, reason string
	class                              int
}

type counters struct {
	requests, bytesOut, reasons prometheus.Counter
	duration                    prometheus.Observer
}

// MaxDistributions is how many distributions have series of their own.
const MaxDistributions = 500

var (
	originBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	requestBuckets   = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}
	completedBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
)

// New returns empty metrics, with those of the Go runtime and the process.
func New() *Metrics {
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		requests:      counter("requests_total", "Answers to viewers, by CloudFront's result type and status class.", "edge", "distribution", "result", "class"),
		bytesOut:      counter("response_bytes_total", "Octets of bodies sent to viewers.", "edge", "distribution"),
		duration:      histogram("request_duration_seconds", "From the complete request to the last octet handed to the socket.", requestBuckets, "edge", "result"),
		reasons:       counter("request_reasons_total", "Answers to viewers, by the edge's reason.", "edge", "reason"),
		origin:        histogram("origin_latency_seconds", "From asking an origin to the head of its answer.", originBuckets, "edge", "distribution"),
		failures:      counter("origin_failures_total", "Failures of origins that viewers met, by kind.", "edge", "kind"),
		created:       counter("invalidations_total", "Invalidations accepted.", "distribution"),
		completed:     histogram("invalidation_completion_seconds", "From accepted to Completed on every edge.", completedBuckets, "distribution"),
		distributions: bound{max: MaxDistributions},
		reasonNames:   bound{max: 64},
		failureNames:  bound{max: 16},
	}
	m.series.Store(&map[key]*counters{})
	m.registry.MustRegister(m.requests, m.bytesOut, m.duration, m.reasons, m.origin, m.failures, m.created, m.completed, &m.edges,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "warmfront", Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "warmfront", Name: name, Help: help, Buckets: buckets}, labels)
}

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// ObserveRequest counts an answered request. It does not keep r and, but for the first of its kind,
// does not allocate.
func (m *Metrics) ObserveRequest(r *Request) {
	k := key{r.Edge, r.Distribution, r.Result, r.Reason, r.Status / 100}
	c := (*m.series.Load())[k]
	if c == nil {
		c = m.grow(k)
	}
	c.requests.Inc()
	c.reasons.Inc()
	c.bytesOut.Add(float64(max(r.BytesOut, 0)))
	c.duration.Observe(r.Duration.Seconds())
}

// grow makes the counters of k, and remembers them unless one of k's names is beyond its bound:
// then the map would have no bound either.
func (m *Metrics) grow(k key) *counters {
	distribution, bounded := m.distribution(k.distribution)
	result, known := results[k.result], true
	if result == "" {
		result, known = other, false
	}
	reason, named := m.reasonNames.label(k.reason)
	c := &counters{
		requests: m.requests.WithLabelValues(k.edge, distribution, result, class(k.class)),
		bytesOut: m.bytesOut.WithLabelValues(k.edge, distribution),
		duration: m.duration.WithLabelValues(k.edge, result),
		reasons:  m.reasons.WithLabelValues(k.edge, reason),
	}
	if !bounded || !known || !named {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old := *m.series.Load()
	grown := make(map[key]*counters, len(old)+1)
	for k, c := range old {
		grown[k] = c
	}
	grown[k] = c
	m.series.Store(&grown)
	return c
}

// ObserveFetch counts a question to an origin.
func (m *Metrics) ObserveFetch(f Fetch) {
	distribution, _ := m.distribution(f.Distribution)
	m.origin.WithLabelValues(f.Edge, distribution).Observe(f.FirstByte.Seconds())
	if f.Failure != "" {
		kind, _ := m.failureNames.label(f.Failure)
		m.failures.WithLabelValues(f.Edge, kind).Inc()
	}
}

// InvalidationCreated counts an accepted invalidation.
func (m *Metrics) InvalidationCreated(distribution string) {
	d, _ := m.distribution(distribution)
	m.created.WithLabelValues(d).Inc()
}

// InvalidationCompleted notes how long an invalidation took.
func (m *Metrics) InvalidationCompleted(distribution string, after time.Duration) {
	d, _ := m.distribution(distribution)
	m.completed.WithLabelValues(d).Observe(after.Seconds())
}

func (m *Metrics) distribution(id string) (label string, bounded bool) {
	if id == "" {
		return "none", true
	}
	return m.distributions.label(id)
}
