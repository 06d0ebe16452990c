package httpcache

import (
	"math"
	"strconv"
	"strings"

	"github.com/warmfront/warmfront/internal/message"
)

// ParseContentRange reads a Content-Range that names one range and the size of the whole.
func ParseContentRange(value string) (r Range, size int64, ok bool) {
	unit, rest, _ := strings.Cut(trim(value), " ")
	span, total, _ := strings.Cut(rest, "/")
	from, to, _ := strings.Cut(span, "-")
	first, ok1 := digits(from, math.MaxInt64)
	last, ok2 := digits(to, math.MaxInt64)
	size, ok3 := digits(total, math.MaxInt64)
	if !ok1 || !ok2 || !ok3 || !strings.EqualFold(unit, "bytes") || first > last || last >= size {
		return Range{}, 0, false
	}
	return Range{first, last - first + 1}, size, true
}

// OnePart tells whether the value of a Range field asks for one range of octets: what may be asked of an
// origin as it is, and answered from a stored part.
func OnePart(value string) bool {
	ranges, verdict := ParseRange(value, math.MaxInt64)
	return verdict == RangePartial && len(ranges) == 1 && !strings.Contains(value, ",")
}

// WithinPart finds what a Range field asks for in a stored part of length octets that has this
// Content-Range. It returns the part's share, counted from the part's beginning, and the size of the whole.
// A part whose length is not what its Content-Range says contains nothing.
func WithinPart(asked, contentRange string, length int64) (r Range, size int64, ok bool) {
	part, size, ok := ParseContentRange(contentRange)
	if !ok || part.Length != length {
		return Range{}, 0, false
	}
	ranges, verdict := ParseRange(asked, size)
	if verdict != RangePartial || len(ranges) != 1 {
		return Range{}, 0, false
	}
	r = ranges[0]
	if r.Start < part.Start || r.Start+r.Length > part.Start+part.Length {
		return Range{}, 0, false
	}
	return Range{r.Start - part.Start, r.Length}, size, true
}

// Rest says how to ask for what a stored part of length octets lacks: a range, on the condition that it is
// still of the same representation. Only a beginning with a strong entity tag can be completed (RFC 9111
// section 3.4).
func Rest(part message.Fields, length int64) (ask message.Fields, ok bool) {
	r, size, ok := ParseContentRange(part.Get("Content-Range"))
	etag := part.Get("ETag")
	if !ok || r.Start != 0 || r.Length != length || length == size || !strongMatch(etag, etag) {
		return nil, false
	}
	return message.Fields{
		{Name: "Range", Value: "bytes=" + strconv.FormatInt(length, 10) + "-"},
		{Name: "If-Range", Value: etag},
	}, true
}

// Combine returns the fields and the size of the whole that a part and the 206 that was asked for by Rest
// are together; not ok: they do not belong together. What the newer one says replaces what the older said.
func Combine(part message.Fields, length int64, rest message.Fields) (whole message.Fields, size int64, ok bool) {
	_, size, ok = ParseContentRange(part.Get("Content-Range"))
	r, total, ok2 := ParseContentRange(rest.Joined("Content-Range"))
	if !ok || !ok2 || total != size || r.Start != length || r.Start+r.Length != size ||
		!strongMatch(part.Get("ETag"), rest.Get("ETag")) {
		return nil, 0, false
	}
	whole = Refresh(part, rest)
	whole.Del("Content-Range")
	whole.Del("Content-Length")
	return whole, size, true
}
