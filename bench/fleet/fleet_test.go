package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// Whatever the machine, nothing is known to be applied before it can have come, and Completed not before the farthest
// edge's word can have come back.
func TestRun_NothingIsFasterThanTheWay(t *testing.T) {
	const way = 20 * time.Millisecond
	out, err := Run(t.Context(), Config{Edges: 3, Nearest: way / 4, Farthest: way, Invalidations: 5, Every: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Accepted) != 5 || len(out.Applied) != 5 || len(out.Completed) != 5 {
		t.Fatalf("%+v", out)
	}
	if len(out.Late) == 0 || Quantile(out.Late, 0) < 0 {
		t.Errorf("timers were late by %v", out.Late)
	}
	for i := range out.Applied {
		if out.Applied[i] < way || out.Completed[i] < 2*way || out.Accepted[i] <= 0 {
			t.Errorf("accepted after %v, applied after %v, completed after %v", out.Accepted[i], out.Applied[i], out.Completed[i])
		}
	}
}

func TestDistance_IsEvenBetweenTheNearestAndTheFarthest(t *testing.T) {
	for _, c := range []Config{{Edges: 3, Nearest: 5, Farthest: 15}, {Edges: 30, Relays: 3, Nearest: 5, Farthest: 15}} {
		if a, b, d := c.distance(0), c.distance(1), c.distance(2); a != 5 || b != 10 || d != 15 {
			t.Errorf("%d %d %d", a, b, d)
		}
	}
}

func TestPlace_EachRelayHasAsManyEdges(t *testing.T) {
	c := Config{Edges: 30, Relays: 3}
	var at [3]int
	for i := range c.Edges {
		at[c.place(i)]++
	}
	if at != [3]int{10, 10, 10} {
		t.Error(at)
	}
	if alone := (Config{Edges: 3}); alone.place(0) != 0 || alone.place(1) != 1 || alone.place(2) != 2 {
		t.Error("edges without relays share places")
	}
}

// What is under way holds up nothing that comes behind, is not there before it is due, and comes in order, also what has come at the same time.
func TestTransit_BringsEachPieceAsMuchLater(t *testing.T) {
	var under transit
	near, far := &end{}, &end{}
	began := time.Unix(0, 0)
	for i := range 100 {
		at := began.Add(time.Duration(i/2) * time.Millisecond)
		under.send(at, 150*time.Millisecond, far, []byte{byte(i)}, false)
		under.send(at, 5*time.Millisecond, near, []byte{byte(i)}, false)
	}
	under.send(began.Add(49*time.Millisecond), 150*time.Millisecond, far, nil, true)
	got := map[*end]int{}
	for now := began; ; now = now.Add(time.Millisecond) {
		due, some := under.next()
		if !some {
			break
		}
		if due.Before(now) {
			t.Fatalf("at %v something is still there that was due at %v", now, due)
		}
		for p := under.arrived(now); p != nil; p = under.arrived(now) {
			i, way := got[p.to], 150*time.Millisecond
			if p.to == near {
				way = 5 * time.Millisecond
			}
			sent := time.Duration(min(i, 99)/2) * time.Millisecond
			if last := i == 100; p.end != last || !last && p.b[0] != byte(i) || now.Sub(began) != sent+way {
				t.Fatalf("piece %d is %+v after %v", i, p, now.Sub(began))
			}
			got[p.to]++
			under.back(p)
		}
	}
	if got[near] != 100 || got[far] != 101 {
		t.Errorf("%d pieces came near, %d far", got[near], got[far])
	}
}

// laidTo lays a line to a listener of this test, and returns both ends of a connection on it.
func laidTo(t *testing.T, way time.Duration) (x *lines, here, there net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if x, err = lay(l.Addr().String(), []time.Duration{time.Hour, way}); err != nil {
		t.Fatal(err)
	}
	if here, err = net.Dial("tcp", x.at[1]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	return x, here, there
}

func TestLines_BothWaysAndUntilTheyAreTakenUp(t *testing.T) {
	const way = 5 * time.Millisecond
	x, here, echo := laidTo(t, way)
	go io.Copy(echo, echo) // ends with the line
	began, said := time.Now(), make([]byte, 5)
	io.WriteString(here, "hello")
	if _, err := io.ReadFull(here, said); err != nil || string(said) != "hello" || time.Since(began) < 2*way {
		t.Errorf("%q, %v, after %v", said, err, time.Since(began))
	}
	x.close()
	if n, err := here.Read(said); err == nil {
		t.Errorf("%d octets more", n)
	}
}

// More than sockets take at once comes whole and in order, with its end behind it, whoever reads and however late.
func TestLines_MuchComesWhole(t *testing.T) {
	x, here, there := laidTo(t, time.Millisecond)
	defer x.close()
	sent := make([]byte, most+8<<20)
	for i := range sent {
		sent[i] = byte(i * i >> 8)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := here.Write(sent)
		here.Close()
		wrote <- err
	}()
	got, err := io.ReadAll(there)
	if err != nil || !bytes.Equal(got, sent) || <-wrote != nil {
		t.Errorf("%d of %d octets, %v", len(got), len(sent), err)
	}
}

// Who reads nothing until the other side has gone gets everything all the same.
func TestLines_TheEndWaitsForTheRest(t *testing.T) {
	x, here, there := laidTo(t, time.Millisecond)
	defer x.close()
	sent := bytes.Repeat([]byte("line"), 6<<20)
	if _, err := here.Write(sent); err != nil {
		t.Fatal(err)
	}
	here.Close()
	if got, err := io.ReadAll(there); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d octets, %v", len(got), len(sent), err)
	}
}

// A process for lines says where they begin, and ends with who has asked for them.
func TestServeLines(t *testing.T) {
	in, asks := io.Pipe()
	answer, out := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- ServeLines(in, out) }()
	if err := json.NewEncoder(asks).Encode(wanted{"127.0.0.1:1", []time.Duration{1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	var at []string
	if err := json.NewDecoder(answer).Decode(&at); err != nil || len(at) != 3 {
		t.Fatal(at, err)
	}
	here, err := net.Dial("tcp", at[2])
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	asks.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if n, err := here.Read(make([]byte, 1)); err == nil {
		t.Errorf("the line is still there, with %d octets", n)
	}
}

// TestMain makes this program the process for edges or relays of a test that starts it so.
func TestMain(m *testing.M) {
	be := map[string]func(io.Reader, io.Writer) error{"edges": ServeEdges, "relays": ServeRelays}[os.Getenv(asWhat)]
	if be == nil {
		os.Exit(m.Run())
	}
	if err := be(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const asWhat = "WARMFRONT_TEST_FLEET"

// being makes the command that begins this program so.
func being(t *testing.T, what string) func(context.Context) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), asWhat+"="+what)
		cmd.Stderr = os.Stderr
		return cmd
	}
}

// Edges in a process of their own are as far away as others, and say when they had applied what.
func TestRun_EdgesElsewhere(t *testing.T) {
	const way = 20 * time.Millisecond
	var serve []string
	out, err := Run(t.Context(), Config{
		Edges: 3, Nearest: way / 4, Farthest: way, Invalidations: 5, Every: 5 * time.Millisecond,
		Elsewhere: being(t, "edges"),
		Progress:  func(what string) { serve = append(serve, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Applied) != 5 || len(out.Completed) != 5 || out.Memory != 0 || !slices.Contains(serve, "3 of 3 edges serve") {
		t.Fatalf("%+v, after %q", out, serve)
	}
	for i := range out.Applied {
		if out.Applied[i] < way || out.Completed[i] < 2*way {
			t.Errorf("applied after %v, completed after %v", out.Applied[i], out.Completed[i])
		}
	}
}

// Edges beside relays hear from them, and are as far away as those are; wherever the relays and the edges are.
func TestRun_BesideRelays(t *testing.T) {
	const way = 20 * time.Millisecond
	for name, c := range map[string]Config{
		"here":      {},
		"elsewhere": {Elsewhere: being(t, "edges"), Between: being(t, "relays")},
	} {
		t.Run(name, func(t *testing.T) {
			c.Edges, c.Relays, c.Nearest, c.Farthest, c.Invalidations, c.Every = 4, 2, way/4, way, 5, 5*time.Millisecond
			out, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Applied) != 5 || len(out.Completed) != 5 {
				t.Fatalf("%+v", out)
			}
			for i := range out.Applied {
				if out.Applied[i] < way || out.Completed[i] < 2*way {
					t.Errorf("applied after %v, completed after %v", out.Applied[i], out.Completed[i])
				}
			}
		})
	}
}

// A process that cannot be one for relays is not waited for.
func TestRun_RelaysThatAreNone(t *testing.T) {
	_, err := Run(t.Context(), Config{
		Edges: 2, Relays: 1, Farthest: time.Millisecond, Invalidations: 1, Every: time.Millisecond,
		Between: func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "true") },
	})
	if err == nil {
		t.Fatal("measured")
	}
}

// A process that cannot be one for edges is not waited for.
func TestRun_EdgesElsewhereThatAreNone(t *testing.T) {
	_, err := Run(t.Context(), Config{
		Edges: 1, Farthest: time.Millisecond, Invalidations: 1, Every: time.Millisecond,
		Elsewhere: func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "true") },
	})
	if err == nil {
		t.Fatal("measured")
	}
}

