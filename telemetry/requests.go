package telemetry

import (
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmfront/warmfront/internal/message"
)

// Request is one answered request of a viewer, as metrics and the access log need it. Result is the
// first word of X-Cache ("Hit", "RefreshHit", "Miss", "Error", ...), Reason the edge's name for why.
type Request struct {
	Head         *message.Request // as the viewer sent it
	Stripe       uint32           // of internal/stripe: requests of one core have the same
	Time         time.Time        // when the request was complete
	Edge         string           // the node's name
	Location     string           // X-Amz-Cf-Pop
	Distribution string           // its id; "": the host is no distribution's
	Domain       string           // of the distribution
	Behavior     string           // its path pattern
	Status       int              // 0: the viewer left before there was one
	Result       string
	Reason       string
	Origin       string // id of the origin that was asked; "": none
	BytesOut     int64  // of the body
	FirstByte    time.Duration
	Duration     time.Duration
	ID           string // X-Amz-Cf-Id
	ContentType  string
	Aborted      bool // the body was cut
}

// requests counts answers. Each is counted in one series, by everything that any metric tells apart, with
// three additions on cache lines that other cores do not use; the metrics are added up at the scrape.
type requests struct {
	series atomic.Pointer[map[key]*counted] // copied on growth; read without a lock on every request

	mu       sync.Mutex          // held while either map grows, and for a scrape
	byLabels map[labels]*counted // all of them

	total, bytes, duration, reasons, protocols *prometheus.Desc
}

// key is what requests say of themselves, labels what the metrics say of them.
type (
	key struct {
		edge, distribution, result, reason string
		class                              int
		major                              int // of the version of HTTP
	}
	labels key
)

// counted is one series.
type counted struct{ stripes []countedStripe }

// countedStripe is what the requests of a core add to.
type countedStripe struct {
	buckets [len(requestBuckets) + 1]atomic.Uint64 // by duration; their sum is the number of requests
	bytes   atomic.Uint64
	nanos   atomic.Uint64 // durations
	_       [5]uint64     // three lines in all, and none of another's
}

// protocols are the versions of HTTP by the first digit.
var protocols = [...]string{"http1", "http2", "http3"}

// requestBuckets are upper bounds of durations in seconds.
var requestBuckets = [...]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}

// maxCountedStripes bounds what a series takes: 1.5 KiB.
const maxCountedStripes = 8

func newRequests() *requests {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("warmfront_"+name, help, labels, nil)
	}
	r := &requests{
		total:     desc("requests_total", "Answers to viewers, by CloudFront's result type and status class.", "edge", "distribution", "result", "class"),
		bytes:     desc("response_bytes_total", "Octets of bodies sent to viewers.", "edge", "distribution"),
		duration:  desc("request_duration_seconds", "From the complete request to the last octet handed to the socket.", "edge", "result"),
		reasons:   desc("request_reasons_total", "Answers to viewers, by the edge's reason.", "edge", "reason"),
		protocols: desc("request_protocols_total", "Answers to viewers, by version of HTTP.", "edge", "protocol"),
	}
	r.series.Store(&map[key]*counted{})
	r.byLabels = map[labels]*counted{}
	return r
}

// ObserveRequest counts an answered request. It does not keep r and, but for the first of its kind,
// does not allocate.
func (m *Metrics) ObserveRequest(r *Request) {
	k := key{r.Edge, r.Distribution, r.Result, r.Reason, r.Status / 100, r.Head.Major}
	c := (*m.requests.series.Load())[k]
	if c == nil {
		c = m.seriesFor(k)
	}
	s := &c.stripes[r.Stripe%uint32(len(c.stripes))]
	s.buckets[bucketOf(r.Duration)].Add(1)
	s.bytes.Add(uint64(max(r.BytesOut, 0)))
	s.nanos.Add(uint64(max(r.Duration, 0)))
}

func bucketOf(d time.Duration) int {
	seconds := d.Seconds()
	for i, bound := range requestBuckets {
		if seconds <= bound {
			return i
		}
	}
	return len(requestBuckets)
}

