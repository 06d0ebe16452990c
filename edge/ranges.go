package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
)

// Ranges. An object that is there whole is cut here: one range or several. While a fill is still
// coming, one range is cut out of it as it passes, if its length is known; several, or an unknown
// length, get the whole with 200, which RFC 9110 section 14.2 allows. What cannot be kept is not
// fetched whole for a part of it: the origin is asked for the range (pass), and its answer passed on.

// wantsRange tells whether the request asks for a part.
func (v *visit) wantsRange(q *query) bool {
	return q.req.Method == "GET" && q.req.Fields.Has("Range")
}

// emitRange answers a range request with 206 or 416. It returns false when the whole is to be sent.
func (v *visit) emitRange(q *query, a *answer) bool {
	if a.status != 200 || a.length < 0 || !v.wantsRange(q) || !httpcache.IfRange(q.req.Fields, a.fields) {
		return false
	}
	ranges, verdict := httpcache.ParseRange(q.req.Fields.Joined("Range"), a.length)
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
	case a.body == nil:
		return false // still coming
	}
	v.multipart(a, ranges)
	return true
}

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
		if v.write([]byte(m.Heads[i])) != nil || v.write(a.body[r.Start:r.Start+r.Length]) != nil {
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

func boundary() string {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	return hex.EncodeToString(raw[:])
}
