package edge

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/tier"
)

// family are edges that ask each other, of one journal and with one origin.
type family struct {
	*world // the first: its journal and origin are all edges'
	edges  map[string]*world

	mu    sync.Mutex
	away  map[string]bool                     // guarded by mu
	on    func(to string, a *tier.Ask)        // called with each question; may be nil
	heads func(from, to string, h *tier.Head) // called with each head; may be nil
	asked []string                            // "FRA50-1 FRA50-2", guarded by mu
}

// kin are names and places of edges.
type kin struct{ name, place string }

// families runs f with edges that are ready.
func families(t *testing.T, all []kin, f func(f *family), options ...func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fam := newFamily(t, all, options...)
		defer fam.stopAll()
		f(fam)
	})
}

func newFamily(t *testing.T, all []kin, options ...func(*world)) *family {
	t.Helper()
	fam := &family{edges: map[string]*world{}, away: map[string]bool{}}
	for _, k := range all {
		fam.adopt(k, newWorld(t, options...))
	}
	fam.world.configure(nil)
	for _, k := range all {
		fam.edges[k.name].start()
		if err := fam.edges[k.name].edge.Ready(); err != nil {
			t.Fatalf("%s is not ready: %v", k.name, err)
		}
	}
	return fam
}

// adopt makes w one of the family, before it starts.
func (f *family) adopt(k kin, w *world) {
	if f.world == nil {
		f.world = w
	}
	w.log, w.writer, w.origin = f.world.log, f.world.writer, f.world.origin
	w.config.Log, w.config.Origin = w.log, w.origin
	w.config.Name, w.config.Location, w.config.Address = k.name, k.place, k.name+":1"
	w.config.Tier = kinship{f, k.name}
	w.config.Join = func(ctx context.Context, j journal.EdgeJoined) error {
		_, err := w.writer.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{EdgeJoined: &j}}, nil })
		return err
	}
	w.config.Leave = func(ctx context.Context, l journal.EdgeLeft) error {
		_, err := w.writer.Commit(ctx, func() ([]journal.Fact, error) { return []journal.Fact{{EdgeLeft: &l}}, nil })
		return err
	}
	f.edges[k.name] = w
}

func (f *family) stopAll() {
	for _, w := range f.edges {
		w.stop()
	}
}

// place says what a place is to others.
func (f *family) place(name, parent string, regions ...string) {
	f.commit(journal.Fact{PlacePut: &journal.PlacePut{Place: name, Parent: parent, Regions: regions}})
}

func (f *family) lose(name string, lost bool) {
	f.mu.Lock()
	f.away[name] = lost
	f.mu.Unlock()
}

// take returns who has asked whom since the last call.
func (f *family) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.asked
	f.asked = nil
	return all
}

// kinship is how one edge asks the others.
type kinship struct {
	f    *family
	from string
}

var errLost = errors.New("nobody is there")

func (k kinship) Away(e tier.Edge) bool { return false }

func (k kinship) Ask(ctx context.Context, e tier.Edge, a *tier.Ask) (*tier.Answer, error) {
	k.f.mu.Lock()
	k.f.asked = append(k.f.asked, k.from+" "+e.Name)
	lost, on, heads := k.f.away[e.Name], k.f.on, k.f.heads
	k.f.mu.Unlock()
	if on != nil {
		on(e.Name, a)
	}
	if lost {
		return nil, errLost
	}
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	p := &pipe{head: make(chan *tier.Head, 1), w: w}
	context.AfterFunc(ctx, func() { r.CloseWithError(context.Canceled) }) // as a connection does
	go func() {
		k.f.edges[e.Name].edge.ServeChild(ctx, k.from, a, p)
		p.close()
	}()
	select {
	case h := <-p.head:
		if heads != nil {
			heads(k.from, e.Name, h)
		}
		if h.Refused != "" || h.Failure != "" {
			cancel()
			return &tier.Answer{Head: *h}, nil
		}
		return &tier.Answer{Head: *h, Body: &pipeBody{r, cancel}}, nil
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

// pipe is a childWriter to a reader nearby.
type pipe struct {
	head chan *tier.Head
	w    *io.PipeWriter
	done bool
}

func (p *pipe) Head(h *tier.Head) error {
	c := *h
	c.Fields = h.Fields.Clone()
	p.head <- &c
	return nil
}
func (p *pipe) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p *pipe) Flush() error                { return nil }
func (p *pipe) End() error                  { p.done = true; return p.w.Close() }
func (p *pipe) Cut()                        { p.w.CloseWithError(io.ErrUnexpectedEOF) }
func (p *pipe) close()                      { p.w.CloseWithError(io.ErrUnexpectedEOF) }

type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// at is the world of an edge.
func (f *family) at(name string) *world { return f.edges[name] }

const virtualMoment = 10 * time.Millisecond

// lowest is the place that k's is to be the parent of: that of the edge adopted before it.
func (f *family) lowest(k kin) string {
	if k.place == "IAD89" {
		return "LHR50"
	}
	return "FRA50"
}
