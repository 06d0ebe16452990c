package jetstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/journaltest"
)

// trio is a cluster of three in this process, or three control nodes with a NATS of an operator's.
type trio struct {
	configs []Config
	logs    []*Log
	nats    *yours // nil: each has an engine of its own
	steps   [3]hook
}

// newTrio makes three nodes. Their addresses are free ones, which they keep. The first one has a log of its own.
func newTrio(t *testing.T) *trio {
	t.Helper()
	c := newNodes(t, 3)
	alone(t, c.configs[0].Dir)
	return c
}

func newNodes(t *testing.T, n int) *trio {
	t.Helper()
	c := &trio{configs: make([]Config, n), logs: make([]*Log, n)}
	p := newPKI(t)
	var peers []Peering
	for i := range c.configs {
		peers = append(peers, Peering{string(rune('a' + i)), lasting.Address()})
	}
	for i := range c.configs {
		log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", peers[i].Node)
		c.configs[i] = Config{Network: p.network(t), Dir: t.TempDir(), Logger: log, Cluster: &Cluster{
			Node: peers[i].Node, Address: peers[i].Address, Peers: peers, TLS: p.member(t), Fresh: i > 0,
			Admit: func(s *tls.ConnectionState) bool { return slices.Contains(s.PeerCertificates[0].DNSNames, controlHost) },
		}}
	}
	return c
}

// alone makes a log that has no replicas, with these entries after its genesis.
func alone(t *testing.T, dir string, facts ...journal.Fact) {
	t.Helper()
	l := open(t, Config{Dir: dir})
	last, err := l.one(t.Context(), 1)
	for _, f := range facts {
		last = after(last, f)
		err = errors.Join(err, l.Append(t.Context(), last))
	}
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
}

// member is how a node shows itself to the others.
func (p *pki) member(t *testing.T) *tls.Config {
	return &tls.Config{RootCAs: p.pool, ClientCAs: p.pool, ServerName: controlHost, Certificates: []tls.Certificate{p.sign(t, &x509.Certificate{
		DNSNames: []string{controlHost}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})}}
}

