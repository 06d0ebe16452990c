package simulation

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// timing is short, so that a history is: a lease of 2 s, and clocks that are wrong by up to 5 %.
var timing = journal.Timing{Lease: 2 * time.Second, Decide: time.Second, Probe: 400 * time.Millisecond, DriftPPM: 50_000}

const (
	paths   = 3                // that there are, each with an object
	calm    = 2 * time.Second  // at the beginning, to start in
	trouble = 10 * time.Second // for so long things happen
	healing = 25 * time.Second // within which all must be as it was, when nothing more goes wrong
)

// world is one history.
type world struct {
	seed    uint64
	mistake mistake
	began   time.Time
	tell    func(format string, args ...any) // nil: nobody listens

	record   record
	origin   *originServer
	controls []*controlNode
	edges    []*edgeNode
	names    []string // of all nodes
	running  sync.WaitGroup

	mu    sync.Mutex
	end   bool // no node is started any more
	cut   map[string]direction
	loss  int                  // of a hundred messages
	unfit map[string]time.Time // nodes that stand still until then
	lucks map[string]*luck
	check check
}

// direction is which of a node's messages do not come through.
type direction uint8

const (
	outgoing direction = 1 << iota
	incoming
)

// errLost is what becomes of a question without an answer.
var errLost = errors.New("simulation: no answer")

func newWorld(seed uint64, m mistake, tell func(string, ...any)) *world {
	w := &world{seed: seed, mistake: m, began: time.Now(), tell: tell,
		cut: map[string]direction{}, unfit: map[string]time.Time{}, lucks: map[string]*luck{}}
	w.record.w = w
	w.check = check{w: w, said: map[string]string{}, acked: map[string]uint64{}, applied: map[string]uint64{}, members: map[string]string{}}
	w.origin = &originServer{w: w}
	return w
}

// luck is a stream of random numbers.
type luck struct {
	mu  sync.Mutex
	pcg *rand.PCG
}

// n returns one from 0 to n-1.
func (l *luck) n(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return rand.New(l.pcg).IntN(n)
}

// within returns a time that is less than d.
func (l *luck) within(d time.Duration) time.Duration { return time.Duration(l.n(int(d))) }

// one is true once in n times.
func (l *luck) one(n int) bool { return l.n(n) == 0 }

// luckOf returns the luck that belongs to a name. Only who goes by that name draws from it, so that who comes first at
// one instant changes nothing.
func (w *world) luckOf(name string) *luck {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lucks[name]
	if l == nil {
		h := fnv.New64a()
		h.Write([]byte(name))
		l = &luck{pcg: rand.NewPCG(w.seed, h.Sum64())}
		w.lucks[name] = l
	}
	return l
}

// delay is how long a message takes: mostly little, and in times of trouble now and then not.
func (w *world) delay(l *luck) time.Duration {
	d := l.within(8 * time.Millisecond)
	if time.Since(w.began) > calm+trouble {
		return d
	}
	switch n := l.n(100); {
	case n < 2:
		d += l.within(3 * time.Second)
	case n < 15:
		d += l.within(300 * time.Millisecond)
	}
	return d
}

// note tells what happens.
func (w *world) note(format string, args ...any) {
	if w.tell != nil {
		w.tell("%9.4f %s", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
	}
}

// logger tells what a node says.
func (w *world) logger(node string) *slog.Logger {
	if w.tell == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(teller{w, node}, nil))
}

type teller struct {
	w    *world
	node string
}

func (t teller) Write(p []byte) (int, error) {
	_, line, _ := strings.Cut(strings.TrimSpace(string(p)), "level=")
	t.w.note("%s says %s", t.node, line)
	return len(p), nil
}

// send has a message travel from a node, or to it, and calls arrive if it comes through.
func (w *world) send(r *luck, node string, way direction, arrive func()) {
	w.mu.Lock()
	lost := w.cut[node]&way != 0 || w.loss > 0 && r.n(100) < w.loss
	d := w.delay(r)
	w.mu.Unlock()
	if lost {
		return
	}
	time.AfterFunc(d, func() {
		w.mu.Lock()
		lost := w.cut[node]&way != 0
		w.mu.Unlock()
		if !lost {
			arrive()
		}
	})
}

// stands waits while the node's machine is stopped.
func (w *world) stands(node string) {
	for {
		w.mu.Lock()
		until := w.unfit[node]
		w.mu.Unlock()
		d := time.Until(until)
		if d <= 0 {
			return
		}
		pause(d)
	}
}

// clock is a machine's: it runs at a rate of its own.
func (w *world) clock(node string) journal.Clock {
	r := w.luckOf(node + " clock")
	offset := r.within(time.Hour)
	drift := int(timing.DriftPPM)
	ppm := time.Duration([]int{-drift, 0, drift, r.n(2*drift) - drift}[r.n(4)])
	return func() time.Duration {
		e := time.Since(w.began)
		return offset + e + e/1000*ppm/1000
	}
}
