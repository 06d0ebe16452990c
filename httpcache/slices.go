package httpcache

import (
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// Slices says how a large representation is cut: into slices of Size octets, the last one shorter. Two
// that are equal are of the same octets: that is what a strong validator promises (RFC 9110 section 8.8.1).
type Slices struct {
	Size  int64 // at least 1
	Total int64 // at least 1, at most MaxSliced
	// Validator is the strong one, as If-Range takes it: an entity tag, or the Last-Modified date.
	Validator string
}

// String is how an object says what it is, or is a slice of.
func (s Slices) String() string {
	b := strconv.AppendInt(make([]byte, 0, 64), s.Size, 10)
	b = strconv.AppendInt(append(b, ' '), s.Total, 10)
	return string(append(append(b, ' '), s.Validator...))
}

// ParseSlices reads what String wrote.
func ParseSlices(v string) (s Slices, ok bool) {
	size, rest, _ := strings.Cut(v, " ")
	total, validator, _ := strings.Cut(rest, " ")
	s.Validator = validator
	var ok1, ok2 bool
	s.Size, ok1 = digits(size, MaxSliced)
	s.Total, ok2 = digits(total, MaxSliced)
	return s, ok1 && ok2 && s.Size > 0 && s.Total > 0 && validator != ""
}

// MaxSliced is the largest total: it keeps the arithmetic of slices from overflowing.
const MaxSliced = 1 << 60

// Range is where slice n lies, from 0 on.
func (s Slices) Range(n int64) Range {
	start := n * s.Size
	return Range{start, min(s.Size, s.Total-start)}
}

// Ask is what a request for slice n says: this one, if it is still of the same representation.
func (s Slices) Ask(n int64) message.Fields {
	r := s.Range(n)
	return message.Fields{
		{Name: "Range", Value: "bytes=" + strconv.FormatInt(r.Start, 10) + "-" + strconv.FormatInt(r.Start+r.Length-1, 10)},
		{Name: "If-Range", Value: s.Validator},
	}
}

// Waste is how many slices, about, have to be fetched for these ranges beyond what lies in them. The ranges ascend.
func (s Slices) Waste(ranges []Range) (n int64) {
	asked, last := int64(0), int64(-1)
	for _, r := range ranges {
		first, end := max(r.Start/s.Size, last+1), (r.Start+r.Length-1)/s.Size
		n += max(0, end-first+1)
		asked, last = asked+r.Length, end
	}
	return n - asked/s.Size
}

// SliceVerdict says what an answer to Ask is.
type SliceVerdict uint8

const (
	SliceGood    SliceVerdict = iota
	SliceChanged              // there is another representation now, or none
	SliceRefused              // the origin does not give slices of it that are known to belong together
)

func (v SliceVerdict) String() string { return name(v, []string{"good", "changed", "refused"}) }

// Judge looks at an answer to Ask(n); length is that of its body, -1 when it is not known. Nothing is taken on
// trust: an origin that heeds If-Range says of what its 206 is (RFC 9110 section 15.3.7), and of one that does not
// say it nothing is known.
func (s Slices) Judge(n int64, status int, f message.Fields, length int64) SliceVerdict {
	kind := "Last-Modified"
	if s.Validator[0] == '"' {
		kind = "ETag"
	}
	theirs := f.Get(kind)
	switch status {
	case 206:
		got, total, ok := ParseContentRange(f.Joined("Content-Range"))
		switch {
		case ok && total != s.Total, theirs != "" && theirs != s.Validator:
			return SliceChanged
		case !ok || theirs == "" || got != s.Range(n) || length >= 0 && length != got.Length:
			return SliceRefused
		}
		return SliceGood
	case 200:
		if theirs == s.Validator && (length < 0 || length == s.Total) {
			return SliceRefused // of what is the same: it knows no ranges, or not these
		}
	}
	return SliceChanged
}

// StrongValidator returns what can tell whether octets that were fetched at different times are of one
// representation, "" if nothing can: a strong entity tag, or a Last-Modified that is at least a second
// before the Date of the same answer (RFC 9110 section 8.8.2.2).
func StrongValidator(f message.Fields) string {
	if etag := f.Get("ETag"); etag != "" {
		if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
			return etag
		}
		return ""
	}
	v := f.Get("Last-Modified")
	modified, ok1 := validatorDate(v)
	date, ok2 := validatorDate(f.Get("Date"))
	if !ok1 || !ok2 || date.Sub(modified) < time.Second {
		return ""
	}
	return v
}

// AcceptsRanges tells whether an answer says that ranges of octets can be had.
func AcceptsRanges(f message.Fields) bool {
	for unit := range strings.SplitSeq(f.Joined("Accept-Ranges"), ",") {
		if strings.EqualFold(trim(unit), "bytes") {
			return true
		}
	}
	return false
}
