package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/bench/fleet"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// What is measured here is the way out and back: each edge has its connections, with TLS and certificates, to a control node or to a
// relay, hears what is pushed and acknowledges it. It applies nothing and does not probe. Control node, each relay, and all edges
// together are processes of their own, on the same machine.

// task is what a process of its own does; it is told so as JSON.
type task struct {
	Do      string // "relay", "edges"
	Dir     string // of the authority
	Control string
	Name    string // of a relay
	Relays  []string
	Edges   int
}

// perWired is how many invalidations are measured, and warm how many before them are not.
const (
	perWired = 30
	warm     = 5
)

// wired measures edges with connections, without relays and with them.
func wired(ctx context.Context, out *bytes.Buffer) error {
	fmt.Fprintf(out, "%d invalidations, one after another, to edges with connections of their own, which hear and acknowledge; edges, relays and control node on the same cores:\n\n", perWired)
	fmt.Fprint(out, "| edges | relays | accepted p50 | p99 | heard everywhere p50 | p99 | Completed p50 | p99 |\n|---|---|---|---|---|---|---|---|\n")
	for _, size := range strings.Split(*wires, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-wired: %w", err)
		}
		for _, relays := range slices.Compact([]int{0, *relayed}) {
			fmt.Fprintf(os.Stderr, "%d edges with connections, %d relays\n", n, relays)
			f, err := measureWired(ctx, n, relays)
			if err != nil && ctx.Err() != nil {
				return err
			}
			if err != nil { // what it says of the machine belongs into the table, beside what was measured
				fmt.Fprintf(out, "| %d | %d | not measured: %v | | | | | |\n", n, relays, err)
				continue
			}
			fmt.Fprintf(out, "| %d | %d | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f ms | %.1f ms |\n", n, relays,
				f.Accepted, f.AcceptedP99, f.Applied, f.AppliedP99, f.Completed, f.CompletedP99)
		}
	}
	fmt.Fprintln(out)
	return nil
}

// enoughDescriptors refuses what would end in the middle. Go has raised the soft limit to the hard one at the start.
func enoughDescriptors(n, relays int) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	need := n + 256
	if relays > 0 {
		need += n // on the way to a relay an edge has a connection to the control node, too
	}
	if l.Cur < uint64(need) {
		return fmt.Errorf("it takes %d file descriptors in a process, and the hard limit is %d (ulimit -Hn)", need, l.Cur)
	}
	return nil
}

func measureWired(ctx context.Context, n, relays int) (f fleetFigures, err error) {
	if err := enoughDescriptors(n, relays); err != nil {
		return f, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "warmfront-scale-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	authority, err := admission.OpenAuthority(filepath.Join(dir, "authority"), nil)
	if err != nil {
		return f, err
	}
	show, err := authority.Control()
	if err != nil {
		return f, err
	}
	log, err := jetstream.Open(ctx, jetstream.Config{Dir: filepath.Join(dir, "journal"), Network: &jetstream.Network{
		Address: "127.0.0.1:0", TLS: show, Admit: fleet.Admit, Sign: authority.SignPush,
	}})
	if err != nil {
		return f, err
	}
	defer log.Close()
	plane, stop, err := startPlane(ctx, log)
	if err != nil {
		return f, err
	}
	defer stop()
	closeDesk, err := log.ServeEdges(jetstream.Desk{
		Join: func(ctx context.Context, j journal.EdgeJoined, _ string) error {
			_, err := plane.Join(ctx, j)
			return err
		},
		Leave: plane.Leave, Tick: plane.Tick, Shown: func(jetstream.Shown) bool { return true },
	})
	if err != nil {
		return f, err
	}
	defer closeDesk()
	said := &acknowledged{of: map[string][]journal.Ack{}}
	stopAcks, err := log.Acks(said.take)
	if err != nil {
		return f, err
	}
	defer stopAcks()
	t := task{Do: "edges", Dir: filepath.Join(dir, "authority"), Control: log.Addr(), Edges: n}
	for i := range relays {
		at, end, err := begin(ctx, task{Do: "relay", Dir: t.Dir, Control: t.Control, Name: fmt.Sprint("r", i+1)})
		if err != nil {
			return f, err
		}
		defer end()
		t.Relays = append(t.Relays, at)
	}
	_, end, err := begin(ctx, t)
	if err != nil {
		return f, err
	}
	defer end()
	fmt.Fprintf(os.Stderr, "  the journal has %d entries\n", plane.Seq())
	return invalidateWired(ctx, plane, said, n)
}

// startPlane starts a control plane and waits until it has read the journal.
func startPlane(ctx context.Context, log journal.Log) (*control.Control, func(), error) {
	plane, err := control.New(control.Config{Log: log})
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() { plane.Run(running) })
	<-plane.Ready()
	return plane, func() { cancel(); all.Wait() }, nil
}

