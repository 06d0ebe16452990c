package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

// world is an edge with everything around it, in a bubble of virtual time.
type world struct {
	t      *testing.T
	log    *journalmemory.Log
	writer *journal.Writer
	store  *memory.Store
	origin *testOrigin
	edge   *Edge
	config Config

	mu    sync.Mutex
	seen  []Exchange
	acked uint64
	stop  func()
	file  *disktest.File // below Config.Disk

	before func()       // called between New and Run
	onAck  func(uint64) // called with what is acknowledged, with mu
}

// unswept keeps the sweeper from getting there first: objects stay until they are asked for.
func unswept(w *world) { w.before = func() { w.edge.sweeper.due = nil } }

const host = "d1.localhost"

// story runs f with an edge that has the usual distribution and is ready.
func story(t *testing.T, f func(w *world), options ...func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options...)
		w.configure(nil)
		w.start()
		defer func() { w.stop() }()
		if err := w.edge.Ready(); err != nil {
			t.Fatalf("not ready: %v", err)
		}
		f(w)
	})
}

func newWorld(t *testing.T, options ...func(*world)) *world {
	w := &world{t: t, log: journalmemory.New(), origin: newTestOrigin()}
	w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log, Apply: func(*journal.Entry) {}})
	var err error
	if w.store, err = memory.New(memory.Config{Capacity: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.config = Config{
		Name: "FRA50-1", Location: "FRA50-P1", Log: w.log, Store: w.store, Origin: w.origin,
		Join: func(ctx context.Context, j journal.EdgeJoined) error {
			_, err := w.writer.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{EdgeJoined: &j}}, nil })
			return err
		},
		Leave: func(ctx context.Context, l journal.EdgeLeft) error {
			_, err := w.writer.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{EdgeLeft: &l}}, nil })
			return err
		},
		Clock: func() time.Duration { return time.Since(began) },
		Observe: func(x *Exchange) {
			w.mu.Lock()
			w.seen = append(w.seen, *x)
			w.mu.Unlock()
		},
	}
	for _, o := range options {
		o(w)
	}
	return w
}

// start runs writer and edge and returns when everything has settled.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.edge, err = New(w.config); err != nil {
		w.t.Fatal(err)
	}
	if w.before != nil {
		w.before()
	}
	stopProbes, err := w.log.ServeProbes(func(ctx context.Context) (uint64, error) { return w.writer.Tick(ctx) })
	if err != nil {
		w.t.Fatal(err)
	}
	stopAcks, _ := w.log.Acks(func(a journal.Ack) {
		if a.Edge != w.config.Name {
			return
		}
		w.mu.Lock()
		w.acked = max(w.acked, a.Seq)
		if w.onAck != nil {
			w.onAck(w.acked)
		}
		w.mu.Unlock()
	})
	ctx, cancel := context.WithCancel(context.Background())
	var g sync.WaitGroup
	g.Go(func() { w.edge.Run(ctx) })
	w.stop = func() {
		cancel()
		g.Wait()
		stopProbes()
		stopAcks()
	}
	time.Sleep(200 * time.Millisecond) // virtual: joined, probed, applied
	synctest.Wait()
}

// commit appends facts and waits until the edge has applied them, or everything is at rest.
func (w *world) commit(facts ...journal.Fact) uint64 {
	w.t.Helper()
	e, err := w.writer.Commit(context.Background(), func() ([]journal.Fact, error) { return facts, nil })
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return e.Seq
}

func (w *world) invalidate(items ...string) uint64 {
	w.t.Helper()
	return w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I" + items[0], Items: items}})
}

// configure puts the usual distribution, changed by f.
func (w *world) configure(f func(*journal.DistributionPut)) uint64 {
	w.t.Helper()
	put := usual()
	if f != nil {
		f(put)
	}
	distribution.FillDefaults(put.Config)
	return w.commit(journal.Fact{DistributionPut: put})
}

// usual is a distribution with one origin and one behavior that caches by query string.
func usual() *journal.DistributionPut {
	p := wire.Ptr[string]
	return &journal.DistributionPut{
		ID: "D1", DomainName: host,
		Config: &wire.DistributionConfig{
			CallerReference: p("x"), Comment: p(""), Enabled: wire.Ptr(true), DefaultRootObject: p("index.html"),
			Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
				Id: p("o"), DomainName: p("origin.test"),
				CustomOriginConfig: &wire.CustomOriginConfig{
					HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: p("http-only"),
				},
			}}},
			DefaultCacheBehavior: &wire.DefaultCacheBehavior{
				TargetOriginId: p("o"), ViewerProtocolPolicy: p("allow-all"), CachePolicyId: p("policy"),
			},
			CacheTagConfig: &wire.CacheTagConfig{HeaderName: p("Cache-Tag")},
		},
		CachePolicies: map[string]*wire.CachePolicyConfig{
			"policy":   policy(0, 3600, "all", "none"),
			"cookies":  policy(0, 3600, "all", "all"),
			"minimum":  policy(60, 3600, "none", "none"),
			"uncached": policy(0, 0, "none", "none"),
		},
	}
}

func policy(minTTL, defaultTTL int64, query, cookies string) *wire.CachePolicyConfig {
	p := wire.Ptr[string]
	maxTTL := max(defaultTTL, 86400)
	if defaultTTL == 0 {
		maxTTL = 0
	}
	return &wire.CachePolicyConfig{
		Name: p("policy"), MinTTL: &minTTL, DefaultTTL: &defaultTTL, MaxTTL: &maxTTL,
		ParametersInCacheKeyAndForwardedToOrigin: &wire.ParametersInCacheKeyAndForwardedToOrigin{
			EnableAcceptEncodingGzip: wire.Ptr(defaultTTL > 0), EnableAcceptEncodingBrotli: wire.Ptr(false),
			HeadersConfig:      &wire.CachePolicyHeadersConfig{HeaderBehavior: p("none")},
			CookiesConfig:      &wire.CachePolicyCookiesConfig{CookieBehavior: &cookies},
			QueryStringsConfig: &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: &query},
		},
	}
}

