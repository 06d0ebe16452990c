package edge

import (
	"crypto/sha256"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/tier"
)

// What another edge is told of an answer, in place of what viewers get.

// headFor makes the head of an answer to another edge.
func (v *visit) headFor(a *answer, status int, fields message.Fields, length int64) *tier.Head {
	now, clock := v.e.now(), v.e.clock()
	began := time.Duration(0)
	if a.life != "" {
		began = max(clock-a.fetched(), 0)
	}
	if a.failed && a.failure != RangeNotSatisfiable && a.failure != PreconditionFailed {
		h := &tier.Head{Failure: a.failure.String(), Retry: a.retry, Began: began}
		if a.life != "" {
			h.Freshness = relative(a.fresh, now)
		}
		return h
	}
	h := &tier.Head{
		Status: status, Fields: fields, Length: length, Origin: v.originOf(a), Began: began,
		Hit: a.outcome == Hit || a.object != nil && a.outcome == Failed, NoStore: uint8(a.noStore),
	}
	subject := a.subject
	switch {
	case a.failed, a.stream != nil:
		h.NoStore = uint8(httpcache.StatusNotCacheable)
	case a.object != nil:
		subject = &a.object.Subject
	}
	if h.NoStore == 0 {
		h.Freshness = relative(a.fresh, now)
	}
	if subject != nil {
		h.Tags = subject.Tags
		if !subject.Stored.IsZero() {
			h.Stored = max(now.Sub(subject.Stored), 0)
		}
	}
	if r := a.reader; r != nil && r.first && r.f.head != nil {
		for _, line := range fields {
			if !r.f.head.shared.Has(line.Name) && line.Name != "Content-Range" {
				h.Omit = append(h.Omit, line.Name)
			}
		}
	}
	return h
}

// originOf is the id of the origin that an answer is from. That of an object is the one that it came from, whichever was asked in vain since.
func (v *visit) originOf(a *answer) string {
	switch {
	case a.object != nil:
		if n := len(a.object.Fields) - 1; n >= 0 && a.object.Fields[n].Name == fromField {
			return a.object.Fields[n].Value
		}
	case a.from != "":
		return a.from
	case a.reader != nil && a.reader.f.head != nil:
		return a.reader.f.head.from
	}
	return v.main.behavior.Origin.ID
}

func relative(f httpcache.Freshness, now time.Time) tier.Freshness {
	x := tier.Freshness{
		Stored: max(now.Sub(f.Stored), 0), FreshFor: f.FreshUntil.Sub(now), InitialAge: f.InitialAge,
		StaleWhileRevalidate: f.StaleWhileRevalidate, StaleIfError: f.StaleIfError, StaleIfUnreachable: f.StaleIfUnreachable,
		MustRevalidate: f.MustRevalidate, Immutable: f.Immutable,
	}
	if f.Held(now) {
		x.HeldFor = f.HeldUntil.Sub(now)
	}
	return x
}

// beginChild sends the head, or keeps in mind why there is none.
func (v *visit) beginChild(a *answer, status int, fields message.Fields, length int64) error {
	c := v.child
	if a.failed && !toldOf(a.failure) {
		if c.mute = true; c.refused == "" {
			c.refused = tier.Unable
		}
		return nil
	}
	c.refused = "" // by an attempt that was given up
	c.head = v.headFor(a, status, fields, length)
	if c.ask.Have != nil && status == 200 && a.object != nil && a.walk == nil && digestible(a.body) && sha256.Sum256(a.body) == [sha256.Size]byte(c.ask.Have) {
		c.head.Same = true
	}
	c.mute = c.head.Failure != "" || c.head.Same
	return c.out.Head(c.head)
}
