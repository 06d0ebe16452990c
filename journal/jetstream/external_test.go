package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

// yours is a NATS of an operator's: one server, or a cluster. It belongs to one test.
type yours struct {
	dirs, addresses, routes []string
	servers                 []*server.Server // nil: it is stopped
	tune                    func(*server.Options)
}

// newYours starts n servers.
func newYours(t *testing.T, n int, before ...func(*yours)) *yours {
	t.Helper()
	y := &yours{servers: make([]*server.Server, n), tune: func(*server.Options) {}}
	for range n {
		y.dirs, y.addresses, y.routes = append(y.dirs, t.TempDir()), append(y.addresses, lasting.Address()), append(y.routes, lasting.Address())
	}
	t.Cleanup(func() {
		for i := range y.servers {
			y.stop(i)
		}
	})
	for _, f := range before {
		f(y)
	}
	for i := range y.servers {
		y.start(t, i)
	}
	return y
}

func hostPort(t *testing.T, address string) (string, int) {
	host, port, err := net.SplitHostPort(address)
	n, err2 := strconv.Atoi(port)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return host, n
}

func (y *yours) start(t *testing.T, i int) {
	t.Helper()
	o := &server.Options{ServerName: fmt.Sprint("n", i), JetStream: true, StoreDir: y.dirs[i], SyncAlways: true, NoSigs: true, NoLog: true, DisableJetStreamBanner: true}
	o.Host, o.Port = hostPort(t, y.addresses[i])
	if len(y.servers) > 1 {
		o.Cluster.Name = "yours"
		o.Cluster.Host, o.Cluster.Port = hostPort(t, y.routes[i])
		for _, r := range y.routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: r})
		}
	}
	y.tune(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(2 * time.Minute) {
		t.Fatalf("server %d of the operator's NATS is not ready", i)
	}
	y.servers[i] = s
}

func (y *yours) stop(i int) {
	if y.servers[i] != nil {
		y.servers[i].Shutdown()
		y.servers[i].WaitForShutdown()
		y.servers[i] = nil
	}
}

func (y *yours) urls() (all []string) {
	for _, a := range y.addresses {
		all = append(all, "nats://"+a)
	}
	return all
}

// config is that of a control node, with a directory of its own.
func (y *yours) config(t *testing.T, prefix string) Config {
	return Config{Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
		External: &External{URLs: y.urls(), Prefix: prefix, SyncAlways: true, Node: "control1"}}
}

// openWithin opens it within what elections take.
func openWithin(t *testing.T, c Config) (*Log, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	l, err := Open(ctx, c)
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

func mustOpen(t *testing.T, c Config) *Log {
	t.Helper()
	l, err := openWithin(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// conn is a client of the operator's own.
func (y *yours) conn(t *testing.T) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, err := nats.Connect(strings.Join(y.urls(), ","), unhurried)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// The suite of all logs, in a NATS of somebody else's. In the middle a server of it is restarted, after a stop or with what is on its disk at a
// moment.
func TestLog_OfExternal(all *testing.T) {
	for _, n := range []int{1, 3} {
		all.Run(fmt.Sprint(n), func(all *testing.T) {
			all.Parallel() // it mostly waits
			y := newYours(all, n)
			logs, restarts := 0, 0
			journaltest.Run(all, func(t *testing.T) journaltest.Subject {
				logs++
				c := y.config(all, fmt.Sprint("W", logs))
				c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
				l := mustOpen(t, c)
				return journaltest.Subject{Log: elects{l}, Running: true, Compact: func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log {
					(&trio{logs: []*Log{l}}).compactTo(t, 0, tail, func() Extract { return &keep{want: kept} })
					return elects{l}
				}, Reopen: func(t *testing.T, crash bool) journal.Log {
					i := restarts % n
					restarts++
					image := y.dirs[i]
					if crash {
						image = still(all, y.dirs[i]) // which outlives this test
					}
					l.Close()
					y.stop(i)
					y.dirs[i] = image
					y.start(t, i)
					y.whole(t, c.names().stream)
					c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
					l = mustOpen(t, c)
					return elects{l}
				}}
			})
		})
	}
}

// Servers go away and come back, one after another, while two control nodes write: nothing that was confirmed is lost, and both have the same.
func TestExternal_RestartsInTheMiddle(t *testing.T) {
	t.Parallel()
	y := newYours(t, 3)
	var writers []*journal.Writer
	for range 2 {
		writers = append(writers, journal.NewWriter(journal.WriterConfig{Log: mustOpen(t, y.config(t, "")), TickWindow: 1}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	over := make(chan struct{})
	var writing sync.WaitGroup
	confirmed := make([]map[uint64]bool, len(writers))
	for i, w := range writers {
		confirmed[i] = map[uint64]bool{}
		writing.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				one, cancel := context.WithTimeout(ctx, 3*time.Minute)
				e, err := w.Commit(one, func() ([]journal.Fact, error) { return []journal.Fact{{Tick: &journal.Tick{}}}, nil })
				cancel()
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
					return
				}
				confirmed[i][e.Seq] = true
			}
		})
	}
	for i := range y.servers {
		before := writers[0].Position().Seq
		y.stop(i)
		y.start(t, i)
		eventually(t, "the first goes on", func() bool { return writers[0].Position().Seq >= before+5 || t.Failed() })
		y.whole(t, DefaultPrefix+"_0")
	}
	close(over)
	writing.Wait()
	last := uint64(1)
	for _, seqs := range confirmed {
		for seq := range seqs {
			last = max(last, seq)
		}
	}
	for _, w := range writers { // a replica that answers may be behind
		for w.Position().Seq < last {
			if err := w.CatchUp(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := writers[0].Position(), writers[1].Position(); a != b || int(a.Seq) < len(confirmed[0])+len(confirmed[1]) {
		t.Errorf("%v and %v, with %d and %d entries confirmed", a, b, len(confirmed[0]), len(confirmed[1]))
	}
	for seq := range confirmed[0] {
		if confirmed[1][seq] {
			t.Errorf("entry %d was confirmed to both", seq)
		}
	}
}

// whole waits until somebody leads the stream, and all replicas have what it has: with one that is behind, the next must not be stopped. It returns the one
// that leads.
func (y *yours) whole(t *testing.T, stream string) (leader int) {
	t.Helper()
	_, js := y.conn(t)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		s, err := js.Stream(ctx, stream)
		cancel()
		switch {
		case err != nil:
		case len(y.servers) == 1:
			return 0
		case together(s.CachedInfo().Cluster, len(y.servers)):
			return int(s.CachedInfo().Cluster.Leader[1] - '0')
		}
		if time.Now().After(deadline) {
			t.Fatalf("the operator's NATS does not come together: %v", err)
		}
	}
}

func together(c *jetstream.ClusterInfo, n int) bool {
	current := 0
	for _, p := range c.Replicas {
		if p.Current && !p.Offline {
			current++
		}
	}
	return c.Leader != "" && current == n-1
}

// An append that fails while the log is being begun, as when the servers agree anew on who leads the stream, asks how this node stands with the
// others before it knows any. Whoever opens it tries again.
func TestExternal_StandsAloneUntilItIsOpen(t *testing.T) {
	l := &Log{c: Config{External: &External{}}}
	if err := errors.Join(l.Quorum(), l.ailing()); err != nil {
		t.Error(err)
	}
}
