package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/warmfront/warmfront/admission"
)

// post is what a process for edges, or for relays, is told first: who they are, and where each comes to.
type post struct {
	Authority string   // the folder of the one that certifies them
	At        []string // where the line to the control node begins
	Relays    []string `json:",omitempty"` // the relay beside each edge; none: there are no relays
}

// seat connects the i-th edge.
func (p post) seat(authority *admission.Authority, i int) (*seat, error) {
	if len(p.Relays) == 0 {
		return afar(authority, nameOf(i), p.At[i])
	}
	return afar(authority, nameOf(i), p.At[i], p.Relays[i])
}

// word is what it says: how far it is, until all serve; then, each time it is asked, when entries were applied.
type word struct {
	Progress string      `json:",omitempty"`
	Serve    bool        `json:",omitempty"`
	Applied  []time.Time `json:",omitempty"`
	Failed   string      `json:",omitempty"`
}

// growth is by how much the heap of hundreds of edges, or of all relays, may grow before it is collected, in percent. Each of them would have a
// machine of its own, whose collector is done in less than a millisecond; one that goes through the heap of all holds all of them up for a tenth of
// a second.
const growth = 800

// ServeEdges is what a process for edges does: those that in tells of take part, and what becomes of it goes to out, until in ends.
func ServeEdges(in io.Reader, out io.Writer) error {
	debug.SetGCPercent(growth)
	told, say := json.NewDecoder(in), json.NewEncoder(out)
	var p post
	if err := told.Decode(&p); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	questions := make(chan []uint64)
	go func() { // until in ends, be it that whoever measures is gone before all serve
		defer close(questions)
		defer cancel()
		for {
			var seqs []uint64
			if told.Decode(&seqs) != nil {
				return
			}
			questions <- seqs
		}
	}()
	e, err := p.join(ctx, say)
	if err != nil {
		return errors.Join(err, say.Encode(word{Failed: err.Error()}))
	}
	defer e.end()
	for seqs := range questions {
		w := word{}
		if w.Applied, err = e.applied(seqs); err != nil {
			w.Failed = err.Error()
		}
		if err := say.Encode(w); err != nil {
			return err
		}
	}
	return nil
}

func (p post) join(ctx context.Context, say *json.Encoder) (*edges, error) {
	authority, err := admission.OpenAuthority(p.Authority, nil)
	if err != nil {
		return nil, err
	}
	c := Config{Edges: len(p.At), Farthest: 1, Progress: func(what string) { say.Encode(word{Progress: what}) }}
	e, err := c.join(ctx, func(i int) (*seat, error) { return p.seat(authority, i) })
	if err == nil {
		runtime.GC() // or what their start has left is collected while it is measured
		err = say.Encode(word{Serve: true})
	}
	return e, err
}

// abroad is the process as the one that measures sees it.
type abroad struct{ *process }

// elsewhere starts the edges in a process of their own, and waits until each may serve.
func (c Config) elsewhere(ctx context.Context, to post) (company, error) {
	p, err := begin(c.Elsewhere(ctx)) // it does not outlive the measuring
	if err != nil {
		return nil, err
	}
	a := abroad{p}
	if err := a.tell(to); err != nil {
		a.end()
		return nil, err
	}
	for {
		w, err := a.word()
		if err != nil {
			a.end()
			return nil, err
		}
		if w.Serve {
			return a, nil
		}
		c.progress("%s", w.Progress)
	}
}

func (a abroad) word() (w word, err error) {
	if err = a.hear(&w); err == nil && w.Failed != "" {
		err = errors.New(w.Failed)
	}
	if err != nil {
		err = fmt.Errorf("the process of the edges: %w", err)
	}
	return w, err
}

func (a abroad) applied(seqs []uint64) ([]time.Time, error) {
	if err := a.tell(seqs); err != nil {
		return nil, err
	}
	w, err := a.word()
	return w.Applied, err
}