// invalidateWired invalidates again when the one before is Completed, and everything is still for a moment.
func invalidateWired(ctx context.Context, plane *control.Control, said *acknowledged, edges int) (f fleetFigures, err error) {
	d, err := plane.CreateDistribution(ctx, who, fleet.Site(), nil)
	if err != nil {
		return f, err
	}
	var accepted, heard, completed []time.Duration
	start := time.Now()
	defer func() { progress(start, "%d invalidations Completed", len(completed)+warm) }()
	for i := range warm + perWired {
		began := time.Now()
		inv, _, err := plane.CreateInvalidation(ctx, who, d.ID, &wire.InvalidationBatch{
			CallerReference: wire.Ptr(fmt.Sprint(i)), Paths: &wire.Paths{Quantity: wire.Ptr[int64](1), Items: []string{fmt.Sprintf("/images/%d/*", i)}},
		})
		if err != nil {
			return f, err
		}
		took := time.Since(began)
		done, err := awaitCompleted(ctx, plane, d.ID, inv.ID)
		if err != nil {
			return f, err
		}
		last, all := said.last(inv.Seq)
		if all < edges {
			return f, fmt.Errorf("invalidation %d is Completed, and %d of %d edges have acknowledged it", i, all, edges)
		}
		if i >= warm {
			accepted, heard, completed = append(accepted, took), append(heard, last.Sub(began)), append(completed, done.Sub(began))
		}
		select {
		case <-ctx.Done():
			return f, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	ms := func(all []time.Duration, q float64) float64 {
		return float64(fleet.Quantile(all, q).Microseconds()) / 1000
	}
	return fleetFigures{
		Accepted: ms(accepted, 0.5), AcceptedP99: ms(accepted, 0.99), Applied: ms(heard, 0.5), AppliedP99: ms(heard, 0.99),
		Completed: ms(completed, 0.5), CompletedP99: ms(completed, 0.99),
	}, nil
}

func awaitCompleted(ctx context.Context, plane *control.Control, distribution, id string) (time.Time, error) {
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		r, err := plane.Invalidation(distribution, id)
		if err != nil {
			return time.Time{}, err
		}
		if r.Status == control.Completed {
			return time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-again.C:
		}
	}
}

// acknowledged is what edges have said.
type acknowledged struct {
	mu sync.Mutex
	of map[string][]journal.Ack
}

func (s *acknowledged) take(a journal.Ack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[a.Edge] = append(s.of[a.Edge], a)
}

// last is when the last edge had heard an entry, and how many have.
func (s *acknowledged) last(seq uint64) (last time.Time, edges int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.of {
		i := slices.IndexFunc(all, func(a journal.Ack) bool { return a.Seq >= seq })
		if i < 0 {
			continue
		}
		if edges++; all[i].At.After(last) {
			last = all[i].At
		}
	}
	return last, edges
}

// begin starts a process for a task, and returns what it says when it is ready. end ends it.
func begin(ctx context.Context, t task) (ready string, end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	b, err := json.Marshal(t)
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-task", string(b))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		in.Close()
		cmd.Wait()
	}
	if ready, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		end()
		return "", nil, fmt.Errorf("%s: it has ended: %w", t.Do, err)
	}
	return strings.TrimSpace(ready), end, nil
}

