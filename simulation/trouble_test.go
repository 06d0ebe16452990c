package simulation

import (
	"time"
)

// suffer has things go wrong until the time of trouble is over, and then puts all in order.
func (w *world) suffer() {
	r := w.luckOf("trouble")
	kinds := []func(*luck){w.cutOff, w.cutOff, w.lose, w.kill, w.kill, w.standStill, w.fallBehind}
	switch {
	case w.mistake == unsynced || w.mistake == rollBackUnseen:
		kinds = append(kinds, w.rollBack)
	case w.mistake == ackByNumber || w.mistake == unknownMembers:
		kinds = append(kinds, w.loseEnd)
	case r.one(8):
		kinds = append(kinds, w.restore)
	case w.mistake == none && w.luckOf("loss").one(8):
		kinds = append(kinds, w.loseEnd)
	}
	if w.mistake == none && w.luckOf("compaction").one(4) {
		kinds = append(kinds, w.compact)
	}
	pause(calm)
	if w.mistake == probeRead { // it takes a replica that stays far behind, and an edge that goes on hearing of it
		kinds = []func(*luck){func(*luck) {}}
		w.record.fallBehind(5*time.Second, w.began.Add(calm+trouble), w.edges[0].name)
	}
	for {
		pause(r.within(2 * time.Second))
		if time.Since(w.began) > calm+trouble {
			break
		}
		kinds[r.n(len(kinds))](r)
	}
	w.record.fallBehind(0, time.Now())
	w.note("all is well again")
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.cut)
	clear(w.unfit)
	w.loss = 0
}

// cutOff takes a node's messages away for a while, or those of one direction.
func (w *world) cutOff(r *luck) {
	node, d, way := w.names[r.n(len(w.names))], r.within(6*time.Second), direction(1+r.n(3))
	w.note("%s is cut off (%d) for %v", node, way, d)
	w.mu.Lock()
	w.cut[node] = way
	w.mu.Unlock()
	time.AfterFunc(d, func() {
		w.note("%s is not cut off any more", node)
		w.mu.Lock()
		delete(w.cut, node)
		w.mu.Unlock()
	})
}

// lose has messages of all nodes get lost for a while.
func (w *world) lose(r *luck) {
	percent, d := 5+r.n(50), r.within(4*time.Second)
	w.note("%d of 100 messages are lost for %v", percent, d)
	w.mu.Lock()
	w.loss = percent
	w.mu.Unlock()
	time.AfterFunc(d, func() {
		w.mu.Lock()
		w.loss = 0
		w.mu.Unlock()
	})
}

// kill ends a process: at once, or as an operator does.
func (w *world) kill(r *luck) {
	if n := r.n(len(w.edges) + 1); n < len(w.edges) {
		if r.one(3) {
			w.edges[n].leave()
		} else {
			w.edges[n].die()
		}
		return
	}
	w.controls[r.n(len(w.controls))].die()
}

// standStill stops a machine for a while, with its clock running.
func (w *world) standStill(r *luck) {
	node, d := w.names[r.n(len(w.names))], r.within(5*time.Second)
	w.note("%s stands still for %v", node, d)
	w.mu.Lock()
	w.unfit[node] = time.Now().Add(d)
	w.mu.Unlock()
}

// fallBehind has nodes talk to a replica of the journal that hears of everything late, and does not know it.
func (w *world) fallBehind(r *luck) {
	var nodes []string
	for _, n := range w.names {
		if r.one(2) {
			nodes = append(nodes, n)
		}
	}
	lag := r.within(6 * time.Second)
	d := lag + r.within(4*time.Second)
	w.note("for %v %v hear everything %v late", d, nodes, lag)
	w.record.fallBehind(lag, time.Now().Add(d), nodes...)
}

// restore has the journal restored while no control node runs.
func (w *world) restore(*luck) {
	for _, n := range w.controls {
		n.die()
	}
	w.record.restore()
}

// loseEnd has the journal lose its last entries, and the operator accept it, while no control node runs.
func (w *world) loseEnd(r *luck) {
	for _, n := range w.controls {
		n.die()
	}
	w.record.loseEnd(1 + r.n(6))
}

// compact has the journal compacted while no control node runs.
func (w *world) compact(r *luck) {
	for _, n := range w.controls {
		n.die()
	}
	w.record.compact(r.n(30))
}

// rollBack has the journal lose what it has confirmed.
func (w *world) rollBack(r *luck) { w.record.rollBack(1 + r.n(6)) }
