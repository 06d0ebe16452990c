package httpcache

import (
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// Outcome is what preconditions make of a stored answer.
type Outcome uint8

const (
	Proceed            Outcome = iota // answer as if there were no preconditions
	NotModified                       // 304
	PreconditionFailed                // 412
)

func (o Outcome) String() string {
	return name(o, []string{"proceed", "not-modified", "precondition-failed"})
}

// Conditional evaluates the preconditions of a GET or HEAD against a stored answer, in the order of
// RFC 9110 section 13.2.2. If-Match and If-Unmodified-Since are evaluated too: an edge stands for the
// origin and has the representation at hand. Preconditions apply to answers of 2xx only. A date that
// cannot be read is no condition; without Last-Modified a date has nothing to be compared to. RFC 9111
// section 4.3.2 would compare If-Modified-Since with Date then, but that says when an answer was made,
// in whole seconds: in the second of an invalidation it would confirm the copy that has just died.
func Conditional(req message.Fields, status int, obj message.Fields) Outcome {
	if status < 200 || status > 299 {
		return Proceed
	}
	etag := obj.Get("ETag")
	switch {
	case req.Has("If-Match"):
		if !listed(req, "If-Match", etag, strongMatch) {
			return PreconditionFailed
		}
	case modifiedSince(req, "If-Unmodified-Since", obj) == later:
		return PreconditionFailed
	}
	switch {
	case req.Has("If-None-Match"):
		if listed(req, "If-None-Match", etag, weakMatch) {
			return NotModified
		}
	case modifiedSince(req, "If-Modified-Since", obj) == notLater:
		return NotModified
	}
	return Proceed
}

// IfRange tells whether the Range of a request applies to the stored answer: when there is no
// If-Range, or it is the strong validator of exactly this representation (RFC 9110 section 13.1.5).
// A date is a strong one only if the answer was made at least a second later (section 8.8.2.2).
func IfRange(req, obj message.Fields) bool {
	if !req.Has("If-Range") {
		return true
	}
	v := trim(req.Joined("If-Range")) // two of them are none that matches
	if strings.HasPrefix(v, `"`) || strings.HasPrefix(v, "W/") {
		return strongMatch(v, obj.Get("ETag"))
	}
	want, ok1 := validatorDate(v)
	modified, ok2 := validatorDate(obj.Get("Last-Modified"))
	date, ok3 := validatorDate(obj.Get("Date"))
	return ok1 && ok2 && ok3 && want.Equal(modified) && date.Sub(modified) >= time.Second
}

// Validators returns the fields that make a fetch conditional on the stored answer being outdated,
// none if it has no validators. With Vary: * a 304 would say nothing about this request.
func Validators(obj message.Fields) message.Fields {
	if varyStar(obj) {
		return nil
	}
	var v message.Fields
	if etag := obj.Get("ETag"); etag != "" {
		v.Add("If-None-Match", etag)
	}
	if modified := obj.Get("Last-Modified"); modified != "" {
		v.Add("If-Modified-Since", modified)
	}
	return v
}

// StrongValidators is Validators for who must be certain that a 304 means the very octets that are stored: only an entity tag
// changes whenever they do (RFC 9110 section 8.8.1). A date does not: two versions in a second have the same, and so have all files
// of a reproducible build.
func StrongValidators(obj message.Fields) message.Fields {
	if etag := obj.Get("ETag"); !varyStar(obj) && strongMatch(etag, etag) {
		return message.Fields{{Name: "If-None-Match", Value: etag}}
	}
	return nil
}

// Proves tells whether a 304 to the Validators of a stored answer says that its octets are the very ones.
func Proves(obj, fresh304 message.Fields) bool {
	return strongMatch(obj.Get("ETag"), fresh304.Get("ETag"))
}

// order is how two dates lie to each other; without one of them there is none.
type order uint8

const (
	noOrder order = iota
	later
	notLater
)

// modifiedSince compares the answer's Last-Modified with the date in the request's field.
func modifiedSince(req message.Fields, field string, obj message.Fields) order {
	since, ok := validatorDate(req.Joined(field)) // two dates are none
	if !ok {
		return noOrder
	}
	modified, ok := validatorDate(obj.Get("Last-Modified"))
	switch {
	case !ok:
		return noOrder
	case modified.After(since):
		return later
	}
	return notLater
}

// validatorDate reads a date that is only compared with another of its kind, so that the pivot of two-digit
// years matters little; it is fixed so that the answer does not depend on the day.
func validatorDate(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	return ParseDate(s, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

// listed tells whether an entity tag is in a list field, or the field is "*".
func listed(req message.Fields, field, etag string, match func(a, b string) bool) bool {
	for i := range req {
		if !strings.EqualFold(req[i].Name, field) {
			continue
		}
		if trim(req[i].Value) == "*" {
			return true // there is a current representation: the one at hand
		}
		for rest := req[i].Value; rest != ""; {
			var tag string
			if tag, rest = nextTag(rest); tag != "" && match(tag, etag) {
				return true
			}
		}
	}
	return false
}

// nextTag cuts the first entity tag off a list. Origins that forget the quotes exist, and so do
// viewers that repeat what they got: a bare word is a tag too, equal to nothing but itself.
func nextTag(s string) (tag, rest string) {
	s = strings.TrimLeft(s, " \t,")
	open := 0
	if strings.HasPrefix(s, "W/") {
		open = 2
	}
	if len(s) > open && s[open] == '"' {
		if end := strings.IndexByte(s[open+1:], '"'); end >= 0 {
			end += open + 2
			return s[:end], s[end:]
		}
	}
	tag, rest, _ = strings.Cut(s, ",")
	return trim(tag), rest
}

// weakMatch and strongMatch are the comparisons of RFC 9110 section 8.8.3.2.
func weakMatch(a, b string) bool {
	a, b = strings.TrimPrefix(a, "W/"), strings.TrimPrefix(b, "W/")
	return a != "" && a == b
}

func strongMatch(a, b string) bool {
	return a != "" && a == b && !strings.HasPrefix(a, "W/")
}
