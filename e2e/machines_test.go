package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// machine is an edge that is a process of its own.
type machine struct {
	proc  *process
	place int // in the list of edges: e1, e2, ...
}

// control [flag...]: a control node without edges.
func controlVerb(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	check(ts, neg, w.startControl(append(controlAtFixed(), args...)))
	point(ts)
}

// controlAtFixed are the arguments of a control node that comes back to its addresses.
func controlAtFixed() []string {
	return []string{"control", "--control", fixedAddress(), "--journal", fixedAddress()}
}

// startControl starts a control node; its edges stay what they are.
func (w *world) startControl(args []string) error {
	edges := []struct{ Name, URL, HTTPS string }(nil)
	if w.proc != nil {
		edges = w.proc.ready.Edges
	}
	p, err := launch(w.dir, args)
	if err != nil {
		return err
	}
	p.ready.Edges = edges
	w.proc, w.args = p, args
	return nil
}

// edge NAME [flag...]: an edge in a process of its own, the next of e1, e2, ...; at its first start with a token, later
// without.
func edgeVerb(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: edge NAME [flag...]")
	}
	check(ts, neg, of(ts).startEdge(args[0], args[1:]))
	point(ts)
}

func (w *world) startEdge(name string, flags []string) error {
	m := w.edges[name]
	args := append([]string{"edge", "--https", "off", "--cache-size", "32MiB"}, flags...)
	if m == nil {
		token, err := w.token(name)
		if err != nil {
			return err
		}
		args = append(args, "--http", fixedAddress(), "--token", token)
	} else {
		args = append(args, "--http", strings.TrimPrefix(m.proc.ready.Edges[0].URL, "http://"))
	}
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p, err := launch(dir, args)
	if err != nil {
		return err
	}
	if m == nil {
		m = &machine{place: len(w.proc.ready.Edges)}
		w.edges[name] = m
		w.proc.ready.Edges = append(w.proc.ready.Edges, p.ready.Edges[0])
	}
	m.proc = p
	return nil
}

// relay NAME [flag...]: a relay in a process of its own; at its first start with a token, later without, at the same address. $RELAY_NAME is
// where it is.
func relayVerb(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: relay NAME [flag...]")
	}
	w := of(ts)
	check(ts, neg, w.startRelay(args[0], args[1:]))
	ts.Setenv("RELAY_"+args[0], w.relays[args[0]].ready.Relay)
}

func (w *world) startRelay(name string, flags []string) error {
	args := []string{"relay", "--listen", "127.0.0.1:0"}
	if was := w.relays[name]; was != nil {
		args = append(args, "--listen", was.ready.Relay)
	} else {
		token, err := w.tokenFor("relay", name)
		if err != nil {
			return err
		}
		args = append(args, "--token", token)
	}
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	p, err := launch(dir, append(args, flags...))
	if err == nil {
		w.relays[name] = p
	}
	return err
}

func (w *world) token(name string) (string, error) { return w.tokenFor("edge", name) }

func (w *world) tokenFor(role, name string) (string, error) {
	cmd := exec.Command(binary(), role, "token", name, "--data", filepath.Join(w.dir, "data"))
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s token: %w", role, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// named is the process that a verb means.
func (w *world) named(ts *testscript.TestScript, args []string) *process {
	if len(args) == 0 {
		return w.proc
	}
	if p := w.relays[args[0]]; p != nil {
		return p
	}
	m := w.edges[args[0]]
	if m == nil {
		ts.Fatalf("there is no edge %s", args[0])
	}
	return m.proc
}

func (w *world) closeEdges() {
	for _, m := range w.edges {
		select {
		case <-m.proc.ended:
		default:
			m.proc.kill()
		}
	}
	for _, p := range w.relays {
		select {
		case <-p.ended:
		default:
			p.kill()
		}
	}
}
