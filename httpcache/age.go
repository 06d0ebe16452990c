package httpcache

import (
	"strings"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// AgeVerdict is what there is to say of an answer's Age field.
type AgeVerdict uint8

const (
	AgeAbsent AgeVerdict = iota
	AgeSaid
	AgeBroken // the answer counts as stale
)

func (v AgeVerdict) String() string { return name(v, []string{"absent", "said", "broken"}) }

// OriginAge reads the Age field. Of a list the first member counts (RFC 9111 section 5.1). What is no
// number, comes in several lines, or says the same twice was made by something on the way that is
// broken; section 4.2.1 lets a cache take such an answer for stale, and a guess would make an old one new.
func OriginAge(f message.Fields) (time.Duration, AgeVerdict) {
	lines := f.Values("Age")
	switch len(lines) {
	case 0:
		return 0, AgeAbsent
	case 1:
	default:
		return 0, AgeBroken
	}
	value, rest, _ := strings.Cut(lines[0], ",")
	value = trim(value)
	n, ok := digits(value, maxDelta)
	if !ok {
		return 0, AgeBroken
	}
	for other := range strings.SplitSeq(rest, ",") {
		if trim(other) == value {
			return 0, AgeBroken
		}
	}
	return time.Duration(n) * time.Second, AgeSaid
}