// seriesFor returns the series of k, and remembers it unless one of k's names is beyond its bound: then the
// map would have no bound either.
func (m *Metrics) seriesFor(k key) *counted {
	l := labels(k)
	var bounded, known, named bool
	l.distribution, bounded = m.distribution(k.distribution)
	if l.result, known = results[k.result]; !known {
		l.result = other
	}
	l.reason, named = m.reasonNames.label(k.reason)
	if k.class < 1 || k.class > 5 {
		l.class = 0
	}
	l.major = min(max(l.major, 1), len(protocols))
	q := m.requests
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.byLabels[l]
	if c == nil {
		c = newCounted()
		q.byLabels[l] = c
	}
	if bounded && known && named {
		grown := maps.Clone(*q.series.Load())
		grown[k] = c
		q.series.Store(&grown)
	}
	return c
}

// newCounted has a stripe for each core.
func newCounted() *counted {
	n := 1
	for n < runtime.GOMAXPROCS(0) && n < maxCountedStripes {
		n *= 2
	}
	return &counted{make([]countedStripe, n)}
}

// Describe implements prometheus.Collector.
func (q *requests) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.total, q.bytes, q.duration, q.reasons, q.protocols} {
		out <- d
	}
}

// times is a histogram added up.
type times struct {
	buckets [len(requestBuckets) + 1]uint64
	nanos   uint64
}

func (t *times) add(o *times) {
	for i := range t.buckets {
		t.buckets[i] += o.buckets[i]
	}
	t.nanos += o.nanos
}

func (t *times) count() (n uint64) {
	for _, b := range t.buckets {
		n += b
	}
	return n
}

// read adds the stripes up.
func (c *counted) read() (t times, bytes uint64) {
	for i := range c.stripes {
		s := &c.stripes[i]
		for j := range t.buckets {
			t.buckets[j] += s.buckets[j].Load()
		}
		t.nanos += s.nanos.Load()
		bytes += s.bytes.Load()
	}
	return t, bytes
}

// Collect implements prometheus.Collector.
func (q *requests) Collect(out chan<- prometheus.Metric) {
	type pair struct{ edge, name string }
	type answers struct{ edge, distribution, result, class string }
	total, duration := map[answers]uint64{}, map[pair]*times{}
	bytes, reasons, versions := map[pair]uint64{}, map[pair]uint64{}, map[pair]uint64{}
	q.mu.Lock()
	for l, c := range q.byLabels {
		t, octets := c.read()
		n := t.count()
		total[answers{l.edge, l.distribution, l.result, class(l.class)}] += n
		bytes[pair{l.edge, l.distribution}] += octets
		reasons[pair{l.edge, l.reason}] += n
		versions[pair{l.edge, protocols[l.major-1]}] += n
		if d := duration[pair{l.edge, l.result}]; d != nil {
			d.add(&t)
		} else {
			duration[pair{l.edge, l.result}] = &t
		}
	}
	q.mu.Unlock()
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for l, n := range total {
		count(q.total, n, l.edge, l.distribution, l.result, l.class)
	}
	for l, n := range bytes {
		count(q.bytes, n, l.edge, l.name)
	}
	for l, n := range reasons {
		count(q.reasons, n, l.edge, l.name)
	}
	for l, n := range versions {
		count(q.protocols, n, l.edge, l.name)
	}
	for l, t := range duration {
		upTo, below := make(map[float64]uint64, len(requestBuckets)), uint64(0)
		for i, bound := range requestBuckets {
			below += t.buckets[i]
			upTo[bound] = below
		}
		out <- prometheus.MustNewConstHistogram(q.duration, t.count(), float64(t.nanos)/1e9, upTo, l.edge, l.name)
	}
}

// Traffic returns how many answers of an edge came from its cache, and how many could have, since the process started.
func (m *Metrics) Traffic(edge string) (hits, misses uint64) {
	q := m.requests
	q.mu.Lock()
	defer q.mu.Unlock()
	for l, c := range q.byLabels {
		if l.edge != edge {
			continue
		}
		switch t, _ := c.read(); l.result {
		case "Hit", "RefreshHit":
			hits += t.count()
		case "Miss":
			misses += t.count()
		}
	}
	return hits, misses
}
