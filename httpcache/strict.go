package httpcache

import (
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// Semantics is whose rules Store goes by.
type Semantics uint8

const (
	CloudFront Semantics = iota // CloudFront's, where it documents others than the RFC's
	RFC                         // RFC 9111's for a shared cache
)

// heuristicMost bounds what is guessed from Last-Modified.
const heuristicMost = 24 * time.Hour

// longPast is for an answer of which it cannot be told how long it has been stale: beyond any max-stale.
const longPast = -10 * 365 * 24 * time.Hour

// strict is RFC 9111 section 3. The distribution's TTLs have less to say than with CloudFront: the
// maximum is a cap, the default a guess where there is nothing to guess from, the minimum nothing. Of
// an error without a lifetime the error caching minimum is that guess.
func (a *answer) strict(req *message.Request, status int) Verdict {
	d := &a.cc
	if why := a.strictlyForbids(req, status); why != Storable {
		return refuse(why)
	}
	life, said := a.strictLifetime()
	switch {
	case said:
	case !d.Public && !heuristic(status):
		return refuse(NoLifetime)
	case a.f.Has("Set-Cookie") && !d.NoCache:
		return refuse(GuessedCookie)
	default:
		life = a.guess(status) - a.age
	}
	must := d.MustRevalidate || d.ProxyRevalidate || d.SMaxAge != absent || d.NoCache
	if d.NoCache {
		life = min(life, 0)
	}
	if a.brokenAge {
		life = longPast
	}
	v := a.verdict(min(life, a.ttl.Max), a.window(d.StaleWhileRevalidate, 0), a.window(d.StaleIfError, 0), must)
	if v.OK {
		v.Fresh.FreshUntil = a.now.Add(min(life, a.ttl.Max)) // perhaps long ago: max-stale wants to know
		v.Fresh.StaleIfUnreachable = a.window(d.StaleIfError, a.ttl.Max)
		v.Fresh.Immutable = d.Immutable
	}
	return v
}

// strictlyForbids returns what is against storing, if there is something.
func (a *answer) strictlyForbids(req *message.Request, status int) NoStoreReason {
	d := &a.cc
	switch {
	case status == 206 && !a.opt.Part:
		return PartialContent
	case status < 200 || status == 304 || status == 416 || status > 599:
		return StatusNotCacheable
	case d.MustUnderstand && !understood(status):
		return NotUnderstood
	case d.NoStore && !d.MustUnderstand:
		return NoStore
	case ParseWishes(req.Fields).NoStore:
		return RequestNoStore
	case d.Private:
		return Private
	case a.forOneUser():
		return Authorized
	case varyStar(a.f):
		return VaryStar
	}
	return Storable
}

// strictLifetime is section 4.2.1, less the age that the answer has already.
func (a *answer) strictLifetime() (life time.Duration, said bool) {
	switch {
	case a.cc.SMaxAge != absent:
		return time.Duration(a.cc.SMaxAge)*time.Second - a.age, true
	case a.cc.MaxAge != absent:
		return time.Duration(a.cc.MaxAge)*time.Second - a.age, true
	case a.targeted || !a.f.Has("Expires"):
		return 0, false
	}
	expires, ok := ParseDate(a.f.Get("Expires"), a.now)
	if !ok || len(a.f.Values("Expires")) > 1 {
		return longPast, true // unreadable, or two of them
	}
	return expires.Sub(a.date()) - a.age, true
}

// date is the Date field, or the arrival where there is none.
func (a *answer) date() time.Time {
	if date, ok := ParseDate(a.f.Get("Date"), a.now); ok {
		return date
	}
	return a.now
}

// guess is section 4.2.2: a tenth of the time since the last modification.
func (a *answer) guess(status int) time.Duration {
	if modified, ok := ParseDate(a.f.Get("Last-Modified"), a.now); ok {
		return min(max(0, a.date().Sub(modified)/10), heuristicMost)
	}
	if status >= 400 {
		return a.opt.ErrorMinTTL
	}
	return a.ttl.Default
}

// currentAge is the corrected initial age of section 4.2.3: the greater of what Date and Age make of it.
func (a *answer) currentAge(said time.Duration) time.Duration {
	return max(0, a.now.Sub(a.date()), said+a.opt.Delay)
}

// heuristic tells the statuses that may be cached without being told so (RFC 9110 section 15.1).
func heuristic(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood tells the statuses whose caching is known here (section 5.2.2.3): those of RFC 9110.
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 206, status >= 300 && status <= 303, status == 305, status == 307, status == 308,
		status >= 400 && status <= 417, status == 421, status == 422, status == 426, status >= 500 && status <= 505:
		return true
	}
	return false
}
