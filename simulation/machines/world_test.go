package machines

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/journal"
)

const (
	calm    = time.Second      // at the beginning, to start in
	trouble = 6 * time.Second  // for so long things happen
	healing = 20 * time.Second // within which all must be as it was, when nothing more goes wrong
)

// world is one schedule: what happens is an event, and one event after the other has all its effects at one instant. All that is random
// comes from the seed.
type world struct {
	r     *rand.Rand
	now   time.Duration
	queue []event // a heap
	count uint64
	ids   uint64
	told  *[]byte // nil: nobody listens

	timing   journal.Timing
	log      record
	controls []*control
	edges    []*edge
	nodes    []*node
	origin   [keys]int // how often each key's content has changed
	check    check

	trouble time.Duration // ends then
	loss    int           // of a hundred messages
	ended   bool          // of trouble
}

// event is something that happens at a node, if it is still the same process by then; or, with node nil, anywhere else.
type event struct {
	at    time.Duration
	count uint64 // what was arranged before comes before
	node  *node
	life  int
	f     func()
}

func (e *event) before(x *event) bool { return e.at < x.at || e.at == x.at && e.count < x.count }

func (w *world) push(e event) {
	w.count++
	e.count = w.count
	q := append(w.queue, e)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&q[up]) {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = e
	w.queue = q
}

func (w *world) pop() event {
	q := w.queue
	first, n := q[0], len(q)-1
	e := q[n]
	q[n] = event{}
	q = q[:n]
	for i := 0; n > 0; {
		kid := 2*i + 1
		if kid+1 < n && q[kid+1].before(&q[kid]) {
			kid++
		}
		if kid >= n || !q[kid].before(&e) {
			q[i] = e
			break
		}
		q[i] = q[kid]
		i = kid
	}
	w.queue = q
	return first
}

// run has all happen that is to happen before a time.
func (w *world) run(until time.Duration) {
	for len(w.queue) > 0 && w.queue[0].at <= until {
		e := w.pop()
		w.now = e.at
		if n := e.node; n != nil {
			if n.life != e.life {
				continue
			}
			if n.stands > w.now {
				e.at = n.stands
				w.push(e)
				continue
			}
		}
		e.f()
	}
	w.now = until
}

// after arranges something that is of no node.
func (w *world) after(d time.Duration, f func()) { w.push(event{at: w.now + d, f: f}) }

func (w *world) one(n int) bool                       { return w.r.IntN(n) == 0 }
func (w *world) within(d time.Duration) time.Duration { return time.Duration(w.r.Int64N(int64(d))) }

// id is what journal.NewID is elsewhere.
func (w *world) id() journal.ID {
	w.ids++
	return journal.ID("i" + strconv.FormatUint(w.ids, 10))
}

// note tells what happens.
func (w *world) note(format string, args ...any) {
	if w.told != nil {
		*w.told = fmt.Appendf(*w.told, "%9.4f ", w.now.Seconds())
		*w.told = append(fmt.Appendf(*w.told, format, args...), '\n')
	}
}

// direction is which of a node's messages do not come through.
type direction uint8

const (
	outgoing direction = 1 << iota
	incoming
)

// node is a machine, on which one process after the other runs.
type node struct {
	w      *world
	name   string
	life   int // the number of the process
	up     bool
	stands time.Duration // until then it stands still, with its clock running
	cut    direction
	offset time.Duration
	ppm    time.Duration // by which its clock is wrong
	known  uint64        // the greatest number that its process was told of
}

func (w *world) node(name string) *node {
	drift := w.timing.DriftPPM
	ppm := []int64{-drift, 0, drift, w.r.Int64N(2*drift) - drift}[w.r.IntN(4)]
	n := &node{w: w, name: name, offset: w.within(time.Hour), ppm: time.Duration(ppm)}
	w.nodes = append(w.nodes, n)
	return n
}

// clock reads the machine's clock.
func (n *node) clock() time.Duration { return n.offset + n.w.now + n.w.now*n.ppm/1_000_000 }

// after arranges something that the process does when its clock has moved by d.
func (n *node) after(d time.Duration, f func()) {
	n.w.push(event{at: n.w.now + d*1_000_000/(1_000_000+n.ppm) + 1, node: n, life: n.life, f: f})
}

// delay is how long a message takes: mostly little.
func (w *world) delay() time.Duration {
	x := w.r.Uint64()
	d := time.Duration(x % uint64(8*time.Millisecond))
	if w.ended {
		return d
	}
	switch n := x >> 40 % 100; {
	case n < 2:
		d += w.within(2 * time.Second)
	case n < 12:
		d += w.within(300 * time.Millisecond)
	}
	return d
}

// send has a message travel; from or to nil is the journal, or the origin. It may get lost or be doubled, and overtake others.
func (w *world) send(from, to *node, arrive func()) {
	life := 0
	if to != nil {
		life = to.life
	}
	w.sendTo(from, to, life, arrive)
}

// sendTo is send to a process, which may be gone by now.
func (w *world) sendTo(from, to *node, life int, arrive func()) {
	if from != nil && from.cut&outgoing != 0 || to != nil && to.cut&incoming != 0 || w.loss > 0 && w.r.IntN(100) < w.loss {
		return
	}
	for range 1 + w.r.IntN(30)/29 {
		w.push(event{at: w.now + w.delay(), node: to, life: life, f: arrive})
	}
}

// ask sends a question and gives the first answer to then, or says that there was none within the limit of the node's clock.
func ask[T any](n, to *node, limit time.Duration, act func(reply func(T)), then func(v T, ok bool)) {
	done, life := false, n.life
	first := func(v T, ok bool) {
		if !done {
			done = true
			then(v, ok)
		}
	}
	n.w.send(n, to, func() {
		act(func(v T) { n.w.sendTo(to, n, life, func() { first(v, true) }) })
	})
	n.after(limit, func() {
		var none T
		first(none, false)
	})
}
