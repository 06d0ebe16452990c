package edge

import (
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// judge makes the head of what the origin answered.
func (f *flight) judge(resp *origin.Response) *head {
	now := f.e.now()
	v := f.verdict(resp.Status, resp.Fields, resp.FirstByte, now)
	h := &head{
		status: resp.Status, length: resp.ContentLength, noStore: v.Reason, fresh: v.Fresh,
		latency: resp.FirstByte, from: f.asked.Origin.ID, age: ageThen(resp.Fields), outcome: Miss,
	}
	h.fields = f.passed(resp.Fields, now)
	h.shared = h.fields
	if len(v.Omit) > 0 {
		h.shared = h.fields.Clone()
		for _, name := range v.Omit {
			h.shared.Del(name)
		}
	}
	if resp.Status >= 400 {
		h.outcome = Failed
	}
	small := h.length <= f.e.cfg.MaxObject
	h.keep = v.OK && small && !f.alone
	// What must be asked for again by everybody is not shared either: private, no-store, max-age=0.
	h.forAll = v.OK && small && v.Fresh.IsFresh(now)
	f.known(resp.Status, resp.Fields, now)
	f.tag(resp.Fields)
	if is, ok := f.sliceable(resp, v); ok {
		f.cutUp(h, resp, is)
	} else {
		f.settle(h, resp.Fields)
	}
	return h
}

// settle finds the key under which the answer belongs, if it is to be stored.
func (f *flight) settle(h *head, fields message.Fields) {
	if f.span != "" && h.status != 200 {
		// An error, or whatever else it is, may be about the range: who asks for the whole must not find it.
		if h.status != 206 {
			h.keep, h.noStore = false, httpcache.PartialContent
		}
		return
	}
	f.isWhole()
	if f.site.RFC && h.keep && !f.place(fields) {
		h.keep, h.forAll, h.noStore = false, false, httpcache.VaryTooWide
	}
}

// verdict asks the law whether an answer may be stored.
func (f *flight) verdict(status int, fields message.Fields, delay time.Duration, now time.Time) httpcache.Verdict {
	if f.above != nil {
		return f.toldVerdict(f.above, status, fields, now)
	}
	b := f.asked
	authorized := b.SharesAuthorized
	if f.site.RFC {
		authorized = b.ShowsAuthorization
	}
	return httpcache.Store(f.request, status, fields,
		httpcache.TTL{Min: b.MinTTL, Default: b.DefaultTTL, Max: b.MaxTTL},
		httpcache.Options{ErrorMinTTL: f.site.ErrorTTL(status), S3Origin: b.Origin.S3, CacheOPTIONS: b.Cached.Has("OPTIONS"),
			Authorized: f.request.Fields.Has("Authorization") && authorized(),
			Semantics:  semantics(f.site.Distribution), Targeted: f.site.Targeted, Delay: delay, Part: f.cut != nil || f.gotPart(status, fields)}, now)
}

// passed returns the fields of an origin's answer as viewers get them: end to end, without what the
// behavior takes away, without what this edge says itself.
func (f *flight) passed(from message.Fields, now time.Time) message.Fields {
	return f.e.passed(f.site, f.behavior, from, now)
}

func (e *Edge) passed(x *site, b *distribution.Behavior, from message.Fields, now time.Time) message.Fields {
	stripsCookie, keptVary := b.StripsSetCookie(), b.KeptVary
	if x.RFC {
		stripsCookie, keptVary = false, func(vary string) string { return vary }
	}
	out := make(message.Fields, 0, len(from)+1)
	for _, line := range httpcache.EndToEnd(from) {
		switch {
		case ours(line.Name), stripsCookie && strings.EqualFold(line.Name, "Set-Cookie"), strings.EqualFold(line.Name, "Vary"),
			x.Targeted && strings.EqualFold(line.Name, "Surrogate-Control"), // it was for this cache
			x.tags.Private && strings.EqualFold(line.Name, x.CacheTagHeader):
		default:
			out = append(out, line)
		}
	}
	if vary := from.Joined("Vary"); vary != "" {
		if vary = keptVary(vary); vary != "" {
			out.Add("Vary", vary)
		}
	}
	if !out.Has("Date") {
		out.Add("Date", httpDate(now))
	}
	return out
}

// ours tells the fields that each answer gets from this edge, or from the engine.
func ours(name string) bool {
	switch len(name) {
	case 3:
		return strings.EqualFold(name, "Age") || strings.EqualFold(name, "Via")
	case 7:
		return strings.EqualFold(name, "X-Cache") || strings.EqualFold(name, "Alt-Svc") // the origin's ports are not ours
	case 11:
		return strings.EqualFold(name, "X-Amz-Cf-Id")
	case 12:
		return strings.EqualFold(name, "X-Amz-Cf-Pop")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	}
	return false
}

// tagged returns the tags that an origin's answer names. What names no tag, or is one too many, is counted: an
// invalidation that an operator believes to name the object would not.
func (e *Edge) tagged(x *site, fields message.Fields) []string {
	if x.CacheTagHeader == "" {
		return nil
	}
	tags, left := x.tags.Parse(fields.Joined(x.CacheTagHeader))
	if left > 0 {
		e.tagsLeft.Add(uint64(left))
	}
	return tags
}

// known tells the subject what conditions look at, before anybody decides by it.
func (f *flight) known(status int, fields message.Fields, now time.Time) {
	s := *f.subject.Load()
	s.Status, s.ContentType, s.Stored = status, fields.Get("Content-Type"), now
	if f.above != nil {
		s.Stored = now.Add(-f.above.Stored)
	}
	f.subject.Store(&s)
}

// tag gives the subject its tags, before anybody decides by it.
func (f *flight) tag(fields message.Fields) {
	if f.site.CacheTagHeader != "" {
		s := *f.subject.Load()
		if s.Tags = f.e.tagged(f.site, fields); f.above != nil {
			s.Tags = slices.Clone(f.above.Tags)
		}
		if f.part != nil {
			s.Tags = append(s.Tags, f.part.Subject.Tags...)
		}
		if f.old != nil && planted(tagsKept) {
			s.Tags = f.old.Subject.Tags
		}
		f.subject.Store(&s)
	}
}

// forgetGone drops the stale object of which the origin has just said that it is no more, if that answer itself is
// not kept in its place: the next failure of the origin must not bring back what was taken away. What one user is
// told says nothing about the object.
func (f *flight) forgetGone(h *head) {
	if (h.status == 404 || h.status == 410) && f.old != nil && !h.keep && !f.alone && h.noStore != httpcache.Authorized {
		f.e.drop(f.old)
		f.seen = nil // nor is it spent
	}
}
