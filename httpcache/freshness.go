package httpcache

import "time"

// TTL is the frame that a behavior puts around what the origin says, Min <= Default <= Max.
type TTL struct{ Min, Default, Max time.Duration }

// Off tells that the behavior does not cache at all.
func (t TTL) Off() bool { return t.Min <= 0 && t.Default <= 0 && t.Max <= 0 }

// Freshness is how long a stored answer is good. Store makes it; it is a value and is not changed
// once it is in an object. The zero value has never been fresh and may not be served stale.
type Freshness struct {
	Stored     time.Time     // when the answer, or the 304 that renewed it, arrived
	FreshUntil time.Time     // fresh before, stale from then on; equal to Stored: revalidate always
	InitialAge time.Duration // the age that it arrived with, by the origin's Age field

	// How long after FreshUntil it may still be used. Zero: not at all.
	StaleWhileRevalidate time.Duration // while a fetch goes on in the background
	StaleIfError         time.Duration // when the origin answers 500–599
	StaleIfUnreachable   time.Duration // when the origin does not answer

	// MustRevalidate forbids stale use of any kind: the origin said must-revalidate,
	// proxy-revalidate, no-cache, or something that only the minimum TTL overrode.
	MustRevalidate bool

	Immutable bool // will not change while it is fresh (RFC 8246)

	// HeldUntil is set by Hold: the origin has just failed, and until then it is not asked again.
	HeldUntil time.Time
}

// IsFresh tells whether the answer may be used without asking the origin.
func (f Freshness) IsFresh(now time.Time) bool { return now.Before(f.FreshUntil) }

// Age is what the Age field of a hit says (in whole seconds, rounded down): the age that the answer
// came with plus its time in this cache. A clock that was set back does not make it negative.
func (f Freshness) Age(now time.Time) time.Duration {
	return f.InitialAge + max(0, now.Sub(f.Stored))
}

// StaleUse is what a stale answer is wanted for.
type StaleUse uint8

const (
	WhileRevalidating StaleUse = iota // answer now, fetch in the background
	OnError                           // the origin answered 500–599
	OnUnreachable                     // the origin does not answer
)

// StaleVerdict says whether a stale answer may be used, or why not.
type StaleVerdict uint8

const (
	StaleAllowed        StaleVerdict = iota
	StaleMustRevalidate              // the origin forbids stale use
	StaleNotGranted                  // no such window: no stale-while-revalidate, or stale-if-error=0
	StaleTooOld                      // the window is over
)

func (v StaleVerdict) String() string {
	return name(v, []string{"allowed", "must-revalidate", "not-granted", "too-old"})
}

// MayServeStale tells whether the answer may be used although it is no longer fresh.
func (f Freshness) MayServeStale(now time.Time, use StaleUse) StaleVerdict {
	if f.IsFresh(now) {
		return StaleAllowed
	}
	window := f.StaleWhileRevalidate
	switch use {
	case OnError:
		window = f.StaleIfError
	case OnUnreachable:
		window = f.StaleIfUnreachable
	}
	switch {
	case f.MustRevalidate:
		return StaleMustRevalidate
	case window <= 0:
		return StaleNotGranted
	case !now.Before(f.FreshUntil.Add(window)):
		return StaleTooOld
	}
	return StaleAllowed
}

// Hold returns f after a failed attempt to revalidate: for d, but not beyond the window for such a
// failure, the stale answer is used without asking the failing origin again.
func (f Freshness) Hold(now time.Time, use StaleUse, d time.Duration) Freshness {
	f.HeldUntil = now.Add(d)
	window := f.StaleIfError
	if use == OnUnreachable {
		window = f.StaleIfUnreachable
	}
	if end := f.FreshUntil.Add(window); end.Before(f.HeldUntil) {
		f.HeldUntil = end
	}
	if f.MustRevalidate {
		f.HeldUntil = time.Time{}
	}
	return f
}

// Expire returns f of an answer that is stale from now on, if it was not before, and that nobody gets any more
// while it is being revalidated. When its origin fails it may be used for as long as any other that became stale now.
func (f Freshness) Expire(now time.Time) Freshness {
	if now.Before(f.FreshUntil) {
		f.FreshUntil = now
	}
	f.StaleWhileRevalidate = 0
	return f
}

// Held tells that the origin failed a moment ago and shall be left alone: serve stale.
func (f Freshness) Held(now time.Time) bool { return now.Before(f.HeldUntil) }

// name looks the value of an enum up in its table of names.
func name[E ~uint8](v E, names []string) string {
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}