// perform is what such a process does until its input ends.
func perform(ctx context.Context, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	authority, err := admission.OpenAuthority(t.Dir, nil)
	if err != nil {
		return err
	}
	if t.Do == "relay" {
		return t.relay(ctx, authority)
	}
	return t.edges(ctx, authority)
}

func (t *task) relay(ctx context.Context, a *admission.Authority) error {
	up, r, at, err := fleet.NewRelay(a, t.Name, t.Control)
	if err != nil {
		return err
	}
	defer up.Close()
	fmt.Println(at)
	return r.Run(ctx)
}

func (t *task) edges(ctx context.Context, a *admission.Authority) error {
	hear := make([]*listening, t.Edges)
	// They join before they hear: who has joined is told to all that do, which for thousands at once is thousands times thousands, and is
	// not what is measured.
	err := inTurn("connected", t.Edges, connectAtOnce, func(i int) (err error) {
		hear[i], err = t.connect(a, fmt.Sprintf("E%d", i+1))
		return err
	})
	if err == nil {
		err = inTurn("members", t.Edges, joinAtOnce, func(i int) error { return hear[i].join(ctx) })
	}
	if err == nil {
		err = inTurn("hear", t.Edges, connectAtOnce, func(i int) error { return hear[i].hear() })
	}
	if err == nil && len(t.Relays) > 0 {
		err = inTurn("hear from a relay", t.Edges, joinAtOnce, func(i int) error { return hear[i].throughRelay(ctx) })
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// How many edges do something at once: as many as make use of all cores; and those that join share entries.
const (
	connectAtOnce = 64
	joinAtOnce    = 1000
)

// inTurn does something for each of n edges, some at once, and says how far it has come.
func inTurn(what string, n, atOnce int, do func(i int) error) error {
	began := time.Now()
	var all errgroup.Group
	all.SetLimit(atOnce)
	var done atomic.Int64
	for i := range n {
		all.Go(func() error {
			err := do(i)
			if d := done.Add(1); err == nil && (d%1000 == 0 || d == int64(n)) {
				progress(began, "%d of %d edges %s", d, n, what)
			}
			return err
		})
	}
	return all.Wait()
}

// progress tells who waits.
func progress(began time.Time, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "  %s, after %.1f s\n", fmt.Sprintf(format, args...), time.Since(began).Seconds())
}

// listening is an edge that hears and acknowledges, and does nothing else.
type listening struct {
	log         *jetstream.Remote
	name, start string
}

// connect starts one, which does not hear yet.
func (t *task) connect(a *admission.Authority, name string) (*listening, error) {
	who, err := a.Local(name, name)
	if err != nil {
		return nil, err
	}
	log, err := jetstream.Dial(jetstream.RemoteConfig{
		Addresses: []string{t.Control}, TLS: who.TLS(), Edge: name, Relays: t.Relays, RelayTLS: who.ToRelay(), Pushed: who.Pushed,
	})
	if err != nil {
		return nil, err
	}
	return &listening{log: log, name: name, start: string(journal.NewID())}, nil
}

// hear makes it hear and acknowledge what is pushed.
func (x *listening) hear() error {
	_, err := x.log.Live(x.acknowledge)
	return err
}

// join returns when it is a member.
func (x *listening) join(ctx context.Context) error {
	for {
		err := x.log.Join(ctx, journal.EdgeJoined{Edge: x.name, Location: x.name, Incarnation: x.start})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// throughRelay waits until a relay passes on.
func (x *listening) throughRelay(ctx context.Context) error {
	for !x.log.Relayed() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (x *listening) acknowledge(e *journal.Entry) {
	x.log.Ack(context.Background(), journal.Ack{Edge: x.name, Incarnation: x.start, Epoch: e.Epoch, Seq: e.Seq, ID: e.ID, At: time.Now()})
}
