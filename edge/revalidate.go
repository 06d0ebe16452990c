package edge

import (
	"slices"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/origin"
)

// renew makes a new object of the old one's body and a 304: with the stamp of the conditional request, for the old one was alive
// then, and its fetch start, if at that moment the origin said that these very octets are good (L2, S3).
func (f *flight) renew(resp *origin.Response) {
	now := f.e.now()
	was, coding := original(f.old.Fields)
	merged := httpcache.Refresh(was, resp.Fields)
	if f.above != nil { // its head is all of an answer's whose octets are these
		merged, coding = httpcache.EndToEnd(resp.Fields), ""
	}
	if f.site.RFC && !resp.Fields.Has("Date") {
		merged.Set("Date", httpDate(now)) // or the 304 would be as old as what it renews (RFC 9110 section 6.6.1)
	}
	v := f.verdict(f.old.Status, merged, resp.FirstByte, now)
	fields := f.passed(merged, now)
	for _, name := range v.Omit {
		fields.Del(name)
	}
	if coding != "" {
		f.marks = compressionMarks(fields, coding)
		fields = httpcache.Compressed(fields, coding)
	}
	// The old tags stay, unless the 304 names others.
	s := f.old.Subject
	f.subject.Store(&s)
	f.known(f.old.Status, merged, now)
	if f.site.CacheTagHeader != "" && (f.above != nil || resp.Fields.Has(f.site.CacheTagHeader)) {
		f.tag(resp.Fields)
	}
	if f.site.RFC && v.OK && !f.alone && !f.place(merged) {
		v = httpcache.Verdict{Reason: httpcache.VaryTooWide}
	}
	o := f.object(f.old.Status, f.marked(fields), f.old.Body, v.Fresh)
	o.Pages = f.old.Pages
	if f.above == nil && !f.doubtful && !httpcache.Proves(was, resp.Fields) {
		o.FetchStart = f.old.FetchStart
	}
	o.Hits.Store(f.old.Hits.Load())
	if v.OK {
		how := renewed
		if !slices.Equal(o.Subject.Tags, f.old.Subject.Tags) || o.Subject.ContentType != f.old.Subject.ContentType {
			how = fetched // what is on disk would not die by the new ones
		}
		f.put(o, how)
	}
	f.begin(&head{
		status: o.Status, fields: fields, shared: fields, length: int64(len(o.Body)), object: o,
		forAll: v.OK && v.Fresh.IsFresh(now), noStore: v.Reason,
		outcome: RefreshHit, reason: Revalidated, latency: resp.FirstByte, from: f.asked.Origin.ID, age: ageThen(resp.Fields),
	})
}

// fallBack answers a failure of the origin with the stale object, if there is one that may be used. The
// object keeps its stamp: it is no younger than before, and every rule since counts. For the pause the
// origin is left alone.
func (f *flight) fallBack(why httpcache.StaleUse, what met, pause, latency time.Duration) bool {
	now := f.e.now()
	old, unasked := f.old, false
	if old != nil && f.renews() {
		old, unasked = f.expired(old, now), f.unasked
	}
	if old == nil || old.Fresh.MayServeStale(now, why) != httpcache.StaleAllowed ||
		f.e.allows(f.site, began(old)) == none {
		return false
	}
	held := held(old, now, why, pause)
	if !unasked { // no turn has come for it: what is stored stays marked
		f.put(held, heldOn)
		if old != f.old {
			f.e.forgetOnDisk(old.Key) // there it is not spent
		}
	}
	shown := unmarked(held.Fields)
	f.begin(&head{
		status: held.Status, fields: shown, shared: shown, length: int64(len(held.Body)), object: held,
		forAll: true, outcome: Hit, reason: StaleOnError, met: what, latency: latency, from: f.asked.Origin.ID,
	})
	return true
}

// held is the same object, with the note that its origin has just failed.
func held(old *cache.Object, now time.Time, why httpcache.StaleUse, pause time.Duration) *cache.Object {
	o := &cache.Object{
		Key: old.Key, Distribution: old.Distribution, Subject: old.Subject,
		Stamp: old.Stamp, Epoch: old.Epoch, FetchStart: old.FetchStart,
		Status: old.Status, Fields: old.Fields, Block: old.Block, Block2: old.Block2, Body: old.Body, Pages: old.Pages,
		Fresh: old.Fresh.Hold(now, why, pause),
	}
	o.Hits.Store(old.Hits.Load())
	o.SetChecked(old.Checked())
	return o
}

// instant keeps a reading of the journal's clock in an object. FetchStart is compared with such
// readings only, never with a date: the clock counts suspended time, which time.Time does not (C2).
func instant(t time.Duration) time.Time { return time.Unix(0, int64(t)) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// began is the reading again.
func began(o *cache.Object) time.Duration { return time.Duration(o.FetchStart.UnixNano()) }
