package edge

import (
	"errors"
	"runtime"
	"slices"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/httpcache"
)

// walk is one viewer's way through a sliced object. It belongs to the visit.
type walk struct {
	v   *visit
	q   *query
	of  *cache.Object // the map
	is  httpcache.Slices
	key []byte // that of a slice; its number is written over

	alone  bool    // what it fetches is for this viewer only
	source *source // where the next octets are to be had without asking; nil: nowhere
	first  piece   // found before the decision
	next   piece   // found while the one before it was being sent
}

// piece is a slice that is stored, or on its way to this viewer. The zero piece is none.
type piece struct {
	n      int64
	object *cache.Object
	reader *reader
}

// passesBy tells that the slice is read from an answer that goes on behind it: the next one comes anyway.
func (p *piece) passesBy() bool { return p.reader != nil && p.reader.f.cut.source != nil }

func (p *piece) leave() {
	p.reader.leave()
	*p = piece{}
}

var (
	errChanged = errors.New("edge: the origin has another version than the answer began with")
	errSlice   = errors.New("edge: a slice cannot be had")
	errViewer  = errors.New("edge: the viewer has gone") // it, or its connection
)

// throughSlices makes of the answer that a map is the one that the viewer gets: it looks for the slice in which that
// begins. It is called before the decision, and closes the ticket if it has to wait.
func (v *visit) throughSlices(q *query, a *answer, slot int) (*answer, step) {
	is, ok := ofMap(a.object)
	if !ok {
		v.e.drop(a.object)
		return nil, again
	}
	if a.reader != nil && v.unheld(q, a.reader.f) {
		return nil, again // what is stored of it would be looked at as of before a rule that may be forgotten when it is used
	}
	w := &walk{v: v, q: q, of: a.object, is: is, alone: v.alone || v.unstored}
	w.key = append(append(make([]byte, 0, len(w.of.Key)+9), w.of.Key...), 's', 0, 0, 0, 0, 0, 0, 0, 0)
	w.source = a.reader.takeSource()
	v.walks[slot] = w
	a.walk, a.fields, a.body, a.length = w, visible(a.fields), nil, is.Total
	first, last, needed := v.needs(q, a)
	if !needed {
		w.release()
		return a, found
	}
	if q.site.RFC && httpcache.ParseWishes(q.req.Fields).OnlyIfCached && !w.complete(first, last) {
		return v.failure(OnlyIfCached), found
	}
	return w.begin(a, first)
}

// needs tells from where to where octets of the body are needed for the answer, if any are.
func (v *visit) needs(q *query, a *answer) (first, last int64, needed bool) {
	if v.r.Method == "HEAD" {
		return 0, 0, false
	}
	if q != &v.main { // an error page: it is sent as it is
		return 0, a.length, true
	}
	if v.conditionOf(q, a) != httpcache.Proceed {
		return 0, 0, false
	}
	ranges, verdict := v.rangesOf(q, a)
	switch {
	case verdict == httpcache.RangeUnsatisfiable:
		return 0, 0, false
	case verdict.Whole():
		return 0, a.length, true
	}
	end := ranges[len(ranges)-1]
	return ranges[0].Start, end.Start + end.Length, true
}

// complete tells whether everything between two octets is stored.
func (w *walk) complete(first, last int64) bool {
	for n := first / w.is.Size; n*w.is.Size < last; n++ {
		if _, ok := w.stored(n, w.q.snap); !ok {
			return false
		}
	}
	return true
}

