package edge

import (
	"cmp"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// What is different with RFC semantics (tag warmfront:semantics=rfc): requests have a say, Vary makes
// variants (variants.go), and Cache-Status tells what happened.
// docs/semantics.md has both modes side by side.

// obtainStrict is obtain for a request that may have wishes.
func (v *visit) obtainStrict(q *query, o *cache.Object, slot int) (*answer, step) {
	w := httpcache.ParseWishes(q.req.Fields)
	v.unstored = w.NoStore
	why, old := Cold, (*cache.Object)(nil)
	if o != nil {
		st, rule := v.e.judge(q, o, v.now)
		st = v.strictly(st, o)
		switch use := o.Fresh.Serves(w, v.now); {
		case st == dead:
			v.e.sweeper.free(o, rule)
			why = Invalidated
		case st == overwritten:
			v.e.drop(o)
			why = Overwritten
		case st == fenced:
			why, old = LeaseLost, o
		case rule != 0 && (use.OK() || use == httpcache.AskStale):
			if st == usableMarked && !w.OnlyIfCached {
				return v.ofMarked(q, o, rule, slot)
			}
			v.e.sweeper.marked(o, rule)
			why, old = Invalidated, o
		case use == httpcache.UseFresh:
			return v.hit(slot, o, Fresh), found
		case use == httpcache.UseStale:
			return v.hit(slot, o, StaleOnRequest), found
		case use != httpcache.AskStale:
			why, old = Insisted, o
		case st == usableHeld:
			return v.hit(slot, o, StaleOnError), found
		case st == usableStale && !w.OnlyIfCached:
			v.refresh(q, o)
			return v.hit(slot, o, StaleWhileRevalidate), found
		default:
			why, old = Expired, o
		}
	}
	if w.OnlyIfCached {
		return v.failure(OnlyIfCached), found
	}
	return v.fetchOrPart(q, old, why, slot)
}

// semantics tells Store whose rules to go by.
func semantics(d *distribution.Distribution) httpcache.Semantics {
	if d.RFC {
		return httpcache.RFC
	}
	return httpcache.CloudFront
}

// capable completes what an origin is asked: that this cache heeds Surrogate-Control.
func capable(fields message.Fields) message.Fields {
	value := httpcache.Capability
	if before := fields.Joined("Surrogate-Capability"); before != "" {
		value = before + ", " + value
	}
	fields.Set("Surrogate-Capability", value)
	return fields
}

// forwardReasons are RFC 9211's words for why a request went on to the origin.
var forwardReasons = [reasons]string{
	Cold: "uri-miss", Invalidated: "miss", Overwritten: "miss", Expired: "stale", Revalidated: "stale", LeaseLost: "stale", IsolationBypass: "bypass",
	Unshared: "miss", MethodUncached: "method", CachingDisabled: "bypass", RangeUncached: "bypass", Insisted: "request",
}

// appendCacheStatus appends what this cache did (RFC 9211), behind what caches before it have said.
func (v *visit) appendCacheStatus(f message.Fields, a *answer) message.Fields {
	s := append(make([]byte, 0, 64), "Warmfront"...)
	why := a.asked
	if why == Fresh {
		why = a.reason
	}
	switch {
	case a.failed && a.object == nil && a.reader == nil:
		s = append(append(s, "; detail="...), a.reason.String()...)
	case a.walk.waited() && a.reader == nil:
		s = append(s, "; fwd=partial; fwd-status=206"...)
		if a.outcome == Hit {
			s = append(s, "; collapsed"...)
		}
	case a.object != nil && a.reader == nil, a.reason == Fresh:
		s = append(s, "; hit; ttl="...)
		s = strconv.AppendInt(s, int64(a.fresh.FreshUntil.Sub(v.now).Truncate(time.Second)/time.Second), 10)
		if a.reason == IsolationServeStale {
			s = append(append(s, "; detail="...), a.reason.String()...)
		}
	default:
		word := cmp.Or(forwardReasons[why], "miss")
		if why == Invalidated && a.outcome == RefreshHit {
			word = "stale" // by a rule that marks
		}
		if q := &v.main; why == Cold && len(q.key) > q.base {
			word = "vary-miss"
		}
		s = append(append(s, "; fwd="...), word...)
		switch {
		case a.outcome == RefreshHit:
			s = append(s, "; fwd-status=304"...)
		case a.met.status != 0: // or the status of the stale answer would be meant
			s = strconv.AppendInt(append(s, "; fwd-status="...), int64(a.met.status), 10)
		case a.met.why != 0:
			s = append(append(s, "; detail="...), a.met.why.String()...)
		case !a.failed && a.reason != StaleOnError:
			s = strconv.AppendInt(append(s, "; fwd-status="...), int64(a.status), 10)
		}
		if a.reader != nil && a.noStore == httpcache.Storable && !a.failed && a.reason != StaleOnError {
			s = append(s, "; stored"...)
		}
		if a.reason == Collapsed {
			s = append(s, "; collapsed"...)
		}
		if a.failed {
			s = append(append(s, "; detail="...), a.reason.String()...)
		}
	}
	return append(f, message.Field{Name: "Cache-Status", Value: string(s)})
}
