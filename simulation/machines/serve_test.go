package machines

import (
	"time"

	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// keys is how many objects there are, each with its path.
const keys = 2

var (
	subjects = [keys]invalidation.Subject{{Path: "/a"}, {Path: "/b"}}
	items    = map[string]invalidation.Item{}
)

func init() {
	for _, line := range []string{"/a", "/b", "/*"} {
		it, err := invalidation.Parse(line, invalidation.Anywhere)
		if err != nil {
			panic(err)
		}
		items[line] = it
	}
}

// content is what the origin has said.
type content struct {
	version int
	read    time.Duration // when, which nobody knows but the check
}

// object is content that is stored.
type object struct {
	content
	key     int
	life    string
	checked uint64
	began   time.Duration // its fetch, by the edge's clock
	earlier bool          // an earlier process has fetched it
}

// flight is a fetch under way.
type flight struct {
	e      *edge
	key    int
	life   string
	at     journal.Position // pinned: its stamp
	newest uint64
	began  time.Duration
	waits  []*visit
	ask    *tier.Ask // on whose behalf; nil: a viewer's
	landed bool
}

// visit is a request.
type visit struct {
	e     *edge
	key   int
	tries int
	reply func(answer) // to a child; nil: it is a viewer's
	ask   *tier.Ask
}

// answer is what a child is told.
type answer struct {
	refused tier.Refusal
	content
	ago time.Duration
}

const (
	mostTries = 4
	waits     = 100 * time.Millisecond // T2
	askLimit  = time.Second
)

// visits have somebody ask an edge now and then.
func (e *edge) visits() {
	e.w.after(e.w.within(100*time.Millisecond), func() {
		if e.up && e.stands <= e.w.now {
			v := &visit{e: e, key: e.w.r.IntN(keys)}
			v.attempt()
		}
		e.visits()
	})
}

func (v *visit) again() {
	if v.tries++; v.tries > mostTries {
		v.fails(tier.Unable)
		return
	}
	v.attempt()
}

func (v *visit) fails(why tier.Refusal) {
	if v.reply != nil {
		v.reply(answer{refused: why})
	}
}

// attempt is one pass from the pin to a decision (S1).
func (v *visit) attempt() {
	e, s := v.e, v.e.snap
	switch {
	case !rules.Serves(s.joined):
		v.fails(tier.Unable)
		return
	case v.ask != nil && string(s.at.Epoch) != v.ask.Epoch:
		v.fails(tier.Elsewhere)
		return
	}
	s.heads.open++
	if o := e.store[v.key]; o == nil && e.disk.there(v.key) {
		e.load(s, v.key, func() { v.look(s) })
		return
	}
	v.look(s)
}

// look looks at what is stored, on a snap with an open head.
func (v *visit) look(s *snap) {
	e := v.e
	if o := e.store[v.key]; o != nil && v.alive(s, o) {
		if rules.Shown(e.lease, e.clock(), o.began) {
			v.emit(s, o.content, o.began)
			return
		}
	}
	e.close(s)
	f := &flight{e: e, key: v.key, life: s.life, at: s.at, newest: s.newest, began: e.clock(), ask: v.ask}
	if e.w.one(8) { // something else had the processor
		e.after(e.w.within(100*time.Millisecond), func() { v.board(f) })
		return
	}
	v.board(f)
}

// alive is L3.
func (v *visit) alive(s *snap, o *object) bool {
	if o.life != s.life {
		return false
	}
	dead := false
	if o.checked < s.newest {
		rule := s.index.Match(&subjects[o.key], o.checked)
		if dead = rules.Kills(rule); rule == 0 {
			o.checked = s.newest
		}
	}
	if v.ask != nil {
		dead = rules.Withheld(dead)
	}
	return !dead
}

// board joins the fetch of a key, or begins one (S4, E4).
func (v *visit) board(f *flight) {
	e := v.e
	if rules.Late(f.at.Seq, e.floor) && f.life == e.snap.life {
		v.again()
		return
	}
	there := e.byKey[f.key]
	if there != nil && there.life == f.life && (there.at.Seq >= f.at.Seq || e.snap.index.Match(&subjects[f.key], there.at.Seq) == 0) {
		there.waits = append(there.waits, v)
		return
	}
	f.waits = append(f.waits, v)
	e.flights = append(e.flights, f)
	if there == nil {
		e.byKey[f.key] = f
	}
	if e.parent != nil && f.ask == nil && rules.AsksOthers(e.lease, e.clock()) {
		f.asks()
		return
	}
	f.fetch()
}

// fetch asks the origin.
func (f *flight) fetch() {
	w, n := f.e.w, f.e.node
	life := n.life
	w.after(w.delay()*4, func() {
		c := content{w.origin[f.key], w.now}
		w.push(event{at: w.now + w.delay()*4, node: n, life: life, f: func() { f.lands(c, f.began) }})
	})
}

// asks asks the parent (T1).
func (f *flight) asks() {
	e, p := f.e, f.e.parent
	a := &tier.Ask{Epoch: string(f.at.Epoch), Least: rules.Least(f.at.Seq, f.newest), Entry: string(f.at.ID)}
	sent := e.clock()
	ask(e.node, p.node, askLimit, func(reply func(answer)) {
		if p.up {
			p.receive(f.key, a, reply)
		}
	}, func(x answer, ok bool) {
		if !ok || x.refused != "" {
			f.fetch()
			return
		}
		f.lands(x.content, min(f.began, sent-x.ago))
	})
}

// receive takes a child's question, when everything is applied that its answer must reflect (T2).
func (e *edge) receive(key int, a *tier.Ask, reply func(answer)) {
	late, until := false, e.clock()+waits
	var look func()
	look = func() {
		if late {
			return
		}
		switch no := rules.Takes(e.snap.joined, e.lease.Fresh(e.clock()), e.snap.at, a, e.passed); {
		case no == "":
			late = true
			v := &visit{e: e, key: key, ask: a, reply: reply}
			v.attempt()
		case no != tier.Behind || e.clock() >= until:
			late = true
			reply(answer{refused: no})
		default:
			e.waiting = append(e.waiting, look)
		}
	}
	look()
	if !late {
		e.after(waits, look)
	}
}

func (e *edge) passed(seq uint64, id string) bool { return e.trail[seq] == journal.ID(id) }

// lands brings what was fetched: all who wait are answered, and it is stored (S2).
func (f *flight) lands(c content, began time.Duration) {
	if f.landed {
		return
	}
	f.landed = true
	e := f.e
	if e.byKey[f.key] == f && e.w.one(2) {
		// What comes now begins another fetch, or waits until this is stored.
		e.after(e.w.within(30*time.Millisecond), func() { f.store(c, began) })
	} else {
		f.store(c, began)
	}
	for _, v := range f.waits {
		v.decide(f, c, began)
	}
	f.waits = nil
}

func (f *flight) store(c content, began time.Duration) {
	e, s := f.e, f.e.snap
	if e.byKey[f.key] == f {
		e.byKey[f.key] = nil
		stamp := rules.Stamp(f.at.Seq, s.at.Seq)
		if rules.Stores(f.life, s.life, s.index.Match(&subjects[f.key], stamp)) {
			o := object{content: c, key: f.key, life: f.life, checked: stamp, began: began}
			e.store[f.key] = &o
			e.disk.put(e, o)
		}
	}
	for i, x := range e.flights {
		if x == f {
			e.flights = append(e.flights[:i], e.flights[i+1:]...)
			break
		}
	}
}

// decide is S3 for what a fetch has brought.
func (v *visit) decide(f *flight, c content, began time.Duration) {
	e, s := v.e, v.e.snap
	rule := uint64(0)
	if s.life == f.life && f.at.Seq < s.newest {
		rule = s.index.Match(&subjects[f.key], f.at.Seq)
	}
	if !rules.Holds(s.joined, f.life, s.life, 1, 1, rule) || !rules.Answered(e.lease, e.clock(), began, true) {
		v.again()
		return
	}
	s.heads.open++
	v.emit(s, c, began)
}

// emit writes the head, which takes its time: what takes longer than D is cut off. What the process has handed to its connection goes out also
// while it stands still; that nothing stops it in between is assumed.
func (v *visit) emit(s *snap, c content, began time.Duration) {
	e := v.e
	d := e.w.within(time.Millisecond)
	if !e.w.ended && e.w.one(20) {
		d = e.w.within(2 * e.w.timing.Decide)
	}
	life := e.life
	e.w.after(d, func() {
		switch {
		case e.life != life:
			return
		case s.heads.expired:
			v.fails(tier.Unable)
		case v.reply != nil:
			v.reply(answer{content: c, ago: max(e.clock()-began, 0)})
		default:
			e.w.check.answer(e, v.key, c)
		}
		e.close(s)
	})
}

func (e *edge) close(s *snap) {
	if s.heads.open--; s.heads.open == 0 && len(e.pending) > 0 {
		e.settle()
	}
}
