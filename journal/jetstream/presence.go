package jetstream

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// presence is who else has the log in the same external NATS, as they tell of themselves; and whether that answers.
type presence struct {
	l  *Log
	id string // of this process

	began time.Time
	stops []func() // of start; stop calls the last first

	mu     sync.Mutex
	others map[string]*present // by id; guarded by mu
	heard  time.Time           // when NATS has last said who leads the stream; guarded by mu
	why    error               // what was wrong with the last answer, since; guarded by mu
}

// present is what a control node tells of itself.
type present struct {
	ID      string
	Node    string
	Address string // where edges find it
	Hello   bool   `json:",omitempty"` // the others are to tell at once
	Gone    bool   `json:",omitempty"`
	ability

	at time.Time
}

const (
	presenceBeat  = time.Second
	presenceLong  = 5 * presenceBeat // without a sign it is gone
	mostPresent   = 64               // L9; beyond it others are not known of
	natsSilent    = 7 * time.Second  // for how long nobody may say who leads the stream before another server is tried, and then the next: longer than most elections, and less than election
	natsAway      = 3 * time.Second  // for how long there may be no connection to NATS before requests are refused
	mostQuestions = 64               // of other control nodes, at once (L9)
)

func (x *External) controlSubject() string { return x.prefix() + ".control" }
func (x *External) askSubject() string     { return x.prefix() + ".ask" }

func newPresence(l *Log) *presence {
	return &presence{l: l, id: rand.Text(), began: time.Now(), heard: time.Now(), others: map[string]*present{}}
}

func (p *presence) start() error {
	stop, err := p.l.engine.subscribe(p.l.c.External.controlSubject(), "", p.hear)
	if err != nil {
		return err
	}
	p.stops = append(p.stops, stop)
	stop, err = p.l.engine.serve(p.l.c.External.askSubject(), "", bound{mostQuestions, mostQuestions}, p.l.answerOthers)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.run(ctx) })
	p.stops = append(p.stops, stop, func() { cancel(); running.Wait() })
	return nil
}

func (p *presence) stop() {
	for _, f := range slices.Backward(p.stops) {
		f()
	}
	p.tell(present{Gone: true})
	p.l.engine.nc.FlushTimeout(time.Second)
}

// run tells of this node, and looks whether NATS answers. A server that is cut off from the others keeps its clients: whoever stays there waits for as
// long as that takes, while the others go on.
func (p *presence) run(ctx context.Context) {
	beat := time.NewTicker(presenceBeat)
	defer beat.Stop()
	came := time.Now() // to this server
	for hello := true; ; hello = false {
		p.tell(present{Hello: hello})
		_, err := p.l.askEnd(ctx)
		p.mu.Lock()
		if p.why = err; err == nil {
			p.heard = time.Now()
		}
		heard := p.heard
		p.mu.Unlock()
		if time.Since(heard) > natsSilent && time.Since(came) > natsSilent && p.l.move(err) {
			came = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
	}
}

// move goes to another server, if one is known. What has been asked and not been answered is in doubt then, as after any lost connection.
func (l *Log) move(why error) bool {
	nc := l.engine.nc
	if !nc.IsConnected() || len(nc.Servers()) < 2 {
		return false
	}
	l.log.Warn("NATS is there, and nobody leads the stream; trying another server", "at", nc.ConnectedAddr(), "err", why)
	return nc.ForceReconnect() == nil
}

// tell tells the others; without NATS nobody hears it.
func (p *presence) tell(s present) {
	s.ID, s.Node, s.ability = p.id, p.l.c.External.Node, p.l.ability()
	if n := p.l.c.Network; n != nil {
		s.Address = cmp.Or(n.Advertise, p.l.Addr())
	}
	if b, err := json.Marshal(s); err == nil {
		p.l.engine.nc.Publish(p.l.c.External.controlSubject(), b)
	}
}

// hear takes what a node tells.
func (p *presence) hear(m *nats.Msg) {
	var s present
	if err := json.Unmarshal(m.Data, &s); err != nil || s.ID == p.id || s.ID == "" {
		return
	}
	s.at = time.Now()
	p.mu.Lock()
	p.expire()
	if s.Gone {
		delete(p.others, s.ID)
	} else if p.others[s.ID] != nil || len(p.others) < mostPresent {
		p.others[s.ID] = &s
	}
	p.mu.Unlock()
	if s.Hello {
		p.tell(present{})
	}
}

// expire forgets who has not told for long; with mu.
func (p *presence) expire() {
	maps.DeleteFunc(p.others, func(_ string, s *present) bool { return time.Since(s.at) > presenceLong })
}

// here are the others.
func (p *presence) here() []*present {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire()
	return slices.SortedFunc(maps.Values(p.others), func(a, b *present) int { return strings.Compare(a.Node+a.ID, b.Node+b.ID) })
}

func (p *presence) many() int { return len(p.here()) }

// nodes is Log.Nodes: none of them leads.
func (p *presence) nodes() []Standing {
	all := []Standing{{Node: p.l.c.External.Node, Reached: true}}
	for _, s := range p.here() {
		all = append(all, Standing{Node: s.Node, Reached: true})
	}
	return all
}

// addresses is Log.Others: after a while all have told.
func (p *presence) addresses() (addresses []string, all bool) {
	for _, s := range p.here() {
		if s.Address != "" && !slices.Contains(addresses, s.Address) {
			addresses = append(addresses, s.Address)
		}
	}
	return addresses, time.Since(p.began) > 2*presenceBeat
}

// reached is Log.Quorum.
func (p *presence) reached() error {
	p.mu.Lock()
	silent, why := time.Since(p.heard), p.why
	p.mu.Unlock()
	x, connected := p.l.c.External, p.l.engine.nc.IsConnected()
	switch {
	case silent < natsAway, connected && silent < election:
		return nil
	case !connected:
		if why = cmp.Or(p.l.engine.nc.LastError(), why); errors.Is(why, nats.ErrReconnectBufExceeded) { // which says just that
			why = nats.ErrNoServers
		}
		return fmt.Errorf("%w: there is no connection to %s: %w", ErrNATS, x, why)
	}
	return fmt.Errorf("%w: nobody leads the stream %s of %s: %v", ErrNATS, p.l.c.names().stream, x, why)
}