// begin has the slice in which the octet lies at hand, or coming, before the head is decided: so an origin that has
// another version by now is heard of in time, and one that cannot be asked gets the viewer an honest error.
func (w *walk) begin(a *answer, octet int64) (*answer, step) {
	v, n := w.v, octet/w.is.Size
	if o, ok := w.stored(n, w.q.snap); ok {
		w.first = piece{n: n, object: o}
		w.dropSource(n)
		return a, found // it is looked at again when the answer is decided on
	}
	if !v.final {
		v.ticket.close() // a fetch must not hold up acknowledgements
	}
	a.on = nil
	p, b := w.board(n, w.q.snap, w.alone || v.final)
	switch b {
	case late:
		return nil, again
	case full:
		return v.failure(TooManyFills), found
	}
	w.first = p
	if v.unheld(w.q, p.reader.f) {
		return nil, again
	}
	h, failed, st := v.headOf(p.reader)
	if h == nil {
		return failed, st
	}
	return w.began(a, h)
}

// began goes by what the first slice's head says.
func (w *walk) began(a *answer, h *head) (*answer, step) {
	v := w.v
	switch {
	case h.failure != 0:
		return v.failure(h.failure), found
	case h.slice == sliceFailing:
		if v.final {
			return v.failure(OriginInvalid), found
		}
		v.direct = true // the error is the viewer's, in the origin's words
		return nil, again
	case h.slice != sliceComes:
		v.e.drop(w.of)
		return nil, again
	case !h.forAll && !w.first.reader.first:
		v.alone = true
		return nil, again
	}
	if a.outcome == Hit {
		// What is asked for is fetched now, for the most part; its age is the map's.
		a.age = wholeSeconds(a.fresh.Age(v.now))
		a.outcome, a.reason, a.latency, a.from = Miss, Cold, h.latency, h.from
		if !w.first.reader.first {
			a.outcome, a.reason, a.latency, a.from = Hit, Collapsed, 0, ""
		}
	}
	return a, found
}

// stored looks for a slice in the store, and tells whether it may be used.
func (w *walk) stored(n int64, s *Snap) (o *cache.Object, ok bool) {
	if o = w.v.e.get(s, numbered(w.key, n)); o == nil {
		return nil, false
	}
	if o, ok = w.usable(o, n, s); ok {
		w.v.e.confirm(s.sites.of(o.Distribution), &o.Subject, o.Stamp)
	}
	return o, ok
}

// usable tells whether a stored slice may be used, as of a snapshot. What can never be used again is dropped: then there
// is none.
func (w *walk) usable(o *cache.Object, n int64, s *Snap) (_ *cache.Object, ok bool) {
	e := w.v.e
	x := s.sites.of(o.Distribution)
	if o.Epoch != s.life || x == nil || !isSlice(o) || !leads(o.Fields, sliceField) || int64(len(o.Body)) != w.is.Range(n).Length ||
		(version(o) != version(w.of) || !slices.Equal(o.Subject.Tags, w.of.Subject.Tags)) && !planted(sliceOfAny) ||
		e.overwritten(x, &o.Subject, began(o)) {
		e.drop(o)
		return nil, false
	}
	if rule := x.check(o); rule != 0 && !planted(sliceUnchecked) {
		e.sweeper.free(o, rule)
		return nil, false
	}
	if w.foreign(x, o.Stamp) {
		return o, false
	}
	// L5: without a lease it is as good as the map if it is not older.
	if e.isolated() && began(o) < began(w.of) && e.allows(x, began(o)) != assumed {
		return o, false
	}
	return o, true
}

// board gets on the flight for a slice, or begins it; late: look again. s is what the fetch is stamped with (S1).
func (w *walk) board(n int64, s *Snap, alone bool) (piece, boarding) {
	v, e := w.v, w.v.e
	seen, ok := w.stored(n, s)
	if ok {
		return piece{}, late // somebody has brought it meanwhile
	}
	q := *w.q
	q.snap, q.key = s, w.key
	f := v.flight(&q)
	subject := w.of.Subject
	f.subject.Store(&subject)
	f.seen, f.held = seen, v.final && !v.begun
	f.cut = &cut{of: w.of, is: w.is, n: n}
	if w.dropSource(n); w.source != nil {
		f.cut.source = w.source
		f.life, f.stamp, f.began, f.since = w.source.life, w.source.stamp, w.source.began, w.source.began
	}
	r, b := e.flights.board(f, alone, false)
	switch b {
	case took:
		w.source = nil // it is the flight's
	case boarded:
		w.dropSource(-1)
		if w.foreign(w.q.site, r.f.stamp) {
			r.leave()
			return w.board(n, s, true)
		}
		if overtaken(r.f, s, w.q.site) { // S4
			r.f.poison()
			r.leave()
			return piece{}, late
		}
	case late:
		if w.source != nil { // its rules may be forgotten already: ask anew
			w.dropSource(-1)
			return w.board(n, s, alone)
		}
	}
	return piece{n: n, reader: r}, b
}

