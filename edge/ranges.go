package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Ranges. An object that is there whole is cut here: one range or several. While a fill is still
// coming they are cut out of it as it passes, if its length is known, for they ascend; with an unknown
// length there is the whole with 200, which RFC 9110 section 14.2 allows. What cannot be kept is not
// fetched whole for a part of it: the origin is asked for the range (pass), and its answer passed on.
// What is kept in slices is sent from them (slices_walk.go).

// wantsRange tells whether the request asks for a part.
func (v *visit) wantsRange(q *query) bool {
	return q.req.Method == "GET" && q.req.Fields.Has("Range")
}

// emitRange answers a range request with 206 or 416. It returns false when the whole is to be sent.
func (v *visit) emitRange(q *query, a *answer) bool {
	ranges, verdict := v.rangesOf(q, a)
	switch {
	case verdict == httpcache.RangeUnsatisfiable:
		v.unsatisfiable(a.length)
		return true
	case verdict.Whole():
		return false
	case len(ranges) == 1:
		r := ranges[0]
		f := append(v.fields[:0], a.fields...)
		f.Set("Content-Range", r.ContentRange(a.length))
		v.begin(a, 206, f, r.Length)
		v.emitBody(a, r.Start, r.Length)
		return true
	}
	v.multipart(a, ranges)
	return true
}

// rangesOf is what the request gets of the answer.
func (v *visit) rangesOf(q *query, a *answer) ([]httpcache.Range, httpcache.RangeVerdict) {
	if a.status != 200 || a.length < 0 || !v.wantsRange(q) || !httpcache.IfRange(q.req.Fields, a.fields) {
		return nil, httpcache.RangeAbsent
	}
	ranges, verdict := httpcache.ParseRange(q.req.Fields.Joined("Range"), a.length)
	if a.walk != nil && a.walk.is.Waste(ranges) > mostWasted {
		return nil, httpcache.RangeTooMany
	}
	return ranges, verdict
}

// mostWasted is how many slices a request for several ranges may cost an origin beyond the octets that it asks for.
const mostWasted = 8

func (v *visit) unsatisfiable(size int64) {
	v.x.Outcome, v.x.Reason = Failed, RangeNotSatisfiable
	a := v.failure(RangeNotSatisfiable)
	v.scratch = appendPage(v.scratch[:0], 416, failures[RangeNotSatisfiable].line, v.x.ID)
	f := append(pageFields(v.fields[:0], v.now), message.Field{Name: "Content-Range", Value: httpcache.UnsatisfiedRange(size)})
	v.begin(a, 416, f, int64(len(v.scratch)))
	a.body = v.scratch
	v.emitBody(a, 0, -1)
}

func (v *visit) multipart(a *answer, ranges []httpcache.Range) {
	m := httpcache.ByteRanges(ranges, a.length, a.fields.Get("Content-Type"), boundary())
	f := append(v.fields[:0], a.fields...)
	f.Set("Content-Type", m.ContentType)
	v.begin(a, 206, f, m.Length)
	v.sent()
	for i, r := range ranges {
		if v.write([]byte(m.Heads[i])) != nil || v.sendPart(a, r) != nil {
			v.x.Aborted = true
			v.w.Abort()
			return
		}
	}
	if v.write([]byte(m.Tail)) != nil {
		v.x.Aborted = true
		v.w.Abort()
	}
}

// sendPart sends one range of several.
func (v *visit) sendPart(a *answer, r httpcache.Range) error {
	switch {
	case a.walk != nil:
		return a.walk.send(r.Start, r.Length)
	case a.body != nil:
		return v.write(a.body[r.Start : r.Start+r.Length])
	}
	a.reader.seek(r.Start)
	return v.follow(a.reader, r.Length)
}

func boundary() string {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	return hex.EncodeToString(raw[:])
}
