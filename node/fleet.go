package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
)

// asker is jetstream.Log as a fleet needs it.
type asker interface {
	Ask(ctx context.Context, edge string, question []byte) (answer []byte, err error)
}

// fleet is the edges of other machines, as the doors see them.
type fleet struct {
	log     *jetstream.Log
	edges   asker // the log, by which they are asked
	control *control.Control

	mu     sync.Mutex // held while the edges are asked: who comes meanwhile gets the same answers
	asked  time.Time
	of     map[string]string // members then, with their incarnations
	places []ownapi.Place
}

const (
	fleetEvery    = 200 * time.Millisecond // the edges are asked no more often
	fleetPatience = time.Second            // for each
	fleetMost     = 1024                   // are asked at once; a question is a message, and as many edges as may be are ten rounds of silence at worst
)

// connected returns those that are connected and have just said how they are, by name.
func (f *fleet) connected() []ownapi.Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := map[string]string{}
	for _, n := range f.control.Nodes() {
		of[n.Edge] = n.Incarnation
	}
	if time.Since(f.asked) < fleetEvery && maps.Equal(of, f.of) { // who has just joined is there at once
		return f.places
	}
	all := f.admitted(false)
	states := make([]*edgeState, len(all))
	f.askAll(all, func(i int, a *answer) { states[i] = a.State })
	f.places = nil
	for i, s := range states {
		if s != nil {
			e := all[i]
			there := &distant{f, e.Edge, s}
			f.places = append(f.places, ownapi.Place{
				Name: e.Edge, Location: e.Location, URL: s.URL, HTTPS: s.HTTPS, Version: s.Version, Edge: there, Verify: there.verify,
				Traffic: func() (hits, misses uint64) { return s.Hits, s.Misses },
			})
		}
	}
	slices.SortFunc(f.places, func(a, b ownapi.Place) int { return strings.Compare(a.Name, b.Name) })
	f.asked, f.of = time.Now(), of
	return f.places
}

// admitted are the relays, or the edges.
func (f *fleet) admitted(relays bool) []control.Admitted {
	return slices.DeleteFunc(f.control.AllAdmitted(), func(a control.Admitted) bool { return admission.IsRelay(a.Edge) != relays })
}

// askAll asks all of them how they are, and takes the answers that come, from several goroutines. Each has its own time: who is asked late, because
// there are many or some are silent, is not silent for that.
func (f *fleet) askAll(all []control.Admitted, take func(i int, a *answer)) {
	atMost(fleetMost, len(all), func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), fleetPatience)
		defer cancel()
		if a, err := f.ask(ctx, all[i].Edge, question{Do: "state"}); err == nil {
			take(i, a)
		}
	})
}