// open opens all nodes at once: one alone waits for the others.
func (c *trio) open(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var opening sync.WaitGroup
	errs := make([]error, len(c.logs))
	for i := range c.logs {
		if c.logs[i] == nil {
			opening.Go(func() { c.logs[i], errs[i] = Open(ctx, c.configs[i]) })
		}
	}
	opening.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (c *trio) close(i int) {
	if c.logs[i] != nil {
		c.logs[i].Close()
		c.logs[i] = nil
	}
}

func (c *trio) closeAll() {
	for i := range c.logs {
		c.close(i)
	}
}

// renew gives the cluster another log, without the seconds that an election takes.
func (c *trio) renew(t *testing.T) {
	t.Helper()
	c.deleteStream(t)
	for _, l := range c.logs {
		if err := l.head.forget(); err != nil {
			t.Fatal(err)
		}
		l.known.mu.Lock()
		l.known.seq, l.known.short = 0, time.Time{}
		l.known.mu.Unlock()
		l.slots.now.Store(nil)
	}
	l := c.logs[0]
	l.c.old = open(t, Config{Dir: t.TempDir()})
	err := l.openStream(t.Context())
	l.c.old.Close()
	l.c.old = nil
	if err != nil {
		t.Fatal(err) // the others would wait for it
	}
	for _, l := range c.logs[1:] {
		err = errors.Join(err, l.openStream(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deleteStream asks until it is answered: a node that leads the cluster no more, or not yet, says nothing.
func (c *trio) deleteStream(t *testing.T) {
	t.Helper()
	for began := time.Now(); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		all, err := c.logs[0].keptStreams(ctx)
		for _, k := range append(all, keptStream{name: streamName}) {
			if err == nil || errors.Is(err, jetstream.ErrStreamNotFound) {
				err = c.logs[0].js.DeleteStream(ctx, k.name)
			}
		}
		cancel()
		if err == nil || errors.Is(err, jetstream.ErrStreamNotFound) {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

// ofThree is one node's log. Closing it closes all: the suite looks whether everything says so then.
type ofThree struct {
	elects
	c *trio
}

func (r *ofThree) Close() error { r.c.closeAll(); return nil }

// elects is a log of which the replicas may agree anew on who leads at any time. Then it is not known whether an entry is stored, and this one
// appends as a writer does (W3).
type elects struct{ *Log }

func (l elects) Append(ctx context.Context, e *journal.Entry) error {
	for doubt := false; ; doubt = true {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := l.Log.Append(one, e)
		cancel()
		if errors.Is(err, journal.ErrSlotTaken) && doubt {
			if all, rerr := l.Read(ctx, e.Seq, 1); rerr == nil && len(all) == 1 && all[0].ID == e.ID {
				return nil
			}
		}
		known := slices.ContainsFunc([]error{journal.ErrSlotTaken, journal.ErrBroken, journal.ErrTooLarge, journal.ErrFull, journal.ErrStopped, journal.ErrClosed},
			func(is error) bool { return errors.Is(err, is) })
		if err == nil || known || !pause(ctx) {
			return err
		}
	}
}

// The suite of all logs, on three replicas: through a node that need not be the leader, with restarts of all three in the
// middle, after a stop or with what is on their disks at a moment.
func TestLog_OfThree(all *testing.T) {
	all.Parallel() // it mostly waits
	c := newTrio(all)
	all.Cleanup(c.closeAll)
	c.open(all)
	fresh := true
	journaltest.Run(all, func(t *testing.T) journaltest.Subject {
		c.open(all) // if the last test has closed it
		if !fresh {
			c.renew(all)
		}
		fresh = false
		subject := func() journal.Log { return &ofThree{elects{c.logs[1]}, c} }
		compacts := 0
		return journaltest.Subject{Log: subject(), Running: true, Compact: func(t *testing.T, tail int, kept func(*journal.Entry) bool) journal.Log {
			compacts++ // one finds out what another has done
			c.compactTo(t, compacts%len(c.logs), tail, func() Extract { return &keep{want: kept} })
			return subject()
		}, Reopen: func(t *testing.T, crash bool) journal.Log {
			images := make([]string, len(c.logs))
			for i := range images {
				if crash {
					images[i] = still(all, c.configs[i].Dir) // which outlives this test
				}
			}
			c.closeAll()
			for i := range images {
				if crash {
					c.configs[i].Dir = images[i]
				}
			}
			c.open(all)
			return subject()
		}}
	})
}

// still copies a directory as it is at one moment: until nothing has changed meanwhile.
func still(t *testing.T, dir string) string {
	t.Helper()
	state := func() string {
		var b strings.Builder
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				var i fs.FileInfo
				if i, err = d.Info(); err == nil {
					fmt.Fprintln(&b, path, i.Size(), i.ModTime().UnixNano())
				}
			}
			if err != nil {
				fmt.Fprintln(&b, path, err)
			}
			return nil
		})
		return b.String()
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		before, image := state(), t.TempDir()
		if err := os.CopyFS(image, os.DirFS(dir)); err == nil && state() == before {
			return image
		}
	}
	t.Fatal("the directory does not come to rest")
	return ""
}

// after returns an entry that continues prev.
func after(prev *journal.Entry, facts ...journal.Fact) *journal.Entry {
	return &journal.Entry{Epoch: prev.Epoch, Seq: prev.Seq + 1, ID: journal.NewID(), Prev: prev.ID, Time: time.Now().UTC().Round(0), Facts: facts}
}

// What a cluster is grown from, and what becomes of it when nodes stop, lose their disks, or come back with other ones.
func TestCluster_Life(t *testing.T) {
	t.Parallel()
	c := newTrio(t)
	t.Cleanup(c.closeAll)
	const many = 1500
	var facts []journal.Fact
	for i := range many {
		facts = append(facts, journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "E1", CallerReference: fmt.Sprint(i), Items: []string{"/*"}}})
	}
	os.RemoveAll(c.configs[0].Dir)
	alone(t, c.configs[0].Dir, facts...)
	c.open(t)
	for i := range c.logs {
		c.wantWhole(t, i, many+1)
	}
	if !exists(c.configs[0].path(single, "head")) || exists(c.configs[0].path("jetstream")) {
		t.Error("what was carried over was not put aside")
	}

	c.wantLed(t)
	c.wantLeader(t)

	t.Log("what one has had confirmed, the others know of and read")
	ends := func(i int, want uint64) {
		t.Helper()
		end, err := c.logs[i].End(minute(t))
		if err != nil || end != want {
			t.Errorf("node %d says that the log ends with %d, %v; want %d", i, end, err, want)
		}
		if entries, err := c.logs[i].Read(minute(t), want, 2); err != nil || len(entries) != 1 {
			t.Errorf("node %d reads %d entries from %d on: %v", i, len(entries), want, err)
		}
	}
	for i := range c.logs {
		ends(i, many+1)
	}

	t.Log("one is stopped")
	c.close(2)
	c.append(t, 0)
	ends(1, many+2)
	c.wantLed(t)

	t.Log("an edge asks for what this replica does not have")
	n := uint64(many + 2)
	asked := func(tick uint64, long time.Duration) ([][]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), long)
		defer cancel()
		return c.logs[0].readFor(ctx, Desk{Tick: func(context.Context) (uint64, error) { return tick, nil }}, readQuestion{n + 3, 10})
	}
	if entries, err := asked(n+1, time.Minute); err != nil || len(entries) > 0 {
		t.Errorf("the log is known to end before it: %v, %v", entries, err)
	}
	if entries, err := asked(n+4, 100*time.Millisecond); err == nil || errors.Is(err, journal.ErrBroken) {
		t.Errorf("the log is known to go on: %v, %v", entries, err)
	}
	c.logs[0].known.mu.Lock()
	c.logs[0].known.seq = n
	c.logs[0].known.mu.Unlock()

	t.Log("its disk is looked at")
	dir := c.configs[2].Dir
	before := tree(t, dir)
	if found, err := Inspect(t.Context(), Config{Dir: dir}, nil); err != nil || !found.Replica || found.Entries != many+1 {
		t.Errorf("inspected: %+v, %v", found, err)
	}
	if !maps.Equal(tree(t, dir), before) {
		t.Error("looking has changed it")
	}

	t.Log("its disk has a flipped bit")
	flip(0.5)(t, "", c.configs[2].path(replica, "jetstream", "$G", "streams", streamName, "msgs", "1.blk"))
	if found, err := Inspect(t.Context(), Config{Dir: dir}, nil); !errors.Is(err, journal.ErrDamaged) || found.Entries == 0 || found.Entries > many {
		t.Errorf("inspected: %+v, %v", found, err)
	}
	c.open(t)
	c.wantWhole(t, 2, many+2)

	t.Log("an old copy takes its place")
	old := still(t, c.configs[2].Dir)
	c.append(t, 0)
	c.close(2)
	c.append(t, 1)
	c.configs[2].Dir = old
	c.open(t)
	c.wantWhole(t, 2, many+4)

	t.Log("its disk is lost")
	c.close(2)
	c.configs[2].Dir, c.configs[2].Cluster.Fresh = t.TempDir(), false
	if _, err := tryOpen(t, c.configs[2]); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "not new") {
		t.Errorf("an empty replica: %v", err)
	}
	c.configs[2].Cluster.Fresh = true
	c.open(t)
	c.wantWhole(t, 2, many+4)

	t.Log("another's log is there")
	c.close(2)
	foreign := c.configs[2]
	foreign.Dir = t.TempDir()
	alone(t, foreign.Dir)
	if _, err := tryOpen(t, foreign); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "a journal of its own") {
		t.Errorf("another's log: %v", err)
	}

	t.Log("one is alone")
	end := c.last(t, 0) // alone it may not answer reads either
	c.close(1)
	const words = "1 of 3 control nodes reached: a; not b=127.0.0.1:"
	var quorum error
	eventually(t, "being alone is said", func() bool { // it is between two leaders before it notices
		quorum = c.logs[0].Quorum()
		return errors.Is(quorum, ErrQuorum) && strings.Contains(quorum.Error(), words)
	})
	if err := c.logs[0].Health(); !errors.Is(err, ErrQuorum) {
		t.Errorf("health: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.logs[0].Append(ctx, after(end)); err == nil {
		t.Error("one of three has confirmed an entry")
	}
	c.close(0)
	if _, err := tryOpen(t, Config{Dir: c.configs[0].Dir}); !errors.Is(err, ErrConfig) {
		t.Errorf("a replica without the others: %v", err)
	}

	t.Log("the others are lost for good")
	l, err := tryOpen(t, Config{Dir: c.configs[0].Dir, AcceptLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	last, err := l.one(t.Context(), many+4)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), after(last)); err != nil {
		t.Errorf("alone from now on: %v", err)
	}
	l.Close()
	if found, err := Inspect(t.Context(), Config{Dir: c.configs[0].Dir}, nil); err != nil || found.Replica || found.Entries != many+5 {
		t.Errorf("inspected: %+v, %v", found, err)
	}
}