// Beside the journal there is no network, and everything is applied and Completed all the same.
func TestRun_BesideTheJournal(t *testing.T) {
	out, err := Run(t.Context(), Config{Edges: 3, Invalidations: 5, Every: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Applied) != 5 || len(out.Completed) != 5 {
		t.Fatalf("%+v", out)
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{3, 1, 2}
	if Quantile(all, 0.5) != 2 || Quantile(all, 1) != 3 || Quantile(nil, 0.5) != 0 || all[0] != 3 {
		t.Error(Quantile(all, 0.5), Quantile(all, 1), all)
	}
}

// What is only for edges that are far away, or for relays, is not ignored where there are none.
func TestRun_RefusesWhatWouldBeIgnored(t *testing.T) {
	process := func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "true") }
	for name, x := range map[string]struct {
		c    Config
		want error
	}{
		"lines":     {Config{Edges: 1, Lines: here}, errBeside},
		"elsewhere": {Config{Edges: 1, Elsewhere: process}, errBeside},
		"relays":    {Config{Edges: 1, Relays: 1}, errBeside},
		"between":   {Config{Edges: 1, Farthest: 1, Between: process}, errBetween},
		"idle":      {Config{Edges: 1, Farthest: 1, Relays: 2}, errIdle},
	} {
		if _, err := Run(t.Context(), x.c); err != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A process for edges ends with whoever has started it, also before they serve.
func TestServeEdges_EndsWhenNobodyAsks(t *testing.T) {
	var out bytes.Buffer
	told, err := json.Marshal(post{Authority: t.TempDir(), At: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ServeEdges(bytes.NewReader(told), &out); err == nil {
		t.Fatalf("served, and said %s", out.String())
	}
}
