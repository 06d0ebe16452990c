package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// machine is what becomes one of Warmfront's with a token: an edge, or a relay.
type machine struct {
	noun    string
	command string // that makes a token
	example string // of a name
	relay   bool
}

var (
	anEdge = machine{"edge", "warmfront edge token", "FRA50-1", false}
	aRelay = machine{"relay", "warmfront relay token", "fra1", true}
)

// name is who it is, as people call it.
func (m machine) name(i *admission.Identity) string {
	return strings.TrimPrefix(i.Edge, admission.Relay(""))
}

// of opens the identity of a data directory, if there is one, which must be of this kind.
func (m machine) of(data string) (*admission.Identity, error) {
	i, err := admission.OpenIdentity(filepath.Join(data, "identity"))
	if err == nil && i != nil && admission.IsRelay(i.Edge) != m.relay {
		return nil, fmt.Errorf("%s is not %s: what it holds is the identity of %s. Choose another directory with --data", data, article(m.noun), i.Edge)
	}
	return i, err
}

func article(noun string) string {
	if strings.HasPrefix(noun, "e") {
		return "an " + noun
	}
	return "a " + noun
}

// identity reads who this machine is, or becomes it with the token.
func (c *Config) identity(ctx context.Context, m machine) (*admission.Identity, error) {
	have, err := m.of(c.Data)
	switch {
	case err != nil:
		return nil, err
	case have != nil && c.Token != "" && !c.useless(have):
		c.Logger.Warn("this directory has an identity; the token is left unused", m.noun, m.name(have), "data", c.Data)
		return have, nil
	case have != nil && c.Token == "":
		if time.Now().After(have.Expires()) {
			return nil, fmt.Errorf("the certificate of %s %s has expired, at %s: no control node was reached for so long. Have a token made, %s %s, and start once with --token",
				m.noun, m.name(have), have.Expires().UTC().Format(time.RFC3339), m.command, m.name(have))
		}
		return have, nil
	case c.Token == "":
		return nil, fmt.Errorf("%s holds no %s yet: have a token made where the control plane runs, %s %s, and start once with --token", c.Data, m.noun, m.command, m.example)
	}
	return c.become(ctx, m, have)
}

// become uses the token. have is what the machine was; nil: nothing.
func (c *Config) become(ctx context.Context, m machine, have *admission.Identity) (*admission.Identity, error) {
	t, err := admission.ParseToken(c.Token)
	if err != nil {
		return nil, fmt.Errorf("--token: %w", err)
	}
	if t.Relay != m.relay {
		return nil, fmt.Errorf("--token: it is not for %s; have another one made: %s", article(m.noun), m.command)
	}
	a, err := admission.NewApplicant(t)
	if err != nil {
		return nil, err
	}
	given, err := jetstream.Apply(ctx, t.Addresses, c.Relays, a.TLS(), t.ID, jetstream.Application{Version: c.Version, Token: t.String(), Request: a.Request})
	if errors.Is(err, jetstream.ErrRefused) && have == nil {
		return nil, fmt.Errorf("%w: the token is not known there, or not any more. Make another one: %s", err, m.command)
	}
	if err != nil && have != nil && time.Now().Before(have.Expires()) { // a node that has just started refuses everybody
		c.Logger.Warn("the control plane refuses this machine, and the token too; going on with what there is", m.noun, m.name(have), "err", err)
		return have, nil
	}
	if err != nil {
		return nil, fmt.Errorf("this machine has not become %s: %w", article(m.noun), err)
	}
	if have, err = a.Keep(filepath.Join(c.Data, "identity"), given.Edge, given.Location, given.Certificate, given.Root, given.Addresses); err != nil {
		return nil, err
	}
	if m.relay {
		fmt.Fprintf(c.Out, "This machine is relay %s now.\n", m.name(have))
	} else {
		fmt.Fprintf(c.Out, "This machine is edge %s of %s now.\n", have.Edge, have.Location)
	}
	return have, nil
}

// useless reports whether an identity makes nobody what it was any more: it has expired, or the control plane refuses it.
func (c *Config) useless(i *admission.Identity) bool {
	return time.Now().After(i.Expires()) || errors.Is(jetstream.Knock(i.Addresses, c.Relays, i.TLS(), i.Edge), jetstream.ErrRefused)
}
