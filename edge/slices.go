package edge

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// Slices. A body longer than Config.SliceFrom is kept in slices of Config.SliceSize, so that of ten gigabytes
// those parts are cached that are asked for. Under the key there lies a map, which has the fields and no body;
// each slice is an object of its own, under the map's key with an 's' and its number behind it.
//
//	K        map: version, fields         K s 0   K s 1   K s 2 …  slices: version, octets
//	K v hash map of a variant             K v hash s 0 …
//
// A version is a strong validator, the length of the whole and that of a slice. Slices of one version are
// octets of one representation, whenever they were fetched: that is what a strong validator says. What
// has none, or whose origin gives no ranges, is not sliced.
//
// # The life of a sliced object
//
// It begins with a 200 or a 206 that says how long the whole is (cutUp). Its octets are not thrown away: the
// rest of the answer is a source, which the viewer that began it takes slice by slice (slices_fill.go). From then
// on every request is answered by the map as if it had the body: conditions, HEAD, one range or several; and a
// 304 renews it alone. Who needs octets walks through the slices (slices_walk.go): what is stored is sent, what is
// missing is one fill for all who want it, asked for with If-Range. Nobody holds more than two slices.
//
// # The promise
//
// The head is decided on the map (S3), as on any object. A slice is used only if it is alive for the newest
// snapshot at the moment when it is used, which is after the decision: so whatever was there before the decision
// was alive at the decision, and what was fetched after it is younger anyway (L2). A slice that is
// not is fetched anew, and If-Range sees to it that it belongs to what the head has announced. Map and slices
// have the same subject, tags included, or they do not belong together: what kills the map kills the slices.
//
// When the origin answers with something else, the map is dropped. Before the head the request then begins
// anew with what is there now; behind it the answer is cut where the viewer can see it. Slices of a version that no
// map leads to answer nothing: who meets one drops it, others take its place, or it is evicted.

// The first field of a map, and of a slice, says of which version it is: names that no origin can send.
const (
	mapField   = ":slices"
	sliceField = ":slice"
)

// sliceStatus is that of a slice, which is no answer.
const sliceStatus = cache.SliceStatus

func isMap(o *cache.Object) bool   { return leads(o.Fields, mapField) }
func isSlice(o *cache.Object) bool { return o.Status == sliceStatus }

// sliceSize is that for a store: there is room for 32 slices, or one would make the next one go.
func sliceSize(capacity int64) int64 {
	size := int64(4 << 20)
	for size > 64<<10 && 32*size > capacity {
		size /= 2
	}
	return size
}

// isMap tells that what the viewer gets lies in slices.
func (a *answer) isMap() bool { return a != nil && a.object != nil && isMap(a.object) }

func leads(f message.Fields, name string) bool { return len(f) > 0 && f[0].Name == name }

// visible are the fields that viewers get.
func visible(f message.Fields) message.Fields {
	if leads(f, mapField) {
		return f[1:]
	}
	return f
}

// ofMap is what a map says.
func ofMap(o *cache.Object) (httpcache.Slices, bool) {
	if !isMap(o) {
		return httpcache.Slices{}, false
	}
	is, _, _ := strings.Cut(version(o), "\x00")
	return httpcache.ParseSlices(is)
}

// version is that of a map or a slice.
func version(o *cache.Object) string { return o.Fields[0].Value }

// version is that of what the flight has been answered. What two origins call by one name need not be the same, be they of
// one group or of one configuration after another.
func (f *flight) version(is httpcache.Slices) string {
	return is.String() + "\x00" + whose(f.asked.Origin)
}

// whose tells origins apart.
func whose(o *distribution.Origin) string { return o.ID + "\x00" + o.DomainName + o.Path }

// wholeLength is how long the body of a stored answer is, be it in slices.
func wholeLength(o *cache.Object) int64 {
	if is, ok := ofMap(o); ok {
		return is.Total
	}
	return int64(len(o.Body))
}

