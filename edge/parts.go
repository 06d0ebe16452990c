package edge

import (
	"bytes"
	"io"
	"strings"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// Parts. Of what is not stored the first range is asked for as it is, and the 206 is stored as a part: one
// for each key. Who asks for something in it gets it; who asks for anything else, be it the whole, makes
// the whole be fetched: its rest, if the part is a beginning with a strong entity tag, and all of it
// otherwise. So of a large body of which only the beginning is wanted only that is fetched, and of one of
// which every part is wanted nothing is fetched more than twice. What is neither the part nor the whole
// may have come of the range, and is not stored.

// A part keeps what was asked for, and of whom: names that no origin can send. Its rest is asked for nowhere else.
const (
	spanField = ":span"
	ofField   = ":of"
)

// fetchOrPart fetches the whole, or looks for a part: to answer from it, to complete it, or to fetch it.
func (v *visit) fetchOrPart(q *query, old *cache.Object, why Reason, slot int) (*answer, step) {
	if old != nil || slot != 0 || v.final || v.alone || v.unstored || q.req.Method != "GET" {
		return v.fetch(q, old, why, slot)
	}
	defer func() { v.span, v.part = "", nil }()
	whole := len(q.key)
	span := q.onePart()
	q.key = append(q.key, 'p')
	o := v.e.get(q.snap, q.key)
	if o != nil {
		if st, _ := v.e.judge(q, o, v.now); v.strictly(st, o) == usable {
			if a := v.ofPart(o, span, slot); a != nil {
				return a, found
			}
			if v.part = completable(o); q.site.abroad.kills(&o.Subject, o.Stamp) {
				v.part = nil
			}
		}
		if v.part == nil {
			v.e.drop(o)
		}
	} else if span != "" && v.e.flights.takesPart(v.e.flights.hash(q.key[:q.base]), string(q.key[:whole]), string(q.key), span) {
		v.span = span
		a, st := v.fetch(q, nil, why, slot)
		q.key = q.key[:whole]
		return a, st
	}
	q.key = q.key[:whole]
	return v.fetch(q, nil, why, slot)
}

// onePart is the Range of a request for one part, whatever the object's version; "" for all others.
func (q *query) onePart() string {
	span := q.req.Fields.Joined("Range")
	if span == "" || q.req.Fields.Has("If-Range") || !httpcache.OnePart(span) {
		return ""
	}
	return span
}

// completable returns o if it is a beginning that can be completed: what is not what was asked for is not.
func completable(o *cache.Object) *cache.Object {
	if _, ok := httpcache.Rest(o.Fields, int64(len(o.Body))); !ok || !exactly(o.Fields.Get(spanField), o.Fields) {
		return nil
	}
	return o
}

// completes prepares the flight for a part that it asks the rest of. What comes of both carries the least
// stamp and the earliest moment (L2), and dies by the tags of either.
func (f *flight) completes(o *cache.Object) {
	f.part, f.since = o, min(f.since, began(o))
	s := *f.subject.Load()
	s.Tags = o.Subject.Tags
	f.subject.Store(&s)
}

// combine makes the whole of the part and the rest that has come; false: they do not belong together.
func (f *flight) combine(resp *origin.Response) bool {
	if resp.Status != 206 || f.part.Fields.Get(ofField) != whose(f.asked.Origin) {
		return false
	}
	first := unmarked(f.part.Fields).Clone()
	first.Del(spanField)
	fields, size, ok := httpcache.Combine(first, int64(len(f.part.Body)), resp.Fields)
	if !ok {
		return false
	}
	resp.Status, resp.Fields, resp.ContentLength = 200, fields, size
	resp.Body = partAndRest{io.MultiReader(bytes.NewReader(f.part.Body), resp.Body), resp.Body}
	return true
}

// partAndRest reads both and closes the rest.
type partAndRest struct {
	io.Reader
	io.Closer
}

// ofPart is the answer from a stored part, nil if it is not in there.
func (v *visit) ofPart(o *cache.Object, span string, slot int) *answer {
	r, size, ok := httpcache.WithinPart(span, o.Fields.Get("Content-Range"), int64(len(o.Body)))
	asked := o.Fields.Get(spanField)
	ok = ok && exactly(asked, o.Fields)
	if !ok && (asked != span || span == "") {
		return nil
	}
	a := v.hit(slot, o, Fresh)
	a.fields = unmarked(o.Fields).Clone()
	a.fields.Del(spanField)
	if ok {
		part, _, _ := httpcache.ParseContentRange(o.Fields.Get("Content-Range"))
		a.body = o.Body[r.Start : r.Start+r.Length]
		a.fields.Set("Content-Range", httpcache.Range{Start: part.Start + r.Start, Length: r.Length}.ContentRange(size))
		a.length = r.Length
	}
	return a
}

// takesPart tells whether a part may be asked for by itself: the whole is not on its way, nor is another part.
func (t *flights) takesPart(hash uint64, whole, part, span string) bool {
	sh := t.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	there := sh.byKey[part]
	return sh.byKey[whole] == nil && (there == nil || there.span == span)
}

// isWhole: what comes is no part, although one was asked for.
func (f *flight) isWhole() {
	if f.span != "" {
		f.e.flights.rekey(f, strings.TrimSuffix(f.key, "p"))
	}
}

// gotPart tells whether an answer is a part, and can be stored as one.
func (f *flight) gotPart(status int, fields message.Fields) bool {
	_, _, ok := httpcache.ParseContentRange(fields.Joined("Content-Range"))
	return ok && f.span != "" && status == 206 && !(f.site.RFC && fields.Has("Vary"))
}

// exactly tells whether a part is the one that was asked for. Nothing is cut out of another: it is
// repeated to who asks for exactly the same, which is what its origin says of that.
func exactly(asked string, part message.Fields) bool {
	got, size, ok := httpcache.ParseContentRange(part.Joined("Content-Range"))
	ranges, _ := httpcache.ParseRange(asked, size)
	return ok && len(ranges) == 1 && ranges[0] == got
}
