package edge

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
	"github.com/warmfront/warmfront/tier"
)

// Parents (L7). A fill may ask another edge before it asks the origin: the owner of its key in its own place, then that of each
// place above (tier). Which one has nothing to do with the promise; what is asked for has:
//
//   - T1. The question carries the fill's stamp as the least position: what answers must have been held against all rules up to
//     there; with that entry's ID, for after a loss the same journal may have another one under its number. And the revision of the configuration by which it was made, for by another one the same request may mean
//     something else. An edge that cannot read that one, and goes on by the one before, neither asks nor answers.
//   - T2 is the other edge's (child.go).
//   - T3. What comes is stored with the fill's own stamp, as if the origin had given it: all rules up to there have been
//     looked at by the one who answered, all above are known here. Its fetch began as long ago as that one says, before the
//     question was sent.
//
// What the other edge knows of the answer counts here as well: whether it may be stored, until when it is fresh, which tags it
// has. So an object is as old in every place as it is in the one that fetched it, and no tier adds to its life.
//
// Only what may be stored is asked for so. Without a lease, or before the first probe is answered, the origin is asked (S5); so it is by a
// fill that nobody shares, by one that asks for the rest of a part, and by the second question of one that takes long. Whoever does not answer is passed by. Of what
// a parent says of the origin only that counts which the origin has had to do with: it may be out of the parent's reach alone.

const (
	maxAsked = 3 // edges that are asked for one fill

	// headLimit is how long an edge may wait for its origin, or for another edge, before this one asks by itself: among edges
	// that do not know the same map for a moment, each may wait for the next.
	headLimit = 20 * time.Second
)

// Asker asks other edges: a *tier.Client.
type Asker interface {
	Ask(context.Context, tier.Edge, *tier.Ask) (*tier.Answer, error)
	Away(tier.Edge) bool // it would not be asked at the moment
}

// upstream counts.
type upstream struct {
	asked, answered, hits, refused, failed atomic.Uint64
}

// route lists whom to ask for a key, the nearest first; nil: the origin. through is whom the question has come through.
func (e *Edge) route(o *distribution.Origin, key []byte, through []string) []tier.Edge {
	m := e.snap.Load().tiers
	if e.cfg.Tier == nil || m.Alone(e.cfg.Name, e.cfg.Location) && o.Shield == "" {
		return nil
	}
	var all []tier.Edge
	add := func(place string, own bool) {
		for _, x := range m.Ranked(place, key) {
			if own && x.Name == e.cfg.Name {
				return // it is the owner itself, of those that answer
			}
			if !e.cfg.Tier.Away(x) && !slices.Contains(through, x.Name) {
				all = append(all, x)
				return
			}
		}
	}
	if len(through) == 0 {
		add(e.cfg.Location, true)
	}
	for _, place := range m.Above(e.cfg.Location, o.Shield) {
		add(place, false)
	}
	return all[:min(len(all), maxAsked)]
}

// upwards is the route of a flight's question.
func (f *flight) upwards() []tier.Edge {
	if f.alone || f.part != nil || f.epoch == "" || f.site.unread || !rules.AsksOthers(f.e.lease, f.e.clock()) {
		return nil
	}
	return f.e.route(f.behavior.Origin, []byte(f.key[:f.base]), f.through)
}

// up asks one edge after the other; ok is false when none has answered.
func (f *flight) up(ctx context.Context, route []tier.Edge, old *cache.Object) (resp *origin.Response, asked *distribution.Behavior, err error, ok bool) {
	u := &f.e.upstream
	for i := range route {
		to := &route[i]
		f.asking.Store(&to.Name)
		u.asked.Add(1)
		sent := f.e.clock()
		a, cancel, err := f.askOne(ctx, *to, f.askFor(old))
		switch {
		case ctx.Err() != nil:
			cancel()
			if a != nil && a.Body != nil {
				a.Body.Close()
			}
			return nil, f.behavior, &origin.Error{Kind: origin.Canceled, Op: "ask", Err: context.Cause(ctx)}, true
		case err != nil:
			cancel()
			u.failed.Add(1)
			f.passBy(to, err.Error())
		case a.Head.Refused != "":
			cancel()
			u.refused.Add(1)
			f.passBy(to, string(a.Head.Refused))
		case a.Head.Failure != "":
			cancel()
			if err := f.itsWord(&a.Head, to, sent); err != nil {
				u.answered.Add(1)
				return nil, f.behavior, err, true
			}
			u.refused.Add(1)
			f.passBy(to, a.Head.Failure)
		default:
			u.answered.Add(1)
			if a.Head.Hit {
				u.hits.Add(1)
			}
			resp, asked := f.fromAbove(a, sent, cancel)
			return resp, asked, nil, true
		}
	}
	f.asking.Store(nil)
	return nil, nil, nil, false
}

func (f *flight) passBy(to *tier.Edge, why string) {
	f.e.log.Log(context.Background(), slog.LevelDebug, "edge passed by", "edge", to.Name, "place", to.Place, "why", why,
		"distribution", f.site.ID, "path", f.request.Path)
}

// askOne asks and waits for the head, no longer than headLimit. cancel ends the body.
func (f *flight) askOne(ctx context.Context, to tier.Edge, a *tier.Ask) (*tier.Answer, context.CancelFunc, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(headLimit, cancel)
	out, err := f.e.cfg.Tier.Ask(ctx, to, a)
	if !late.Stop() && err == nil {
		if out.Body != nil {
			out.Body.Close()
		}
		return nil, cancel, context.DeadlineExceeded
	}
	return out, cancel, err
}

