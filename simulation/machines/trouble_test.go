package machines

import (
	"time"

	"github.com/warmfront/warmfront/journal"
)

// operate changes what the origin has, and invalidates it then.
func (w *world) operate() {
	w.after(w.within(700*time.Millisecond), func() {
		if w.ended {
			return
		}
		w.operate()
		key := w.r.IntN(keys)
		w.origin[key]++
		c := w.controls[w.r.IntN(len(w.controls))]
		if !c.up || c.stands > w.now {
			return
		}
		c.propose(&proposal{decide: func() ([]journal.Fact, bool) {
			return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D", Items: []string{subjects[key].Path}}}}, true
		}, done: func(uint64, bool) {}})
	})
}

// suffer has things go wrong until the time of trouble is over.
func (w *world) suffer(fences bool) {
	kinds := []func(){w.cutOff, w.cutOff, w.lose, w.kill, w.kill, w.standStill, w.fallBehind}
	if fences {
		kinds = []func(){w.cutOff, w.kill, w.removeGone, w.removeGone, w.removeGone}
	}
	switch w.r.IntN(8) {
	case 0:
		kinds = append(kinds, func() { w.stopControls(); w.log.loseEnd(1 + w.r.IntN(6)) })
	case 1, 2:
		kinds = append(kinds, func() { w.stopControls(); w.log.compact(w.r.IntN(20)) })
	}
	if !fences && len(w.controls) > 1 && w.one(8) {
		kinds = []func(){func() {}}
		w.after(calm, w.fallFarBehind)
	}
	var next func()
	next = func() {
		if w.now < w.trouble {
			kinds[w.r.IntN(len(kinds))]()
			w.after(w.within(time.Second), next)
		}
	}
	w.after(calm+w.within(500*time.Millisecond), next)
}

// heal puts all in order.
func (w *world) heal() {
	w.note("all is well again")
	w.ended, w.loss, w.log.misled = true, 0, nil
	for _, n := range w.nodes {
		n.cut, n.stands = 0, min(n.stands, w.now)
	}
}

// cutOff takes a node's messages away for a while, or those of one direction.
func (w *world) cutOff() {
	n, d := w.nodes[w.r.IntN(len(w.nodes))], w.within(5*time.Second)
	if n.cut = direction(1 + w.r.IntN(3)); w.timing.SelfFence > 0 {
		n.cut = incoming | outgoing
	}
	w.note("%s is cut off (%d) for %v", n.name, n.cut, d)
	w.after(d, func() { n.cut = 0 })
}

// lose has messages of all nodes get lost for a while.
func (w *world) lose() {
	w.loss = 5 + w.r.IntN(50)
	d := w.within(3 * time.Second)
	w.note("%d of 100 messages are lost for %v", w.loss, d)
	w.after(d, func() { w.loss = 0 })
}

// kill ends a process.
func (w *world) kill() {
	if i := w.r.IntN(len(w.edges) + len(w.controls)); i < len(w.edges) {
		w.edges[i].die()
	} else {
		w.controls[i-len(w.edges)].die()
	}
}

func (w *world) stopControls() {
	for _, c := range w.controls {
		c.die()
	}
}

// standStill stops a machine for a while, with its clock running.
func (w *world) standStill() {
	n, d := w.nodes[w.r.IntN(len(w.nodes))], w.within(4*time.Second)
	w.note("%s stands still for %v", n.name, d)
	n.stands = w.now + d
}

// fallBehind has nodes talk to a replica of the journal that hears of everything late, and does not know it.
func (w *world) fallBehind() {
	r := &w.log
	r.lag, r.misled = w.within(4*time.Second), map[*node]bool{}
	r.misleads = w.now + r.lag + w.within(3*time.Second)
	for _, n := range w.nodes {
		if w.one(2) {
			r.misled[n] = true
			w.note("until %v %s hears everything %v late", r.misleads, n.name, r.lag)
		}
	}
}

// fallFarBehind has a control node and an edge hear of an entry when others know by time alone that it is Completed.
func (w *world) fallFarBehind() {
	r, c, e := &w.log, w.controls[0].node, w.edges[w.r.IntN(len(w.edges))].node
	w.trouble += 6 * time.Second
	r.lag, r.misleads = w.timing.Wait()+w.within(time.Second), w.trouble
	r.misled = map[*node]bool{c: true, e: true}
	w.note("until %v %s and %s hear everything %v late", r.misleads, c.name, e.name, r.lag)
}

// removeGone has an operator end the membership of an edge of which he knows that it is cut off, as soon as he may.
func (w *world) removeGone() {
	e := w.edges[w.r.IntN(len(w.edges))]
	e.cut = incoming | outgoing
	w.note("%s is cut off, and is to be removed", e.name)
	until := w.now + 6*time.Second
	var try func()
	try = func() {
		if w.ended || w.now > until {
			e.cut = 0
			return
		}
		c := w.controls[w.r.IntN(len(w.controls))]
		if c.up && c.opened && c.stands <= w.now && e.cut == incoming|outgoing {
			c.leave(e.name, "", func(bool) {})
		}
		w.after(200*time.Millisecond, try)
	}
	w.after(200*time.Millisecond, try)
}
