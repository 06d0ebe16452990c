package guarantee

// What lingers shows only when nothing else removes it, and somebody asks for it all the while. Among invalidations that come fast that is chance, and
// on a slow machine hardly ever so. So now and then writers let an object rest: it is marked stale, and paced, and none of them means it for a while,
// in which readers ask for it often.

const (
	restLong    = 2 * grace // after Completed
	restBetween = 2 * grace
)

// rest is an object that rests.
type rest struct {
	object *Object
	until  Instant
}

// lay lays an object to rest when it is time, nil if it is not.
func (w *writer) lay() *Object {
	last, now := w.rest.Load(), w.now()
	if last != nil && now < last.until+restBetween || last == nil && now < restBetween {
		return nil
	}
	some := w.ofKind([...]Kind{Small, Slow}[w.rnd.IntN(2)]) // which do not expire by themselves meanwhile
	o := some[w.rnd.IntN(len(some))]
	if !w.rest.CompareAndSwap(last, &rest{o, now + patience}) {
		return nil
	}
	return o
}

// laid has what was laid to rest be left alone from now on for as long as it takes.
func (w *writer) laid(o *Object) { w.rest.Store(&rest{o, w.now() + restLong}) }

// disturbs tells whether items mean what rests.
func (w *writer) disturbs(items []string) bool {
	x := w.rest.Load()
	return x != nil && w.now() < x.until && (meant(items, x.object) || lately(editionsIn(items), x.object))
}
