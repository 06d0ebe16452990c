package machines

import (
	"time"

	"github.com/warmfront/warmfront/edge/rules"
	"github.com/warmfront/warmfront/journal"
)

// wake has the edge go through all that is stored, so that rules can be forgotten (E4).
func (e *edge) wake() {
	if e.sweeps {
		e.again = true
		return
	}
	e.sweeps = true
	e.after(e.w.within(200*time.Millisecond), e.sweep)
}

func (e *edge) sweep() {
	s := e.snap
	undecided := e.undecided
	flights, loads := s.at.Seq, s.at.Seq
	e.floor = s.at.Seq
	for _, f := range e.flights {
		flights = min(flights, f.at.Seq)
	}
	for _, l := range e.loads {
		loads = min(loads, l.s.at.Seq)
	}
	e.visitStored(s, 0, undecided)
	e.after(e.w.within(200*time.Millisecond), func() {
		e.visitStored(s, 1, undecided)
		bound := rules.Bound(s.at.Seq, flights, loads)
		if now := e.snap; now.life == s.life && !undecided {
			next := *now
			next.index = now.index.Compact(bound)
			e.snap = &next
		}
		e.sweeps = false
		switch {
		case e.again:
			e.again = false
			e.wake()
		case bound < s.at.Seq || undecided:
			e.sweeps = true
			e.after(300*time.Millisecond, e.sweep)
		}
	})
}

// visitStored looks at what is stored under a key, in both places.
func (e *edge) visitStored(s *snap, key int, undecided bool) {
	if o := e.store[key]; o != nil && e.dead(s, o) {
		delete(e.store, key)
		e.disk.drop(key)
	}
	if !undecided {
		if o := e.disk.objects[key]; o != nil && e.dead(s, o) {
			e.disk.drop(key)
		}
	}
}

func (e *edge) dead(s *snap, o *object) bool {
	if o.life != s.life {
		return o.life != e.snap.life
	}
	if o.checked >= s.newest {
		return false
	}
	rule := s.index.Match(&subjects[o.key], o.checked)
	if rule == 0 {
		o.checked = s.newest
	}
	return rules.Kills(rule)
}

// disk outlives processes, but for what it had not written yet when the power went.
type disk struct {
	has     bool
	life    string
	mark    journal.Position
	objects [keys]*object

	synced *disk // as it was some time ago
}

func (d *disk) there(key int) bool { return d.has && d.objects[key] != nil }

func (d *disk) put(e *edge, o object) {
	if !d.has || e.undecided {
		return
	}
	if e.w.one(4) {
		d.sync()
	}
	d.objects[o.key] = &o
}

func (d *disk) drop(key int) { d.objects[key] = nil }

// sync has everything written.
func (d *disk) sync() {
	was := *d
	was.synced = nil
	for key, o := range d.objects {
		if o != nil {
			c := *o
			was.objects[key] = &c
		}
	}
	d.synced = &was
}

func (d *disk) clear() { d.objects, d.synced = [keys]*object{}, nil }

func (d *disk) crash(e *edge) {
	if d.has && d.synced != nil && e.w.one(2) {
		*d = *d.synced
	}
	for _, o := range d.objects {
		if o != nil {
			o.earlier = true
		}
	}
}

// use begins another life on it.
func (d *disk) use(life string) {
	if d.life != life {
		d.clear()
		d.life = life
	}
}

// begins names the life of a log that is read from its beginning: the one on disk, if that may be it.
func (e *edge) begins(entry *journal.Entry) string {
	if e.disk.has && !e.begun {
		e.begun = true
		if e.disk.life != "" && e.disk.mark.Epoch == entry.Epoch {
			e.resumed = true
			return e.disk.life
		}
	}
	return e.another()
}

func (e *edge) another() string {
	life := string(e.w.id())
	if e.disk.has {
		e.disk.use(life)
		e.undecided = false
	}
	return life
}

// resume looks at each entry whether the life on disk goes on, until it is decided (E1).
func (e *edge) resume(entry *journal.Entry, life string) string {
	if !e.disk.has {
		return life
	}
	if e.resumed {
		mark := e.disk.mark
		switch rules.Resume(mark.Seq, entry.Seq, entry.Base, mark == journal.PositionOf(entry), e.lease.Synced()) {
		case rules.Undecided:
			return life
		case rules.GoesOn:
			e.undecided = false
		default:
			e.w.note("%s: its disk is of another log", e.name)
			life = e.another()
		}
		e.resumed = false
	}
	e.disk.mark = journal.PositionOf(entry)
	return life
}

// load is a read from disk under way.
type load struct{ s *snap }

// load puts into memory what is on disk, if it is alive, and then goes on.
func (e *edge) load(s *snap, key int, then func()) {
	if e.undecided || rules.Late(s.at.Seq, e.floor) && s.life == e.snap.life {
		then()
		return
	}
	l, there := &load{s}, *e.disk.objects[key]
	e.loads = append(e.loads, l)
	d := e.w.within(20 * time.Millisecond)
	if e.w.one(6) {
		d = e.w.within(600 * time.Millisecond)
	}
	e.after(d, func() {
		for i, x := range e.loads {
			if x == l {
				e.loads = append(e.loads[:i], e.loads[i+1:]...)
				break
			}
		}
		was := there
		there.checked = rules.Checked(there.checked, e.disk.mark.Seq, there.earlier)
		if there.earlier {
			there.began = e.before
		}
		current := e.disk.objects[key]
		if there.life == s.life && there.life == e.snap.life && !e.dead(s, &there) && rules.Current(current != nil && current.content == was.content) && e.store[key] == nil {
			e.store[key] = &there
		}
		then()
	})
}
