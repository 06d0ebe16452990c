package h2

import "strings"

// Rank is a stream's place in the order in which answers are sent (RFC 9218): the lower urgency first; of the
// same urgency, one after the other, but those that are incremental in turns.
type Rank struct {
	Urgency     uint8 // 0 to 7
	Incremental bool
	turn        uint64
}

// DefaultRank is that of a request that says nothing.
var DefaultRank = Rank{Urgency: 3}

// Before tells whether r goes first.
func (r *Rank) Before(o *Rank) bool {
	if r.Urgency != o.Urgency {
		return r.Urgency < o.Urgency
	}
	return r.turn < o.turn
}

// Turns gives out turns. The zero value is ready.
type Turns uint64

// Queue puts a stream at the end of those of its urgency.
func (t *Turns) Queue(r *Rank) {
	*t++
	r.turn = uint64(*t)
}

// Sent says that a frame of the stream's answer has been sent.
func (t *Turns) Sent(r *Rank) {
	if r.Incremental {
		t.Queue(r)
	}
}

// ParsePriority reads a Priority field. What cannot be read counts as not said (RFC 9218 section 4).
func ParsePriority(value string) Rank {
	r := DefaultRank
	for member := range strings.SplitSeq(value, ",") {
		member, _, _ = strings.Cut(strings.Trim(member, " \t"), ";")
		switch key, v, has := strings.Cut(member, "="); {
		case key == "u" && len(v) == 1 && v[0] >= '0' && v[0] <= '7':
			r.Urgency = v[0] - '0'
		case key == "i" && (!has || v == "?1"):
			r.Incremental = true
		case key == "i" && v == "?0":
			r.Incremental = false
		}
	}
	return r
}