// firstThree opens three of the nodes as a cluster of their own.
func (y *trio) firstThree(t *testing.T) *trio {
	three := &trio{configs: slices.Clone(y.configs[:3]), logs: make([]*Log, 3)}
	t.Cleanup(three.closeAll)
	for i := range three.configs {
		x := *three.configs[i].Cluster
		x.Peers = x.Peers[:3]
		three.configs[i].Cluster = &x
	}
	three.open(t)
	return three
}

// Two more nodes, of which the three that there were learn by their own new configs.
func TestCluster_ThreeToFive(t *testing.T) {
	t.Parallel()
	five := newNodes(t, 5)
	t.Cleanup(five.closeAll)
	alone(t, five.configs[0].Dir)
	three := five.firstThree(t)
	three.append(t, 1)
	copy(five.logs, three.logs)
	five.open(t) // the new ones
	five.append(t, 4)
	five.wantWhole(t, 3, 3)
	for i := range three.logs {
		five.close(i)
		if i == 0 {
			if _, err := tryOpen(t, three.configs[0]); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "has 5 replicas, and 3 nodes are given") {
				t.Errorf("with three peers: %v", err)
			}
		}
		five.open(t)
		five.append(t, i)
	}
	five.close(0)
	five.close(3)
	five.append(t, 4)
	five.wantWhole(t, 2, 7)
}

