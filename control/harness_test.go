package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// harness is a control plane on a log in memory, with edges that only acknowledge. It lives in a
// synctest bubble: time stands still until everybody waits.
type harness struct {
	*Control
	t    *testing.T
	log  *memory.Log
	stop func() // ends Run and waits for it
	ran  error  // what Run returned
}

var someone = journal.Actor{User: "ops", AccessKey: "AKID", Address: "127.0.0.1"}

// start runs a control plane on log until the test ends or stop.
func start(t *testing.T, log *memory.Log, limits Limits) *harness {
	t.Helper()
	return startAs(t, log, log, limits)
}

// startAs is the same, with something before the log.
func startAs(t *testing.T, log *memory.Log, as journal.Log, limits Limits) *harness {
	t.Helper()
	began := time.Now()
	c, err := New(Config{Log: as, Limits: limits, AccountID: "123456789012",
		Clock: func() time.Duration { return time.Since(began) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h := &harness{Control: c, t: t, log: log}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ran = c.Run(ctx)
	}()
	h.stop = sync.OnceFunc(func() { cancel(); <-done })
	<-c.Ready()
	synctest.Wait()
	return h
}

// bubble runs test in a synctest bubble on a fresh log.
func bubble(t *testing.T, test func(t *testing.T, h *harness)) { bubbleLimits(t, Limits{}, test) }

func bubbleLimits(t *testing.T, limits Limits, test func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, memory.New(), limits)
		defer h.stop()
		test(t, h)
		h.checkReplay()
	})
}

// fakeEdge is an edge that acknowledges what it is told to.
type fakeEdge struct {
	h    *harness
	name string
	inc  string
}

func (h *harness) join(name string) *fakeEdge {
	h.t.Helper()
	e := &fakeEdge{h: h, name: name, inc: string(journal.NewID())}
	seq, err := h.Join(h.t.Context(), journal.EdgeJoined{Edge: name, Location: name[:3], Incarnation: e.inc})
	if err != nil {
		h.t.Fatal(err)
	}
	e.ack(seq)
	return e
}

func (e *fakeEdge) ack(seq uint64) {
	e.h.t.Helper()
	entries, err := e.h.log.Read(e.h.t.Context(), seq, 1)
	if err != nil || len(entries) != 1 {
		e.h.t.Fatal(entries, err)
	}
	err = e.h.log.Ack(e.h.t.Context(), journal.Ack{Edge: e.name, Incarnation: e.inc, Epoch: entries[0].Epoch, Seq: seq, ID: entries[0].ID, At: time.Now()})
	if err != nil {
		e.h.t.Fatal(err)
	}
	synctest.Wait()
}

func (e *fakeEdge) ackAll() { e.h.t.Helper(); e.ack(e.h.log.Last()) }

func (e *fakeEdge) leave() {
	e.h.t.Helper()
	if err := e.h.Leave(e.h.t.Context(), journal.EdgeLeft{Edge: e.name, Incarnation: e.inc}); err != nil {
		e.h.t.Fatal(err)
	}
	synctest.Wait()
}

// The commands, for tests in which they must succeed. None returns before all is quiet again.

func (h *harness) create(reference string, change ...func(*wire.DistributionConfig)) *Distribution {
	h.t.Helper()
	return h.createTagged(reference, nil, change...)
}

func (h *harness) createTagged(reference string, tags map[string]string, change ...func(*wire.DistributionConfig)) *Distribution {
	h.t.Helper()
	d, err := h.CreateDistribution(h.t.Context(), someone, config(reference, change...), tags)
	if err != nil {
		h.t.Fatalf("create %s: %v", reference, err)
	}
	synctest.Wait()
	return d
}

func (h *harness) update(d *Distribution, change ...func(*wire.DistributionConfig)) *Distribution {
	h.t.Helper()
	d, err := h.UpdateDistribution(h.t.Context(), someone, d.ID, d.ETag, changed(d.Config, change...))
	if err != nil {
		h.t.Fatalf("update: %v", err)
	}
	synctest.Wait()
	return d
}

func (h *harness) invalidate(d *Distribution, reference string, items ...string) *Invalidation {
	h.t.Helper()
	inv, _, err := h.CreateInvalidation(h.t.Context(), someone, d.ID, batch(reference, items...))
	if err != nil {
		h.t.Fatalf("invalidate %v: %v", items, err)
	}
	synctest.Wait()
	return inv
}

// status reads what a viewer would be told now.
func (h *harness) status(v any) string {
	h.t.Helper()
	switch v := v.(type) {
	case *Distribution:
		d, err := h.Distribution(v.ID)
		if err != nil {
			return code(err)
		}
		return d.Status
	case *Invalidation:
		inv, err := h.Invalidation(v.DistributionID, v.ID)
		if err != nil {
			return code(err)
		}
		return inv.Status
	}
	panic("no status")
}

func (h *harness) wantStatus(v any, want string) {
	h.t.Helper()
	if got := h.status(v); got != want {
		h.t.Errorf("status of %T is %s, want %s", v, got, want)
	}
}

