package ownapi

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// house is a control plane, two real edges and this API, on a log in memory and in virtual time.
type house struct {
	*Handler
	t        *testing.T
	log      journal.Log
	control  *control.Control
	edges    []*edge.Edge
	access   *auth.Access
	sessions *auth.Sessions
	admin    auth.AccessKey
	ended    bool
}

var edgeNames = []string{"FRA50-P1", "IAD89-P2"}

func key(id string, role auth.Role) auth.AccessKey {
	return auth.AccessKey{ID: id, Secret: "secret-of-" + id, User: "user." + string(role), Role: role, Created: time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)}
}

// keysOf has one key of each role.
var keysOf = map[auth.Role]auth.AccessKey{
	auth.Viewer:        key("VIEWERKEY", auth.Viewer),
	auth.Invalidator:   key("INVALIDATORKEY", auth.Invalidator),
	auth.Administrator: key("ADMINISTRATORKEY", auth.Administrator),
}

// at runs test in a house.
func at(t *testing.T, test func(h *house)) {
	t.Helper()
	on(t, func() journal.Log { return journalmemory.New() }, test)
}

// on is at, with a log of the test's.
func on(t *testing.T, log func() journal.Log, test func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, log(), edgeNames)
		ctx, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { h.control.Run(ctx) })
		<-h.control.Ready()
		for _, e := range h.edges {
			all.Go(func() { e.Run(ctx) })
		}
		all.Go(func() { h.Run(ctx) })
		h.settle(time.Second)
		test(h)
		stop()
		h.ended = true
		all.Wait()
	})
}

func open(t *testing.T, log journal.Log, names []string) *house {
	t.Helper()
	h := &house{t: t, log: log, admin: keysOf[auth.Administrator]}
	began := time.Now()
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	clock := func() time.Duration { return time.Since(began) }
	h.access, err = auth.NewAccess(make([]byte, 32))
	must()
	h.control, err = control.New(control.Config{Log: log, Clock: clock, Access: h.access})
	must()
	admin, err := h.access.NewUser("admin", "correct horse", auth.Administrator, time.Now())
	must()
	keys := []auth.AccessKey{keysOf[auth.Viewer], keysOf[auth.Invalidator], keysOf[auth.Administrator]}
	for _, r := range h.access.Import(keys, []*auth.User{admin}, func(string) bool { return false }) {
		err = h.access.Apply(r)
		must()
	}
	h.sessions = auth.NewSessions(h.access, sessionLog{h.control}, nil)
	cfg := Config{
		Control: h.control, Lookup: auth.Chain(h.access.Keys.Lookup, h.sessions.Lookup), Access: h.access, Meter: NewMeter(nil),
		Version: "v0.0.0-test", Suffix: "localhost", Demo: &Demo{URL: "http://127.0.0.1:8090", DistributionID: "EDEMO"},
	}
	for _, name := range names {
		e := h.newEdge(name, log, clock, cfg.Meter.Observe)
		h.edges = append(h.edges, e)
		cfg.Places = append(cfg.Places, Place{Name: name, Location: name, URL: "http://127.0.0.1:1", Edge: Local(e)})
	}
	h.Handler, err = New(cfg)
	must()
	return h
}

// sessionLog is auth.Log over a control plane.
type sessionLog struct{ *control.Control }

func (l sessionLog) Change(ctx context.Context, decide func() []auth.Record) error {
	return l.ChangeAccess(ctx, journal.Actor{}, "", "", func(func(string) bool) ([]auth.Record, error) { return decide(), nil })
}