// wantLed wants each node that is open to know that somebody leads.
func (c *trio) wantLed(t *testing.T) {
	t.Helper()
	for i, l := range c.logs {
		eventually(t, fmt.Sprintf("node %d knows that somebody leads", i), func() bool { return l == nil || l.led() })
	}
}

// wantLeader wants all nodes that are open to name the same leader, and to reach each other.
func (c *trio) wantLeader(t *testing.T) {
	t.Helper()
	eventually(t, "all name one leader, and are reached", func() bool {
		leaders, reached := map[string]bool{}, true
		for _, l := range c.logs {
			leads := ""
			for _, n := range l.Nodes() {
				reached = reached && n.Reached
				if n.Leads {
					leads += n.Node
				}
			}
			leaders[leads] = true
		}
		return len(leaders) == 1 && !leaders[""] && reached
	})
}

// last returns the last entry by one node.
func (c *trio) last(t *testing.T, i int) (last *journal.Entry) {
	t.Helper()
	if err := c.logs[i].each(t.Context(), func(e *journal.Entry) error { last = e; return nil }); err != nil {
		t.Fatal(err)
	}
	return last
}

// append appends an entry by way of one node. Who leads may just be changing (W3).
func (c *trio) append(t *testing.T, i int) {
	t.Helper()
	w := journal.NewWriter(journal.WriterConfig{Log: c.logs[i], TickWindow: 1})
	if _, err := w.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantWhole waits until a node has this many entries, in order.
func (c *trio) wantWhole(t *testing.T, i int, n uint64) {
	t.Helper()
	c.logs[i].known.atLeast(n)
	if last := c.last(t, i); last.Seq != n {
		t.Errorf("node %d has %d entries, not %d", i, last.Seq, n)
	}
}

// A replica that was behind for a moment, and is so again much later, has not been behind all the time: to believe it then would
// be to take the log for another one, and to stop.
func TestKnowledge_ShortAgainIsNotShortForLong(t *testing.T) {
	var k knowledge
	now := time.Now()
	k.atLeast(7)
	if whole, long := k.ended(6, now); whole || long {
		t.Fatal("an end before what is known is believed at once")
	}
	k.found(7) // by a read that had more than its end to tell
	k.atLeast(9)
	if whole, long := k.ended(8, now.Add(2*believed)); whole || long {
		t.Error("it was whole in between, and is believed for what it was before")
	}
	k.found(8)
	if whole, long := k.ended(8, now.Add(4*believed)); whole || !long {
		t.Error("what is short for long is not asked for, since it has something")
	}
	k.accept(8)
	if whole, _ := k.ended(8, now.Add(4*believed)); !whole {
		t.Error("what was accepted is not the end")
	}
}