// viewer is a ResponseWriter that keeps what it gets. Its zero value takes everything at once.
type viewer struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when the request is over

	holdHead chan struct{} // Flush of the head waits for it; nil: does not
	holdBody chan struct{} // Writes after the head wait for it

	mu      sync.Mutex
	status  int
	fields  message.Fields
	length  int64
	body    bytes.Buffer
	flushed bool
	along   string // what of the body came with the head
	aborted bool
}

func (v *viewer) Begin(status int, f message.Fields, length int64) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.status != 0 {
		return errors.New("begun twice")
	}
	v.status, v.fields, v.length = status, f.Clone(), length
	return nil
}

func (v *viewer) Write(p []byte) (int, error) {
	if v.flushed && v.holdBody != nil {
		<-v.holdBody
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.body.Write(p)
}

func (v *viewer) Flush() error {
	if v.holdHead != nil {
		<-v.holdHead
	}
	if !v.flushed {
		v.flushed, v.along = true, v.text()
	}
	return nil
}

func (v *viewer) Abort() { v.aborted = true }

// text is what has arrived by now.
func (v *viewer) text() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.body.String()
}

func (v *viewer) xcache() string { return v.fields.Get("X-Cache") }

// request parses "[METHOD] /path?query" and lines "Name: value"; a line "body" gives it a body.
func request(line string, lines ...string) *httpserver.Request {
	r := &httpserver.Request{Body: strings.NewReader("")}
	r.Method, r.Scheme, r.Host, r.Major, r.Minor = "GET", "http", host, 1, 1
	r.Remote = netip.MustParseAddrPort("192.0.2.1:4711")
	if m, rest, ok := strings.Cut(line, " "); ok {
		r.Method, line = m, rest
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(line, "?")
	for _, l := range lines {
		name, value, ok := strings.Cut(l, ": ")
		switch {
		case !ok:
			r.Body, r.ContentLength = strings.NewReader(l), int64(len(l))
		case name == "Host":
			r.Host = value
		case name == "Scheme":
			r.Scheme = value
		case name == "ServerName":
			r.ServerName = value
		default:
			r.Fields.Add(name, value)
		}
	}
	r.Fields.Add("Host", r.Host)
	return r
}

// ask begins a request and returns when everything is at rest: it may or may not be over.
func (w *world) ask(line string, lines ...string) *viewer {
	v := &viewer{}
	return w.askAs(v, line, lines...)
}

func (w *world) askAs(v *viewer, line string, lines ...string) *viewer {
	v.done = make(chan struct{})
	v.ctx, v.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(v.done)
		defer v.cancel()
		w.edge.Serve(v.ctx, v, request(line, lines...))
	}()
	synctest.Wait()
	return v
}

// get is a request that must be answered without further doing.
func (w *world) get(line string, lines ...string) *viewer {
	w.t.Helper()
	v := w.ask(line, lines...)
	if !v.over() {
		w.t.Fatalf("%s: not answered", line)
	}
	return v
}

// key is the cache key of a path.
func (w *world) key(path string) string {
	x := w.edge.snap.Load().sites.of("D1")
	return string(x.Behavior(path).AppendKey(nil, x.Distribution, &request(path).Request))
}

// object is what is stored for a path, or nil; with 'p' its part.
func (w *world) object(path string, kind ...byte) *cache.Object {
	return w.store.Peek(append([]byte(w.key(path)), kind...))
}

// flightFor is a flight as a request for path would prepare it now: pinned, but not registered.
func (w *world) flightFor(path string) *flight {
	s := w.edge.snap.Load()
	q := &query{snap: s, site: s.sites.of("D1"), path: path, req: &request(path).Request}
	q.behavior = q.site.Behavior(path)
	q.key = q.behavior.AppendKey(nil, q.site.Distribution, q.req)
	return (&visit{e: w.edge}).flight(q)
}

// gated lets r answer only when the gate is closed.
func gated(r *reply) (*reply, chan struct{}) {
	r.head = make(chan struct{})
	return r, r.head
}

func (v *viewer) over() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// expect gets and compares "status X-Cache-word body", e.g. "200 Hit v1".
func (w *world) expect(want, line string, lines ...string) *viewer {
	w.t.Helper()
	v := w.get(line, lines...)
	v.is(w.t, want)
	return v
}

// is compares as expect does, when everything is at rest.
func (v *viewer) is(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	word, _, _ := strings.Cut(v.xcache(), " ")
	body := v.text()
	if strings.Contains(body, "Generated by cloudfront") {
		body = "page"
	}
	if got := strings.TrimSpace(fmt.Sprintf("%d %s %s", v.status, word, body)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// last is what has been told of last.
func (w *world) last() Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[len(w.seen)-1]
}

func (w *world) why() string {
	x := w.last()
	return x.Outcome.String() + " " + x.Reason.String()
}

func (w *world) wantWhy(want string) {
	w.t.Helper()
	if got := w.why(); got != want {
		w.t.Errorf("outcome and reason: %q, want %q", got, want)
	}
}

func (w *world) ackedUpTo() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked
}

// settle lets virtual time pass.
func (w *world) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