// sliceable tells whether what the origin has answered is to be kept in slices.
func (f *flight) sliceable(resp *origin.Response, v httpcache.Verdict) (is httpcache.Slices, ok bool) {
	is = httpcache.Slices{Size: f.e.cfg.SliceSize, Total: resp.ContentLength}
	switch {
	case !v.OK || f.alone || f.part != nil || f.request.Method != "GET":
		return is, false
	case resp.Status == 206:
		_, is.Total, ok = httpcache.ParseContentRange(resp.Fields.Joined("Content-Range"))
	default:
		ok = resp.Status == 200 && httpcache.AcceptsRanges(resp.Fields) && !f.compresses(resp)
	}
	is.Validator = httpcache.StrongValidator(resp.Fields)
	return is, ok && is.Validator != "" && is.Total > f.e.cfg.SliceFrom && is.Total <= httpcache.MaxSliced &&
		!f.e.flights.uncut.has(f.hash, f.e.clock())
}

// compresses tells whether the answer is to be compressed here: that comes first.
func (f *flight) compresses(resp *origin.Response) bool {
	return f.behavior.ContentCoding(f.request) != "" &&
		httpcache.CanCompress(resp.Status, resp.Fields, resp.ContentLength) == httpcache.Compressible
}

// cutUp makes the map of an answer, stores it, and leaves the octets to whoever walks through the slices. A
// 206 that does not begin with a slice, or ends before it, goes to its viewer as it is.
func (f *flight) cutUp(h *head, resp *origin.Response, is httpcache.Slices) {
	f.isWhole()
	if f.site.RFC && !f.place(resp.Fields) {
		h.keep, h.forAll, h.noStore = false, false, httpcache.VaryTooWide
		return
	}
	shared := slices.Clone(h.shared)
	for _, name := range [...]string{"Content-Range", "Content-Digest", "Content-MD5"} {
		if resp.Status == 206 {
			shared.Del(name)
		}
	}
	fields := append(message.Fields{{Name: mapField, Value: f.version(is)}}, shared...)
	o := f.object(200, f.marked(fields), nil, h.fresh)
	f.put(o, fetched)
	h.sliced, h.keep = true, false
	r := httpcache.Range{Length: is.Total}
	if resp.Status == 206 {
		r, _, _ = httpcache.ParseContentRange(resp.Fields.Joined("Content-Range"))
		if n := r.Start / is.Size; r.Start%is.Size != 0 || r.Length < is.Range(n).Length || r.Length != resp.ContentLength {
			h.forAll = false
			return
		}
	}
	h.status, h.fields, h.shared, h.length, h.object = 200, shared, shared, is.Total, o
	src := &source{
		body: resp.Body, off: r.Start, end: r.Start + r.Length, ctx: f.ctx, cancel: f.cancel,
		life: f.life, stamp: f.stamp, began: f.since,
	}
	f.mu.Lock()
	f.source = src
	f.mu.Unlock()
}

// source is an answer of the origin that is still coming, as far as nobody has read it: the octets from off to
// end. It belongs to the visit whose flight it came of, or to the flight that reads a slice from it; its stamp is that
// of the request that was answered so. There is one for a viewer at most, and it is closed when the
// viewer does not want what comes next, or leaves.
type source struct {
	body     io.ReadCloser
	off, end int64
	ctx      context.Context
	cancel   context.CancelFunc

	life  string
	stamp uint64
	began time.Duration
}

func (s *source) close() {
	if s != nil {
		s.cancel()
		s.body.Close()
	}
}

// numbered puts a slice's number into its key, whose last eight octets it is.
func numbered(key []byte, n int64) []byte {
	for i := range 8 {
		key[len(key)-1-i] = byte(n >> (8 * i))
	}
	return key
}

// cut is what a flight for one slice goes by.
type cut struct {
	of     *cache.Object // the map
	is     httpcache.Slices
	n      int64
	source *source // where the slice comes from; nil: it is asked for
}

// hasTags tells whether an answer names the tags of the map. A 206 to a request with If-Range may leave
// out what the whole has said (RFC 9110 section 15.3.7).
func (f *flight) hasTags(fields message.Fields) bool {
	name := f.site.CacheTagHeader
	if f.above != nil {
		return slices.Equal(f.above.Tags, f.cut.of.Subject.Tags)
	}
	return name == "" || !fields.Has(name) || slices.Equal(f.e.tagged(f.site, fields), f.cut.of.Subject.Tags)
}