// atMost does all n, so many at once, and waits for them.
func atMost(most, n int, do func(i int)) {
	var doing sync.WaitGroup
	slots := make(chan struct{}, most)
	for i := range n {
		slots <- struct{}{}
		doing.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	doing.Wait()
}

// relays are all that are admitted, by name; one that does not answer has no version.
func (f *fleet) relays() []ownapi.Relay {
	all := f.admitted(true)
	out := make([]ownapi.Relay, len(all))
	for i, a := range all {
		out[i].Name = strings.TrimPrefix(a.Edge, admission.Relay(""))
	}
	f.askAll(all, func(i int, a *answer) {
		if s := a.Relay; s != nil {
			out[i] = ownapi.Relay{Name: out[i].Name, Version: s.Version, Address: s.Address, Ready: true, Edges: s.Edges, Connections: s.Tunnels, Position: s.Seq}
		}
	})
	slices.SortFunc(out, func(a, b ownapi.Relay) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (f *fleet) ask(ctx context.Context, edge string, q question) (*answer, error) {
	b, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return f.askWords(ctx, edge, b)
}

// askWords is ask for a question that is encoded already.
func (f *fleet) askWords(ctx context.Context, edge string, words []byte) (*answer, error) {
	b, err := f.edges.Ask(ctx, edge, words)
	if err != nil {
		return nil, err
	}
	a := &answer{}
	if err := json.Unmarshal(b, a); err != nil {
		return nil, err
	}
	return a, a.err()
}

// listen adds what the edges have answered to the meter, now and again, until ctx ends. What an edge counted before this process
// first heard of it is not news.
func (f *fleet) listen(ctx context.Context, m *ownapi.Meter) error {
	again := time.NewTicker(trafficEvery)
	defer again.Stop()
	var t traffic
	for {
		of := f.connected()
		t.keep(f.admitted(false))
		atMost(fleetMost, len(of), func(i int) {
			within, cancel := context.WithTimeout(ctx, fleetPatience)
			defer cancel()
			if a, err := f.ask(within, of[i].Name, question{Do: "traffic"}); err == nil {
				for id, c := range t.news(of[i].Name, a.Traffic) {
					m.Add(id, c)
				}
			}
		})
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// traffic is what each edge had counted when it was heard last, by distribution. The zero value has heard nobody. Its methods may be
// called concurrently.
type traffic struct {
	mu   sync.Mutex
	seen map[string]map[string]ownapi.Counts
}

// news is what an edge has counted since it was heard last; of one that is heard for the first time, nothing.
func (t *traffic) news(edge string, now map[string]ownapi.Counts) map[string]ownapi.Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := map[string]ownapi.Counts{}
	if before, heard := t.seen[edge]; heard {
		for id, c := range now {
			news[id] = c.Since(before[id])
		}
	}
	if t.seen == nil {
		t.seen = map[string]map[string]ownapi.Counts{}
	}
	t.seen[edge] = now
	return news
}

// keep forgets who is not admitted any more.
func (t *traffic) keep(all []control.Admitted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	admitted := make(map[string]bool, len(all))
	for _, a := range all {
		admitted[a.Edge] = true
	}
	maps.DeleteFunc(t.seen, func(edge string, _ map[string]ownapi.Counts) bool { return !admitted[edge] })
}

// trafficEvery is some times in each step of the meter.
const trafficEvery = 2 * time.Second

// drain asks an edge to stop cleanly.
func (f *fleet) drain(ctx context.Context, edge string) error {
	_, err := f.ask(ctx, edge, question{Do: "drain"})
	if errors.Is(err, jetstream.ErrAway) {
		return &control.Error{Code: "NoSuchEdge", Message: "The edge " + edge + " is not connected: there is nobody to stop."}
	}
	return err
}

// distant is an ownapi.Edge on another machine, as it was when it was asked.
type distant struct {
	fleet *fleet
	name  string
	state *edgeState
}

// ask asks it.
func (d *distant) ask(ctx context.Context, q question) (*answer, error) {
	a, err := d.fleet.ask(ctx, d.name, q)
	return a, silent(err)
}

// silent is what became of a question to an edge: one that is not connected any more has just been.
func silent(err error) error {
	if errors.Is(err, jetstream.ErrAway) {
		return ownapi.ErrSilent
	}
	return err
}

func (d *distant) Stats() edge.Stats { return d.state.Stats }

func (d *distant) Ready() error {
	if d.state.NotReady != "" {
		return errors.New(d.state.NotReady)
	}
	return nil
}

func (d *distant) Receipts(ctx context.Context, of []ownapi.ReceiptOf) ([]*edge.Receipt, error) {
	a, err := d.ask(ctx, question{Do: "receipts", Of: of})
	if err != nil {
		return nil, err
	}
	if len(a.Receipts) != len(of) {
		return nil, d.nonsense()
	}
	return a.Receipts, nil
}

func (d *distant) Preview(ctx context.Context, distribution string, of *edge.Selection) (*edge.Preview, error) {
	words, err := of.Told(func() ([]byte, error) { return previewQuestion(distribution, of) })
	if err != nil {
		return nil, err
	}
	a, err := d.fleet.askWords(ctx, d.name, words)
	if err != nil {
		return nil, silent(err)
	}
	if a.Preview == nil || len(a.Preview.Items) != len(of.Items) {
		return nil, d.nonsense()
	}
	return a.Preview, nil
}

// previewQuestion encodes a preview. With thousands of items that is work, and the same for each of thousands of edges.
func previewQuestion(distribution string, of *edge.Selection) ([]byte, error) {
	lines, err := text(of.Items)
	if err != nil {
		return nil, err
	}
	q := question{Do: "preview", Distribution: distribution, Items: lines}
	if of.Where != nil {
		c := of.Where.Conditions()
		q.Where = &c
	}
	return json.Marshal(q)
}

func (d *distant) Popular(ctx context.Context, distribution string, most int) (*edge.Popular, error) {
	a, err := d.ask(ctx, question{Do: "popular", Distribution: distribution, Most: most})
	if err != nil {
		return nil, err
	}
	if a.Popular == nil {
		return nil, d.nonsense()
	}
	return a.Popular, nil
}

func (d *distant) Explain(ctx context.Context, q edge.Question) (*edge.Explanation, error) {
	a, err := d.ask(ctx, question{Do: "explain", Explain: &q})
	if err != nil {
		return nil, err
	}
	if a.Explanation == nil {
		return nil, d.nonsense()
	}
	return a.Explanation, nil
}

// verify is ownapi.Place.Verify: the edge asks itself.
func (d *distant) verify(ctx context.Context, q *ownapi.Verification) (*ownapi.Verified, error) {
	a, err := d.ask(ctx, question{Do: "verify", Verify: q})
	if err != nil {
		return nil, err
	}
	if a.Verified == nil {
		return nil, d.nonsense()
	}
	return a.Verified, nil
}

func (d *distant) nonsense() error { return fmt.Errorf("edge %s answered something else", d.name) }