func (h *house) newEdge(name string, log journal.Log, clock journal.Clock, observe func(*edge.Exchange)) *edge.Edge {
	h.t.Helper()
	store, err := memory.New(memory.Config{Capacity: 8 << 20})
	if err != nil {
		h.t.Fatal(err)
	}
	e, err := edge.New(edge.Config{
		Name: name, Location: name, Log: log, Store: store, Origin: echo{}, Clock: clock, Observe: observe,
		Join: func(ctx context.Context, j journal.EdgeJoined) error {
			_, err := h.control.Join(ctx, j)
			return err
		},
		Leave: h.control.Leave,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// echo is an origin that answers with the path, tagged with its first word.
type echo struct{}

func (echo) Fetch(_ context.Context, _ *distribution.Origin, r *origin.Request) (*origin.Response, error) {
	tag, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	return &origin.Response{
		Status: 200, Fields: message.Fields{{Name: "Content-Type", Value: "text/plain"}, {Name: "X-Tags", Value: tag}},
		Body: io.NopCloser(strings.NewReader(r.Path)), ContentLength: int64(len(r.Path)), FirstByte: 10 * time.Millisecond,
	}, nil
}

func (e echo) Upgrade(ctx context.Context, o *distribution.Origin, r *origin.Request) (*origin.Tunnel, *origin.Response, error) {
	resp, err := e.Fetch(ctx, o, r)
	return nil, resp, err
}

// settle lets virtual time pass.
func (h *house) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// create makes a distribution with a cache tag header.
func (h *house) create(tags map[string]string) *control.Distribution {
	h.t.Helper()
	d, err := h.control.CreateDistribution(h.t.Context(), journal.Actor{User: "ops", AccessKey: "AKIDOPS", Address: "192.0.2.9"}, &wire.DistributionConfig{
		CallerReference: wire.Ptr(string(journal.NewID())), Comment: wire.Ptr(""), Enabled: wire.Ptr(true), DefaultRootObject: wire.Ptr("index.html"),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{Id: wire.Ptr("o"), DomainName: wire.Ptr("origin.example.com"),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")}}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"),
			CachePolicyId: wire.Ptr("658327ea-f89d-4fab-a63d-7e88639e58f6")},
		CacheTagConfig: &wire.CacheTagConfig{HeaderName: wire.Ptr("x-tags")},
	}, tags)
	if err != nil {
		h.t.Fatal(err)
	}
	h.settle(time.Second)
	return d
}

func (h *house) invalidate(d *control.Distribution, items ...string) *control.Invalidation {
	h.t.Helper()
	inv, _, err := h.control.CreateInvalidation(h.t.Context(), journal.Actor{User: "ops", AccessKey: "AKIDOPS", Address: "192.0.2.9"}, d.ID,
		&wire.InvalidationBatch{CallerReference: wire.Ptr(string(journal.NewID())), Paths: &wire.Paths{Quantity: wire.Ptr(int64(len(items))), Items: items}})
	if err != nil {
		h.t.Fatal(err)
	}
	return inv
}

// view requests a path through one edge, as a viewer.
func (h *house) view(i int, d *control.Distribution, path string) string {
	h.t.Helper()
	r := &httpserver.Request{Body: strings.NewReader("")}
	r.Method, r.Scheme, r.Host, r.Major, r.Minor = "GET", "http", d.DomainName, 1, 1
	r.Remote = netip.MustParseAddrPort("192.0.2.1:4711")
	r.Path, r.Query, r.HasQuery = strings.Cut(path, "?")
	w := &viewer{}
	h.edges[i].Serve(h.t.Context(), w, r)
	synctest.Wait()
	word, _, _ := strings.Cut(w.fields.Get("X-Cache"), " ")
	return word
}

type viewer struct{ fields message.Fields }

func (v *viewer) Begin(_ int, f message.Fields, _ int64) error { v.fields = f.Clone(); return nil }
func (v *viewer) Write(p []byte) (int, error)                  { return len(p), nil }
func (v *viewer) Flush() error                                 { return nil }
func (v *viewer) Abort()                                       {}

// signed makes a request with a key's signature.
func signed(t *testing.T, key auth.AccessKey, token, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, Prefix+target, strings.NewReader(body))
	path, query, _ := strings.Cut(r.RequestURI, "?")
	sigv4.Signer{AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: token, Region: "us-east-1", Service: "cloudfront"}.Sign(
		&sigv4.Request{Method: method, Path: path, Query: query, Host: r.Host, Header: r.Header}, []byte(body), time.Now())
	return r
}

// do sends a request and holds the answer against openapi.json.
func (h *house) do(r *http.Request) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	checkAnswer(h.t, r, w)
	return w
}

// ask calls as the administrator and decodes the answer, whose status must be want.
func ask[T any](h *house, want int, method, target, body string) (v T) {
	h.t.Helper()
	w := h.do(signed(h.t, h.admin, "", method, target, body))
	if w.Code != want {
		h.t.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, want)
	}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			h.t.Fatalf("%s %s: %v: %s", method, target, err, w.Body)
		}
	}
	return v
}

// refused is the body of an error.
type refused struct{ Code, Message string }

func (h *house) wantRefusal(status int, code, method, target, body string) {
	h.t.Helper()
	if got := ask[refused](h, status, method, target, body); got.Code != code || got.Message == "" {
		h.t.Errorf("%s %s %s: %+v, want %s", method, target, body, got, code)
	}
}
