package httpcache

import (
	"math"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// Wishes are the directives of a request (RFC 9111 section 5.2.1). RFC semantics heed them; CloudFront does not.
type Wishes struct {
	NoStore, NoCache, OnlyIfCached bool
	// In seconds, -1 when absent. MaxStale without a number is the greatest one.
	MaxAge, MinFresh, MaxStale int64
}

// ParseWishes reads Cache-Control of a request, and Pragma where there is none (section 5.4).
func ParseWishes(f message.Fields) Wishes {
	w := Wishes{MaxAge: absent, MinFresh: absent, MaxStale: absent}
	present := false
	for i := range f {
		if len(f[i].Name) != len("Cache-Control") || !strings.EqualFold(f[i].Name, "Cache-Control") {
			continue
		}
		present = true
		for m := (members{rest: f[i].Value}); m.more(); {
			w.add(directive(m.next()))
		}
	}
	if !present {
		for name := range strings.SplitSeq(f.Joined("Pragma"), ",") {
			w.NoCache = w.NoCache || strings.EqualFold(trim(name), "no-cache")
		}
	}
	return w
}

func (w *Wishes) add(name, value string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		w.NoStore = true
	case strings.EqualFold(name, "no-cache"):
		w.NoCache = true
	case strings.EqualFold(name, "only-if-cached"):
		w.OnlyIfCached = true
	case strings.EqualFold(name, "max-age"):
		first(&w.MaxAge, value)
	case strings.EqualFold(name, "min-fresh"):
		first(&w.MinFresh, value)
	case strings.EqualFold(name, "max-stale") && value == "":
		if w.MaxStale == absent {
			w.MaxStale = math.MaxInt64
		}
	case strings.EqualFold(name, "max-stale"):
		first(&w.MaxStale, value)
	}
}

// Use says whether a stored answer serves a request as it is, or why the origin has to be asked.
type Use uint8

const (
	UseFresh    Use = iota
	UseStale        // the request allows it (max-stale)
	AskStale        // stale
	AskNoCache      // the request says no-cache
	AskTooOld       // older than the request's max-age
	AskTooShort     // not fresh for as long as the request's min-fresh
)

func (u Use) String() string {
	return name(u, []string{"fresh", "stale-allowed", "stale", "no-cache", "too-old", "too-short"})
}

// OK tells that the stored answer can be used.
func (u Use) OK() bool { return u <= UseStale }

// Serves tells whether the stored answer may be used for a request with these wishes. What is immutable
// and fresh is not asked for again because of a reload that says max-age=0 (RFC 8246 section 2).
func (f Freshness) Serves(w Wishes, now time.Time) Use {
	fresh := f.IsFresh(now)
	switch {
	case w.NoCache:
		return AskNoCache
	case w.MaxAge != absent && f.Age(now) > seconds64(w.MaxAge) && !(fresh && f.Immutable && w.MaxAge == 0):
		return AskTooOld
	case w.MinFresh != absent && f.FreshUntil.Sub(now) < seconds64(w.MinFresh):
		return AskTooShort
	case fresh:
		return UseFresh
	case w.MaxStale != absent && !f.MustRevalidate && now.Sub(f.FreshUntil) <= seconds64(w.MaxStale):
		return UseStale
	}
	return AskStale
}

// seconds64 does not overflow.
func seconds64(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}
