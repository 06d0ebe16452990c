package node

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/ownapi"
)

// papers are what a new control node gets from another one.
type papers struct {
	Node      string
	Authority admission.Papers
}

// entries are the tokens for control nodes that this process has made. They end with it.
type entries struct {
	mu  sync.Mutex
	all map[string]*entry // by the public half
}

type entry struct {
	hash, node string
	expires    time.Time
	used       bool
}

const maxEntries = 64

// add takes a token, if there is room.
func (x *entries) add(id string, e *entry) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	maps.DeleteFunc(x.all, func(_ string, e *entry) bool { return time.Now().After(e.expires) })
	if len(x.all) >= maxEntries {
		return false
	}
	if x.all == nil {
		x.all = map[string]*entry{}
	}
	x.all[id] = e
	return true
}

// known tells of a token that has been made here, used or not.
func (x *entries) known(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.all[id] != nil
}

// use uses a token up, and returns for which node it was.
func (x *entries) use(t admission.Token) (node string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.all[t.ID]
	switch {
	case e == nil || subtle.ConstantTimeCompare([]byte(e.hash), []byte(t.Hash())) != 1:
		return "", errors.New("the token is not known here. Is it whole?")
	case e.used:
		return "", fmt.Errorf("the token is used up. Make another one: warmfront control token %s", e.node)
	case time.Now().After(e.expires):
		return "", fmt.Errorf("the token has expired, at %s. Make another one: warmfront control token %s", e.expires.Format(time.RFC3339), e.node)
	}
	e.used = true
	return e.node, nil
}

// controlToken makes a token for a control node. That it was made is written down first, which takes a quorum: while one is missing
// and another has lost its disk, nobody may take a place.
func (g *gate) controlToken(ctx context.Context, by journal.Actor, w ownapi.ControlWish) (ownapi.ControlToken, error) {
	if !nodeName.MatchString(w.Node) {
		return ownapi.ControlToken{}, &control.Error{Code: "InvalidArgument",
			Message: fmt.Sprintf("%.70q is no name for a control node: letters, digits and dashes, at most 63, as in control2.", w.Node)}
	}
	if err := g.control.Load().AccessChanged(ctx, by, "CreateControlToken", "control/"+w.Node); err != nil {
		return ownapi.ControlToken{}, err
	}
	t := admission.Token{Node: w.Node, Addresses: g.c.Advertise[:1], Root: g.authority.Fingerprint(), ID: rand.Text()[:12], Secret: rand.Text()}
	e := &entry{hash: t.Hash(), node: w.Node, expires: time.Now().Add(w.Life)}
	if !g.entries.add(t.ID, e) {
		return ownapi.ControlToken{}, &control.Error{Code: "Conflict", Message: fmt.Sprintf("There are %d tokens for control nodes. Wait until some have expired.", maxEntries)}
	}
	return ownapi.ControlToken{Token: t.String(), Node: w.Node, Expires: e.expires}, nil
}

// enter is jetstream.Desk.Enter.
func (g *gate) enter(ctx context.Context, line string) (b []byte, known bool, err error) {
	t, err := admission.ParseControlToken(line)
	if err != nil || !g.entries.known(t.ID) {
		return nil, err == nil && g.entries.known(t.ID), err
	}
	p := papers{}
	if p.Node, err = g.entries.use(t); err != nil {
		return nil, true, err
	}
	if err := g.control.Load().AccessChanged(ctx, journal.Actor{}, "ControlAdmitted", "control/"+p.Node); err != nil {
		return nil, true, err
	}
	if p.Authority, err = admission.ReadPapers(filepath.Join(g.c.Data, "authority")); err != nil {
		return nil, true, err
	}
	b, err = json.Marshal(p)
	return b, true, err
}

// joining marks a directory whose control node has its papers, and no replica yet.
const joining = "joining"

// hasJournal tells whether there is a journal, or a replica of one, or is about to be one.
func (c *Config) hasJournal() bool {
	dir := filepath.Join(c.Data, "journal")
	return exists(filepath.Join(dir, "jetstream")) || exists(filepath.Join(dir, "replica", "jetstream")) || exists(filepath.Join(c.Data, joining))
}

// enter makes this machine a control node with the token, if it is none yet.
func (c *Config) enter(ctx context.Context) error {
	dir := filepath.Join(c.Data, "authority")
	_, err := os.Stat(filepath.Join(dir, "authority.pem"))
	switch {
	case c.Token == "" && len(c.Peers) > 0 && err != nil: // it would make an authority of its own
		return fmt.Errorf("%s holds no control node yet. Several are grown from one that has run alone: have a token made where that runs, "+
			"warmfront control token %s, and start once with --token", c.Data, c.Name)
	case c.Token == "":
		return nil
	case err == nil && (len(c.Peers) == 0 || c.hasJournal()): // one of several that has lost its journal takes its own place
		c.Logger.Warn("this directory has a control node's papers; the token is left unused", "dir", dir)
		return nil
	}
	t, err := admission.ParseControlToken(c.Token)
	if err != nil {
		return fmt.Errorf("--token: %w", err)
	}
	if t.Node != c.Name {
		return fmt.Errorf("--token is for control node %s, and --name says %q", t.Node, c.Name)
	}
	a, err := admission.NewApplicant(t)
	if err != nil {
		return err
	}
	b, err := jetstream.Enter(ctx, t.Addresses, a.TLS(), t.ID, t.String(), c.Version)
	if errors.Is(err, jetstream.ErrRefused) {
		return fmt.Errorf("%w: the token is not known there, or not any more: it ends with the process that made it. Make another one: warmfront control token %s", err, t.Node)
	}
	p := papers{}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return fmt.Errorf("this machine has not become a control node: %w", err)
	}
	if err := writeFile(filepath.Join(c.Data, joining), []byte(p.Node+"\n")); err != nil {
		return err
	}
	if err := p.Authority.Keep(dir); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "This machine is control node %s now.\n", p.Node)
	return nil
}
