package httpcache

import (
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// DefaultErrorMinTTL is CloudFront's error caching minimum TTL where the distribution names none.
const DefaultErrorMinTTL = 10 * time.Second

// Options of Store: what the distribution says beside the TTLs.
type Options struct {
	// ErrorMinTTL is the error caching minimum TTL for the status at hand: what the distribution's
	// error page for it says, or DefaultErrorMinTTL. Zero is a value of its own.
	ErrorMinTTL time.Duration
	// S3Origin raises ErrorMinTTL to a second.
	S3Origin bool
	// Authorized says that the origin has seen an Authorization field that is not in the cache key: what
	// it answered is perhaps for one user, and would be found by all.
	Authorized bool
	// CacheOPTIONS says that the behavior caches answers to OPTIONS.
	CacheOPTIONS bool

	Semantics Semantics
	// Targeted says that CDN-Cache-Control and Surrogate-Control are heeded.
	Targeted bool
	// Delay is the time between question and answer: with RFC semantics an answer is as much older.
	Delay time.Duration
	// Part says that a 206 is in order: one range of a body of known size, as it was asked for.
	Part bool
}

// Verdict is the answer of Store.
type Verdict struct {
	OK     bool
	Reason NoStoreReason // Storable iff OK
	Fresh  Freshness     // set iff OK
	Omit   []string      // fields that the stored object must not carry: no-cache="…", private="…"
}

// NoStoreReason names why an answer is not stored.
type NoStoreReason uint8

const (
	Storable           NoStoreReason = iota
	CachingDisabled                  // all TTLs of the behavior are zero
	MethodNotCacheable               // not GET, nor OPTIONS where that is cached
	HeadWithoutBody                  // HEAD: there is nothing that a GET could be answered with
	StatusNotCacheable               // never stored: 1xx, 304, 416, errors outside the table
	PartialContent                   // 206: a part is not stored
	NeedsCacheControl                // 307 and 308 are stored only with Cache-Control
	NeedsMaxAge                      // 400, 403, 405, 412, 415 are stored only with max-age or s-maxage
	NoStore                          // the origin says no-store
	Private                          // the origin says private
	NoCache                          // the origin says no-cache on an error
	VaryStar                         // Vary: *
	Authorized                       // to a request with Authorization, and the origin does not say that all may have it
	NeverUsable                      // never fresh, no validator, no stale window: keeping it helps nobody

	// With RFC semantics.
	RequestNoStore // the request says no-store
	NotUnderstood  // must-understand, and the status is none of RFC 9110's
	NoLifetime     // no lifetime, and the status may not be cached without one
	GuessedCookie  // Set-Cookie, and no lifetime: others shall not get it for a guess
	VaryTooWide    // Vary has too many names to keep variants apart
)

func (r NoStoreReason) String() string {
	return name(r, []string{"storable", "caching-disabled", "method-not-cacheable", "head-without-body",
		"status-not-cacheable", "partial-content", "needs-cache-control", "needs-max-age", "no-store",
		"private", "no-cache", "vary-star", "authorized", "never-usable",
		"request-no-store", "not-understood", "no-lifetime", "guessed-cookie", "vary-too-wide"})
}

func refuse(why NoStoreReason) Verdict { return Verdict{Reason: why} }

// Store decides whether the answer (status, f) to req may be stored, and how long it is good.
// f is what the origin sent, before anything is stripped; now is when it arrived. After a 304 call it
// with the stored status and the fields that Refresh returned.
func Store(req *message.Request, status int, f message.Fields, ttl TTL, opt Options, now time.Time) Verdict {
	if ttl.Off() {
		return refuse(CachingDisabled)
	}
	switch {
	case req.Method == "GET", req.Method == "OPTIONS" && opt.CacheOPTIONS && opt.Semantics == CloudFront:
	case req.Method == "HEAD":
		return refuse(HeadWithoutBody)
	default:
		return refuse(MethodNotCacheable)
	}
	age, said := OriginAge(f)
	a := answer{f: f, ttl: ttl, opt: opt, now: now, age: age, brokenAge: said == AgeBroken}
	if a.cc = ParseCacheControl(f); opt.Targeted {
		a.cc, a.targeted = Governing(f)
	}
	if opt.Semantics == RFC {
		a.age = a.currentAge(age)
		return a.strict(req, status)
	}
	switch {
	case a.forOneUser(): // an error too: what fails for one user, or is kept from one, must not be so for all
		return refuse(Authorized)
	case status == 206 && !opt.Part:
		return refuse(PartialContent)
	case status == 304 || status < 200 || status > 599:
		return refuse(StatusNotCacheable)
	case status >= 400:
		return a.storeError(status)
	case (status == 307 || status == 308) && !a.cc.Present:
		return refuse(NeedsCacheControl)
	}
	return a.store()
}

// answer is what Store works on.
type answer struct {
	f   message.Fields
	cc  Directives
	ttl TTL
	opt Options
	now time.Time
	age time.Duration // by the Age field; with RFC semantics also by Date, and by the time that it took

	brokenAge bool
	targeted  bool // cc is not Cache-Control's
}

// store judges 2xx and 3xx.
func (a *answer) store() Verdict {
	why := a.forbids()
	if varyStar(a.f) && (why == Storable || why == NoCache) {
		why = VaryStar
	}
	switch {
	case why != Storable && a.ttl.Min > 0:
		// The operator overrules the origin, for exactly the minimum: not by a second more.
		return a.verdict(a.ttl.Min, 0, 0, true)
	case why == NoCache:
		return a.verdict(0, 0, 0, true) // kept to be revalidated each time
	case why != Storable:
		return refuse(why)
	}
	life, said := a.lifetime()
	if !said {
		life = max(a.ttl.Min, a.ttl.Default)
	} else {
		life = max(a.ttl.Min, min(life, a.ttl.Max))
	}
	return a.verdict(life, a.window(a.cc.StaleWhileRevalidate, 0), a.window(a.cc.StaleIfError, a.ttl.Max),
		a.cc.MustRevalidate || a.cc.ProxyRevalidate)
}

// window is a directive's stale window, never more than the maximum TTL; without the directive it is
// what CloudFront does by itself: nothing for stale-while-revalidate, the maximum TTL for errors.
func (a *answer) window(directive int64, otherwise time.Duration) time.Duration {
	if directive == absent {
		return otherwise
	}
	return min(time.Duration(directive)*time.Second, a.ttl.Max)
}

// storeError judges 4xx and 5xx. A cached error is never served stale.
func (a *answer) storeError(status int) Verdict {
	life, said := a.lifetime()
	if !said {
		life = 0
	}
	forbidden := a.forbids()
	switch status {
	case 404, 410, 414, 501:
		if forbidden != Storable {
			return refuse(forbidden)
		}
	case 500, 502, 503, 504:
	case 400, 403, 405, 412, 415:
		if a.cc.MaxAge == absent && a.cc.SMaxAge == absent {
			return refuse(NeedsMaxAge)
		}
	default:
		return refuse(StatusNotCacheable)
	}
	if forbidden != Storable {
		life = 0 // overruled for the error caching minimum, not by a second more
	}
	least := a.opt.ErrorMinTTL
	if a.opt.S3Origin {
		least = max(least, time.Second)
	}
	life = max(least, min(life, a.ttl.Max))
	if life <= 0 {
		return refuse(NeverUsable)
	}
	return a.verdict(life, 0, 0, true)
}

// forbids returns what is against storing, if there is something.
func (a *answer) forbids() NoStoreReason {
	d := &a.cc
	switch {
	case d.NoStore:
		return NoStore
	case d.Private:
		return Private
	case d.NoCache:
		return NoCache
	}
	return Storable
}

// forOneUser: the answer is to a request with Authorization, and the origin does not say that all may have it (RFC
// 9111 section 3.5). CloudFront documents that a minimum TTL overrules no-store, private and no-cache, and that errors
// are kept in spite of them; nothing of that is about this.
func (a *answer) forOneUser() bool {
	d := &a.cc
	return a.opt.Authorized && !d.Public && !d.MustRevalidate && d.SMaxAge == absent
}

func (a *answer) verdict(life, whileRevalidate, ifError time.Duration, must bool) Verdict {
	explicit := !must && (whileRevalidate > 0 || a.cc.StaleIfError > 0 && ifError > 0)
	if life <= 0 && !explicit && !a.f.Has("ETag") && !a.f.Has("Last-Modified") {
		return refuse(NeverUsable)
	}
	return Verdict{OK: true, Omit: a.cc.Omit, Fresh: Freshness{
		Stored:               a.now,
		FreshUntil:           a.now.Add(max(0, life)),
		InitialAge:           a.age,
		StaleWhileRevalidate: whileRevalidate,
		StaleIfError:         ifError,
		StaleIfUnreachable:   ifError,
		MustRevalidate:       must,
	}}
}

// lifetime is what the origin grants from now on: s-maxage before max-age before Expires. It is not
// negative. said is false when the origin says nothing.
func (a *answer) lifetime() (life time.Duration, said bool) {
	switch {
	case a.cc.SMaxAge != absent:
		life = time.Duration(a.cc.SMaxAge)*time.Second - a.age
	case a.cc.MaxAge != absent:
		life = time.Duration(a.cc.MaxAge)*time.Second - a.age
	case !a.targeted && a.f.Has("Expires"):
		life = a.untilExpires()
	default:
		return 0, false
	}
	if a.brokenAge {
		life = 0
	}
	return max(0, life), true
}

// untilExpires is RFC 9111 sections 4.2.1 and 4.2.3: Expires − Date, less the greater of the age by
// the Age field and the age by the Date field. An Expires that cannot be read, "0" above all, is past.
func (a *answer) untilExpires() time.Duration {
	expires, ok := ParseDate(a.f.Get("Expires"), a.now)
	if !ok {
		return 0
	}
	date, ok := ParseDate(a.f.Get("Date"), a.now)
	if !ok {
		date = a.now
	}
	return expires.Sub(date) - max(a.age, a.now.Sub(date))
}
