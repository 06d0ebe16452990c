package httpcache

import (
	"math"
	"strconv"
	"strings"
)

// MaxRanges is how many ranges one request may ask for; with more it gets the whole (law L9).
const MaxRanges = 64

// Range is a part of a body. Length is at least 1.
type Range struct{ Start, Length int64 }

// ContentRange is the value of the Content-Range field for r within a body of size octets.
func (r Range) ContentRange(size int64) string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(append(b, "bytes "...), r.Start, 10)
	b = strconv.AppendInt(append(b, '-'), r.Start+r.Length-1, 10)
	return string(strconv.AppendInt(append(b, '/'), size, 10))
}

// UnsatisfiedRange is the value of Content-Range for a 416.
func UnsatisfiedRange(size int64) string { return "bytes */" + strconv.FormatInt(size, 10) }

// RangeVerdict says what a Range field gets.
type RangeVerdict uint8

const (
	RangeAbsent        RangeVerdict = iota // no Range field: 200
	RangePartial                           // 206 with the ranges returned
	RangeUnsatisfiable                     // 416
	// The field is ignored, 200 with the whole body, because …
	RangeOtherUnit    // … its unit is not bytes
	RangeMalformed    // … it is not a range
	RangeNotAscending // … a later range begins before an earlier one
	RangeOverlapping  // … ranges share octets
	RangeTooMany      // … there are more than MaxRanges
	RangeEmptyBody    // … no octet of an empty body can be named
)

func (v RangeVerdict) String() string {
	return name(v, []string{"absent", "partial", "unsatisfiable", "other-unit", "malformed",
		"not-ascending", "overlapping", "too-many", "empty-body"})
}

// Whole tells that the answer is the whole body with 200.
func (v RangeVerdict) Whole() bool { return v != RangePartial && v != RangeUnsatisfiable }

// ParseRange reads the value of a Range field for a body of size octets. Like CloudFront it serves
// one range or several that ascend and do not overlap; anything else that is not simply beyond the
// end gets the whole body, as RFC 9110 section 14.2 allows. Of several ranges those beyond the end are
// left out; if none remains the request is unsatisfiable.
func ParseRange(value string, size int64) ([]Range, RangeVerdict) {
	value = trim(value)
	if value == "" {
		return nil, RangeAbsent
	}
	unit, set, ok := strings.Cut(value, "=")
	if !ok {
		return nil, RangeMalformed
	}
	if !strings.EqualFold(trim(unit), "bytes") {
		return nil, RangeOtherUnit
	}
	var (
		ranges     []Range
		named, end int64 // end: of the range before
		emptySuff  bool
	)
	for spec := range strings.SplitSeq(set, ",") {
		if spec = trim(spec); spec == "" {
			continue // an empty list member is to be ignored (RFC 9110 section 5.6.1.2)
		}
		r, kind := parseSpec(spec, size)
		if kind == RangeMalformed {
			return nil, RangeMalformed
		}
		if named++; named > MaxRanges {
			return nil, RangeTooMany
		}
		emptySuff = emptySuff || kind == RangeEmptyBody
		if kind != RangePartial {
			continue
		}
		if n := len(ranges); n > 0 && r.Start < end {
			if r.Start < ranges[n-1].Start {
				return nil, RangeNotAscending
			}
			return nil, RangeOverlapping
		}
		end = r.Start + r.Length
		ranges = append(ranges, r)
	}
	switch {
	case named == 0:
		return nil, RangeMalformed
	case len(ranges) > 0:
		return ranges, RangePartial
	case emptySuff:
		return nil, RangeEmptyBody
	}
	return nil, RangeUnsatisfiable
}

// parseSpec reads "first-last", "first-" or "-suffix". Its verdict is Partial, Unsatisfiable,
// Malformed, or EmptyBody for the suffix of nothing, which is satisfiable and yet cannot be named.
func parseSpec(spec string, size int64) (Range, RangeVerdict) {
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return Range{}, RangeMalformed
	}
	from, to = trim(from), trim(to)
	if from == "" {
		n, ok := digits(to, math.MaxInt64)
		switch {
		case !ok:
			return Range{}, RangeMalformed
		case n == 0:
			return Range{}, RangeUnsatisfiable
		case size == 0:
			return Range{}, RangeEmptyBody
		}
		n = min(n, size)
		return Range{size - n, n}, RangePartial
	}
	first, ok := digits(from, math.MaxInt64)
	if !ok {
		return Range{}, RangeMalformed
	}
	last := int64(math.MaxInt64)
	if to != "" {
		if last, ok = digits(to, math.MaxInt64); !ok || last < first {
			return Range{}, RangeMalformed
		}
	}
	if first >= size {
		return Range{}, RangeUnsatisfiable
	}
	return Range{first, min(last, size-1) - first + 1}, RangePartial
}

// Multipart is the frame of a multipart/byteranges body (RFC 9110 section 14.6): each part's octets
// are preceded by its head, and the last is followed by Tail.
type Multipart struct {
	ContentType string
	Heads       []string
	Tail        string
	Length      int64 // of the whole body
}

// ByteRanges lays out the answer to a request for several ranges of a body of size octets.
// contentType is that of the stored answer, "" if it has none. The boundary must not occur in the
// body; 16 random octets in hexadecimal do.
func ByteRanges(ranges []Range, size int64, contentType, boundary string) Multipart {
	m := Multipart{
		ContentType: "multipart/byteranges; boundary=" + boundary,
		Tail:        "\r\n--" + boundary + "--\r\n",
	}
	m.Length = int64(len(m.Tail))
	for i, r := range ranges {
		head := "--" + boundary + "\r\n"
		if i > 0 {
			head = "\r\n" + head
		}
		if contentType != "" {
			head += "Content-Type: " + contentType + "\r\n"
		}
		head += "Content-Range: " + r.ContentRange(size) + "\r\n\r\n"
		m.Heads = append(m.Heads, head)
		m.Length += int64(len(head)) + r.Length
	}
	return m
}
