package machines

import (
	"errors"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// follower brings to a journal.Pursuit what a journal.Follower does: pushes, answers to reads, and rests after errors.
type follower struct {
	n       *node
	p       *journal.Pursuit
	reads   []*reading
	rests   bool
	rest    time.Duration
	mailbox []*journal.Entry // pushes since it rests
	read    func(ok bool)    // has been called after each answer; nil: nobody wants to know
}

type reading struct {
	*journal.Reading
	done, ok bool
	took     time.Duration
	entries  []*journal.Entry
}

const (
	lookEvery = 2 * time.Second
	readLimit = 600 * time.Millisecond
)

var errLost = errors.New("no answer")

func (f *follower) start(n *node, apply func([]*journal.Entry), reset func(string, bool)) {
	p := journal.NewPursuit(journal.Position{})
	*f = follower{n: n, p: p}
	p.Apply, p.Reset, p.Begin = apply, reset, f.begin
	p.End = func(r *journal.Reading) {
		for i, x := range f.reads {
			if x.Reading == r {
				f.reads = append(f.reads[:i], f.reads[i+1:]...)
				return
			}
		}
	}
	p.Pushed(nil, true, 0)
	f.lookAgain()
}

func (f *follower) lookAgain() {
	f.n.after(lookEvery, func() {
		f.look(0)
		f.lookAgain()
	})
}

// look has it read, unless it rests, and then it will.
func (f *follower) look(there uint64) {
	if !f.rests {
		f.p.Pushed(nil, true, there)
	}
}

func (f *follower) deliver(e *journal.Entry) {
	switch {
	case !f.rests:
		f.p.Pushed([]*journal.Entry{e}, false, 0)
	case len(f.mailbox) < 1024:
		f.mailbox = append(f.mailbox, e)
	}
}

func (f *follower) begin(r *journal.Reading) {
	x, n, began := &reading{Reading: r}, f.n, f.n.clock()
	f.reads = append(f.reads, x)
	ask(n, nil, readLimit, func(reply func([]*journal.Entry)) {
		reply(n.w.log.read(n, r.From, r.Size))
	}, func(entries []*journal.Entry, ok bool) {
		if k := len(entries); k > 0 {
			n.known = max(n.known, entries[k-1].Seq)
		}
		x.done, x.ok, x.entries, x.took = true, ok, entries, n.clock()-began
		f.take()
	})
}

// take gives answers to the Pursuit, in the order of the questions.
func (f *follower) take() {
	for !f.rests && len(f.reads) > 0 && f.reads[0].done {
		x := f.reads[0]
		f.reads = f.reads[1:]
		var err error
		if !x.ok {
			err = errLost
		}
		life := f.n.life
		err = f.p.Answered(x.entries, err, x.took <= 500*time.Millisecond)
		if f.n.life != life {
			return
		}
		if err != nil {
			f.rest = min(max(2*f.rest, 20*time.Millisecond), time.Second)
			f.rests = true
			f.n.after(f.rest, func() {
				f.rests = false
				pushed := f.mailbox
				f.mailbox = nil
				f.p.Pushed(pushed, true, 0)
				f.take()
			})
			return
		}
		f.rest = 0
		f.p.Pushed(nil, false, 0)
		if f.read != nil {
			f.read(f.p.First() == nil)
		}
	}
}
