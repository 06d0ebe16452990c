package guarantee

import (
	"net/http"
	"slices"
	"time"
)

// Pages. In place of what fails with some statuses Warmfront's distribution shows a page, which is one of the objects too. So such an answer shows two of them, and
// is judged for both. The page says its version itself. Of what has failed the status is seen alone: it is taken for the newest version that
// has it, and so never for an older one than it is.
//
// An error that is found in the cache may wait for its page, and meanwhile its edge may lose what allows it to show that. So when an invalidation has been under
// way for so long that an edge must be cut off, the origin keeps the page back until after that edge's lease is over and the
// invalidation is Completed without it.

// explained are the statuses whose errors have the page.
var explained = []int{http.StatusNotFound, http.StatusForbidden}

const (
	silentFor = 14 * time.Second // by much less than a lease, which an edge that is cut off has been given some time before
	keptFor   = 28 * time.Second // with silentFor more than a lease, and what is waited for after it; less than an origin is waited for
)

// pageIndex is the page's among the objects: the first one that is revalidated, so that it is asked for every second.
const pageIndex = int(Revalidated)

func (h *history) page() *Object { return h.objects[pageIndex] }

// pagePath is its path.
func pagePath() string { return newObject(pageIndex, Revalidated, 0).Path }

// explains tells whether an answer with this status has the page.
func (r *run) explains(o *Object, status int) bool {
	return r.own && o.Kind == Failing && slices.Contains(explained, status)
}

// shy tells whether a reader does not ask for what may have to wait for the page: else none would go on when that is kept back. Every other one
// asks for what may be shown with the page and must not be: the others would wait with what shows nothing.
func (r *reader) shy(o *Object) bool {
	if o.Kind != Failing && o != r.page() || !r.page().race.on() {
		return false
	}
	return r.number%2 == 0 || o == r.page() || r.explains(o, o.status(o.version.Load()))
}

// explain judges what an answer shows: the page by its octets, and what has failed by its status.
func (a *Answer) explain(q *question, page *Object, resp *http.Response, body []byte) {
	if a.Version == 0 {
		return // made by the cache
	}
	p, shown := *a, *resp
	p.Status = page.status(p.Version)
	shown.StatusCode = p.Status
	p.inspect(&question{object: page, edge: q.edge, method: q.method}, &shown, body)
	a.page, a.AtMost = &p, true
	if a.Version = q.object.newestWith(a.Status); a.Version == 0 {
		a.wrong(Mixed, "no version has status %d", a.Status)
	}
}

// newestWith is the newest version that has had a status; 0: none.
func (o *Object) newestWith(status int) uint64 {
	for v := o.version.Load(); v > 0; v-- {
		if o.status(v) == status {
			return v
		}
	}
	return 0
}

// keepPage has the origin keep the page back if an invalidation takes as long as one does from which an edge is cut off.
func (h *history) keepPage() *time.Timer {
	return time.AfterFunc(silentFor, func() { h.page().race.begin(keptFor) })
}