// facts says in short what the entries after seq hold, an entry a line.
func (h *harness) facts(after uint64) string {
	h.t.Helper()
	entries, err := h.log.Read(h.t.Context(), after+1, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var lines []string
	for _, e := range entries {
		var words []string
		for _, f := range e.Facts {
			words = append(words, factName(f))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

// withoutCompletions leaves out the entries that declare Completed: when they come is the tracker's affair.
func withoutCompletions(facts string) string {
	lines := slices.DeleteFunc(strings.Split(facts, "\n"), func(l string) bool { return strings.HasPrefix(l, "Completed(") })
	return strings.Join(lines, "\n")
}

func factName(f journal.Fact) string {
	switch {
	case f.DistributionPut != nil:
		return "DistributionPut"
	case f.DistributionDeleted != nil:
		return "DistributionDeleted"
	case f.Invalidated != nil:
		return "Invalidated" + fmt.Sprint(f.Invalidated.Items)
	case f.Scheduled != nil:
		return "Scheduled" + fmt.Sprint(f.Scheduled.Items)
	case f.Withdrawn != nil:
		return "Withdrawn"
	case f.Forgotten != nil:
		return "Forgotten"
	case f.EdgeInvited != nil:
		return "EdgeInvited"
	case f.EdgeAdmitted != nil:
		return "EdgeAdmitted"
	case f.EdgeRemoved != nil:
		return "EdgeRemoved"
	case f.CachePolicyPut != nil:
		return "CachePolicyPut"
	case f.CachePolicyDeleted != nil:
		return "CachePolicyDeleted"
	case f.OriginRequestPolicyPut != nil:
		return "OriginRequestPolicyPut"
	case f.OriginRequestPolicyDeleted != nil:
		return "OriginRequestPolicyDeleted"
	case f.PlacePut != nil:
		return "PlacePut"
	case f.PlaceDeleted != nil:
		return "PlaceDeleted"
	case f.EdgeJoined != nil:
		return "EdgeJoined"
	case f.EdgeLeft != nil:
		return "EdgeLeft"
	case f.Completed != nil:
		return fmt.Sprintf("Completed(%d)", f.Completed.UpTo)
	case f.Tick != nil:
		return "Tick"
	}
	return "unknown"
}

// checkReplay folds the log anew, as a restart does, and compares.
func (h *harness) checkReplay() {
	h.t.Helper()
	synctest.Wait() // what follows from the last command may still be on its way
	replayed := newState(h.cfg.Limits)
	entries, err := h.log.Read(h.t.Context(), 1, 1<<20)
	if err != nil {
		return // the test has closed or broken the log
	}
	for _, e := range entries {
		replayed.apply(e)
	}
	if live := dump(h.state); live != dump(replayed) {
		h.t.Errorf("replay differs from live:\nlive     %s\nreplayed %s", live, dump(replayed))
	}
}

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// config is a small valid config.
func config(reference string, change ...func(*wire.DistributionConfig)) *wire.DistributionConfig {
	c := &wire.DistributionConfig{
		CallerReference: &reference,
		Comment:         wire.Ptr(""),
		Enabled:         wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{
			Id: wire.Ptr("o"), DomainName: wire.Ptr("origin.example.com"),
			CustomOriginConfig: &wire.CustomOriginConfig{
				HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only"),
			},
		}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{
			TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"), CachePolicyId: wire.Ptr(cachingOptimized),
		},
	}
	return changed(c, change...)
}

const (
	cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	allViewer        = "216adef6-5c7f-47e4-b989-5492eafa07d3"
)

func changed(c *wire.DistributionConfig, change ...func(*wire.DistributionConfig)) *wire.DistributionConfig {
	c = clone(c)
	for _, f := range change {
		f(c)
	}
	return c
}

func disabled(c *wire.DistributionConfig) { c.Enabled = wire.Ptr(false) }

func comment(text string) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { c.Comment = &text }
}

func aliases(names ...string) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) {
		c.Aliases = &wire.Aliases{Quantity: wire.Ptr(int64(len(names))), Items: names}
		c.ViewerCertificate = nil
	}
}

func cachePolicy(id string) func(*wire.DistributionConfig) {
	return func(c *wire.DistributionConfig) { c.DefaultCacheBehavior.CachePolicyId = &id }
}

func batch(reference string, items ...string) *wire.InvalidationBatch {
	return &wire.InvalidationBatch{CallerReference: &reference, Paths: &wire.Paths{Quantity: wire.Ptr(int64(len(items))), Items: items}}
}

func cachePolicyConfig(name string, maxTTL int64) *wire.CachePolicyConfig {
	return &wire.CachePolicyConfig{Name: &name, MinTTL: wire.Ptr[int64](0), DefaultTTL: wire.Ptr[int64](1), MaxTTL: &maxTTL,
		ParametersInCacheKeyAndForwardedToOrigin: &wire.ParametersInCacheKeyAndForwardedToOrigin{
			EnableAcceptEncodingGzip: wire.Ptr(true),
			HeadersConfig:            &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("none")},
			CookiesConfig:            &wire.CachePolicyCookiesConfig{CookieBehavior: wire.Ptr("none")},
			QueryStringsConfig:       &wire.CachePolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr("none")},
		}}
}

func originRequestPolicyConfig(name string) *wire.OriginRequestPolicyConfig {
	return &wire.OriginRequestPolicyConfig{Name: &name,
		HeadersConfig:      &wire.OriginRequestPolicyHeadersConfig{HeaderBehavior: wire.Ptr("none")},
		CookiesConfig:      &wire.OriginRequestPolicyCookiesConfig{CookieBehavior: wire.Ptr("none")},
		QueryStringsConfig: &wire.OriginRequestPolicyQueryStringsConfig{QueryStringBehavior: wire.Ptr("all")},
	}
}