// askFor is the question (T1).
func (f *flight) askFor(old *cache.Object) *tier.Ask {
	r := *f.request
	r.Fields = make(message.Fields, 0, len(f.request.Fields)+2)
	for _, line := range f.request.Fields {
		if !conditional(line.Name) {
			r.Fields = append(r.Fields, line)
		}
	}
	r.Fields = f.conditions(f.behavior, nil, r.Fields)
	a := &tier.Ask{
		Epoch: f.epoch, Least: rules.Least(f.stamp, f.site.newest), Entry: f.entry, Distribution: f.site.ID, Revision: f.site.rev, ID: f.id, Request: r,
		Through: append(slices.Clone(f.through), f.e.cfg.Name),
	}
	if old != nil && old.Status == 200 && f.cut == nil && f.span == "" && digestible(old.Body) {
		sum := sha256.Sum256(old.Body)
		a.Have = sum[:]
	}
	// An unsafe request that came through here makes old what others have, too.
	if after := max(f.after, f.e.writtenAt(f.site, f.subject.Load())); after > 0 {
		a.Youngest = max(f.e.clock()-after, 1)
	}
	return a
}

// maxDigest bounds the bodies of which a digest is made, to spare them the way.
const maxDigest = 1 << 20

func digestible(body []byte) bool { return 0 < len(body) && len(body) <= maxDigest }

// toldBody is the body of an answer from another edge, with what that has said beside it.
type toldBody struct {
	io.ReadCloser
	cancel context.CancelFunc
	*tier.Head
}

func (t *toldBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &origin.Error{Kind: origin.Closed, Op: "read body", Err: err}
	}
	return n, err
}

func (t *toldBody) Close() error {
	err := t.ReadCloser.Close()
	t.cancel()
	return err
}

// toldBy is what another edge has said of an answer; nil: the origin itself has given it.
func toldBy(resp *origin.Response) *tier.Head {
	if t, ok := resp.Body.(*toldBody); ok {
		return t.Head
	}
	return nil
}

// fromAbove makes an origin's answer of an edge's, and notes how old it is (T3).
func (f *flight) fromAbove(a *tier.Answer, sent time.Duration, cancel context.CancelFunc) (*origin.Response, *distribution.Behavior) {
	h := &a.Head
	asked := f.behavior
	if second := asked.Second(f.request.Method); second != nil && second.Origin.ID == h.Origin {
		asked = second
	}
	f.asOldAs(h, sent)
	fields := h.Fields
	if age := h.Freshness.InitialAge + h.Freshness.Stored; h.NoStore == 0 && (h.Hit || age >= time.Second) {
		fields = append(fields, message.Field{Name: "Age", Value: wholeSeconds(age)})
	}
	status := h.Status
	if h.Same {
		status = 304
	}
	return &origin.Response{
		Status: status, Fields: fields, Body: &toldBody{a.Body, cancel, h}, ContentLength: h.Length,
		FirstByte: f.e.clock() - sent, Attempts: 1,
	}, asked
}

// asOldAs notes how old an answer is that another edge has given to a question which was sent then (T3).
func (f *flight) asOldAs(h *tier.Head, sent time.Duration) {
	f.shard.mu.Lock()
	f.since = min(f.since, sent-h.Began)
	f.shard.mu.Unlock()
}

// originsWord are the failures of which a parent says that the origin has had to do with them.
var originsWord = map[string]origin.Kind{
	OriginReadTimeout.String(): origin.ReadTimeout, OriginInvalid.String(): origin.Invalid, OriginHeaderTooBig.String(): origin.HeaderTooBig,
	OriginClosed.String(): origin.Closed, OriginBusy.String(): origin.Busy,
}

var errToldSo = errors.New("so says the edge through which it was asked")

// itsWord is the failure of which a parent speaks, nil when it may be the parent's alone. It is kept for as long as there.
func (f *flight) itsWord(h *tier.Head, of *tier.Edge, sent time.Duration) error {
	if h.Failure == Paced.String() {
		f.unasked, f.retry = true, h.Retry
		return errPaced
	}
	if kind, ok := originsWord[h.Failure]; ok {
		f.asOldAs(h, sent)
		return &origin.Error{Kind: kind, Op: "ask through " + of.Name, Err: errToldSo, Retry: h.Freshness.FreshFor}
	}
	return nil
}

// toldVerdict is what the parent's law says of the answer.
func (f *flight) toldVerdict(h *tier.Head, status int, fields message.Fields, now time.Time) httpcache.Verdict {
	switch {
	case h.NoStore != 0:
		return httpcache.Verdict{Reason: httpcache.NoStoreReason(h.NoStore)}
	case status == 206 && f.cut == nil && !f.gotPart(status, fields):
		return httpcache.Verdict{Reason: httpcache.PartialContent}
	}
	x := &h.Freshness
	fresh := httpcache.Freshness{
		Stored: now.Add(-x.Stored), FreshUntil: now.Add(x.FreshFor), InitialAge: x.InitialAge,
		StaleWhileRevalidate: x.StaleWhileRevalidate, StaleIfError: x.StaleIfError, StaleIfUnreachable: x.StaleIfUnreachable,
		MustRevalidate: x.MustRevalidate, Immutable: x.Immutable,
	}
	if x.HeldFor > 0 {
		fresh.HeldUntil = now.Add(x.HeldFor)
	}
	return httpcache.Verdict{OK: true, Fresh: fresh, Omit: h.Omit}
}
