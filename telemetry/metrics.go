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
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

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

	requests  *requests
	origin    *prometheus.HistogramVec
	failures  *prometheus.CounterVec
	shakes    *prometheus.CounterVec
	created   *prometheus.CounterVec
	completed *prometheus.HistogramVec
	edges     edgeCollector

	distributions, reasonNames, failureNames, shakeNames bound
}

// MaxDistributions is how many distributions have series of their own.
const MaxDistributions = 500

var (
	originBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	completedBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
)

// New returns empty metrics, with those of the Go runtime and the process.
func New() *Metrics {
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		requests:      newRequests(),
		origin:        histogram("origin_latency_seconds", "From asking an origin to the head of its answer.", originBuckets, "edge", "distribution"),
		failures:      counter("origin_failures_total", "Failures of origins that viewers met, by kind.", "edge", "kind"),
		shakes:        counter("tls_handshake_failures_total", "TLS handshakes of viewers that failed, by transport (tcp, quic) and reason.", "edge", "transport", "reason"),
		created:       counter("invalidations_total", "Invalidations accepted.", "distribution"),
		completed:     histogram("invalidation_completion_seconds", "From accepted to Completed on every edge.", completedBuckets, "distribution"),
		distributions: bound{max: MaxDistributions},
		reasonNames:   bound{max: 64},
		failureNames:  bound{max: 16},
		shakeNames:    bound{max: 16},
	}
	m.registry.MustRegister(m.requests, m.origin, m.failures, m.shakes, m.created, m.completed, &m.edges,
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

// ObserveFetch counts a question to an origin.
func (m *Metrics) ObserveFetch(f Fetch) {
	distribution, _ := m.distribution(f.Distribution)
	m.origin.WithLabelValues(f.Edge, distribution).Observe(f.FirstByte.Seconds())
	if f.Failure != "" {
		kind, _ := m.failureNames.label(f.Failure)
		m.failures.WithLabelValues(f.Edge, kind).Inc()
	}
}

// HandshakeFailed counts a viewer's TLS handshake that failed, over QUIC or TCP.
func (m *Metrics) HandshakeFailed(edge string, quic bool, reason string) {
	transport := "tcp"
	if quic {
		transport = "quic"
	}
	why, _ := m.shakeNames.label(reason)
	m.shakes.WithLabelValues(edge, transport, why).Inc()
}

// CountDropped has the scrape ask how many lines the access log has dropped. It is called once.
func (m *Metrics) CountDropped(lines func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "warmfront", Name: "access_log_dropped_total", Help: "Lines of the access log that were dropped.",
	}, func() float64 { return float64(lines()) }))
}

// Ends tells when a certificate of this node ends: "edge" or "relay", by which it is known to the control plane, or "authority". It is called
// once for each.
func (m *Metrics) Ends(certificate string, at func() time.Time) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "warmfront", Name: "certificate_expires_timestamp_seconds", Help: "When a certificate between edges and control plane ends.",
		ConstLabels: prometheus.Labels{"certificate": certificate},
	}, func() float64 { return float64(at().Unix()) }))
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