// overtaken tells whether a rule that the snapshot has kills what the flight brings.
func overtaken(f *flight, s *Snap, of *site) bool {
	x := s.sites.of(of.ID)
	return s.life != f.life || x == nil || f.stamp < x.newest && x.index.Match(f.subject.Load(), f.stamp) != 0
}

// foreign tells whether a slice with that stamp is too old for the edge that asks (abroad.go): it gets a younger one.
func (w *walk) foreign(x *site, stamp uint64) bool {
	return w.v.child != nil && x.abroad.kills(&w.of.Subject, stamp)
}

// dropSource closes the source unless it comes to slice n next.
func (w *walk) dropSource(n int64) {
	if w.source != nil && w.source.off != n*w.is.Size {
		w.source.close()
		w.source = nil
	}
}

// release gives back what the walk holds.
func (w *walk) release() {
	if w == nil {
		return
	}
	w.first.leave()
	w.next.leave()
	w.dropSource(-1)
}

// waited tells that the slice in which the answer begins was not stored.
func (w *walk) waited() bool { return w != nil && w.first.reader != nil }

// decided: the head is about to be written.
func (w *walk) decided() {
	if r := w.first.reader; r != nil {
		r.decided()
	}
}

// sliceTries is how often a slice is asked for within an answer: an origin's connection may break off in an hour's download.
const sliceTries = 3

// sendWithHead sends the first of n octets along with the head, if they are stored. It returns how many.
func (w *walk) sendWithHead(off, n int64) (int64, error) {
	k, o := off/w.is.Size, w.first.object
	if o == nil || w.first.n != k {
		return 0, nil
	}
	if _, ok := w.usable(o, k, w.v.e.snap.Load()); !ok {
		return 0, nil
	}
	from := off - w.is.Range(k).Start
	p := o.Body[from:min(from+min(n, withHead), int64(len(o.Body)))]
	if int64(len(p)) == n {
		o.Used() // otherwise send comes to it
	}
	return int64(len(p)), w.write(p, o)
}

// send sends n octets from off on.
func (w *walk) send(off, n int64) error {
	for end := off + n; off < end; {
		k := off / w.is.Size
		r := w.is.Range(k)
		upTo := min(end, r.Start+r.Length)
		if err := w.sendSlice(k, off-r.Start, upTo-r.Start, upTo < end); err != nil {
			return err
		}
		off = upTo
	}
	return nil
}

// sendSlice sends what lies between two offsets of a slice; more: the next one is wanted too.
func (w *walk) sendSlice(n, from, to int64, more bool) (err error) {
	alone := false
	for try := 0; try < sliceTries; try++ {
		var p piece
		if p, err = w.piece(n, alone); err != nil {
			return err
		}
		if more && !p.passesBy() {
			w.lookAhead(n + 1)
		}
		if p.object != nil {
			return w.write(p.object.Body[from:to], p.object)
		}
		from, alone, err = w.follow(p.reader, n, from, to, more)
		p.leave()
		if err == nil || errors.Is(err, errChanged) || errors.Is(err, errViewer) || w.v.ctx.Err() != nil {
			break
		}
	}
	if errors.Is(err, errChanged) {
		w.v.x.Reason = VersionChanged
		w.v.e.drop(w.of)
	}
	return err
}

// piece finds a slice now that the answer is decided on.
func (w *walk) piece(n int64, alone bool) (piece, error) {
	e := w.v.e
	for _, p := range [...]*piece{&w.next, &w.first} {
		if p.n == n && w.good(p) {
			had := *p
			*p = piece{}
			return had, nil
		}
	}
	for range maxRestarts {
		s := e.snap.Load()
		if o, ok := w.stored(n, s); ok {
			w.dropSource(n)
			o.Used()
			return piece{n: n, object: o}, nil
		}
		p, b := w.board(n, s, alone || w.detached(s))
		switch b {
		case took, boarded:
			p.reader.decided() // there is nothing left to decide
			return p, nil
		case full:
			return p, errSlice
		}
	}
	return piece{}, errSlice
}

// good tells whether a piece that was found before can be used now that the answer is decided on: that it has not been
// overtaken by a rule from before the decision. One that was found after it always can.
func (w *walk) good(p *piece) bool {
	s := w.v.e.snap.Load()
	switch {
	case p.object != nil:
		if _, ok := w.usable(p.object, p.n, s); ok {
			p.object.Used()
			return true
		}
	case p.reader == nil:
	case p == &w.next, !overtaken(p.reader.f, s, w.q.site):
		return true
	}
	p.leave()
	return false
}

// detached: what is fetched by a configuration that is not the current one any more is for this viewer only.
func (w *walk) detached(s *Snap) bool {
	x := s.sites.of(w.q.site.ID)
	return w.alone || x == nil || x.rev != w.q.site.rev
}

// lookAhead begins to fetch the next slice while this one is sent, if it has to be asked for and there is plenty of room.
func (w *walk) lookAhead(n int64) {
	e := w.v.e
	if w.source != nil || w.next != (piece{}) || e.flights.bytes.Load()+e.flights.lent.Load() > e.cfg.FillMemory/2 {
		return
	}
	s := e.snap.Load()
	if o, ok := w.stored(n, s); ok {
		w.next = piece{n: n, object: o}
		return
	}
	if p, b := w.board(n, s, w.detached(s)); b == took || b == boarded {
		p.reader.decided()
		w.next = p
	}
}

// follow sends what lies between two offsets of a slice as it arrives. It returns how far it came, and whether what is
// missing is to be asked for by this viewer alone; more: the next slice is wanted too.
func (w *walk) follow(r *reader, n, from, to int64, more bool) (at int64, alone bool, err error) {
	v := w.v
	h, err := r.sliceHeadOf(v)
	switch {
	case err != nil:
		return from, false, err
	case h.slice == sliceChanged, h.slice == sliceRefused:
		return from, false, errChanged
	case h.failure != 0, h.slice != sliceComes:
		return from, false, errSlice
	case !h.forAll && !r.first:
		return from, true, errSlice
	}
	for r.seek(from); from < to; {
		p, ready, err := r.next(v.ctx)
		if err == nil && p == nil {
			err = errShort
		}
		if err != nil {
			return from, false, err
		}
		p = p[:min(int64(len(p)), to-from)]
		if err := w.write(p, nil); err != nil {
			return from, false, err
		}
		from += int64(len(p))
		if !ready && from < to {
			v.w.Flush()
		}
	}
	if r.first && (more || r.f.cut.source != nil) && to == w.is.Range(n).Length {
		// Its end: what follows comes of the same answer, or else needs this fill's place, which it gives back before.
		if _, _, err := r.next(v.ctx); err == nil && r.f.cut.source != nil {
			w.source = r.takeSource()
		}
	}
	return from, false, nil
}

// write sends octets of the body, which may lie in the pages of o.
func (w *walk) write(p []byte, o *cache.Object) error {
	err := w.v.write(p)
	runtime.KeepAlive(o)
	if err != nil {
		return errViewer
	}
	return nil
}
