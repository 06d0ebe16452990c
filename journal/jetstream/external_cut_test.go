package jetstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
)

// door is in front of an address, and can be shut.
type door struct {
	address, to string
	listener    net.Listener
	all         sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil: shut; guarded by mu
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	d := &door{address: lasting.Address(), to: to, open: map[net.Conn]bool{}}
	var err error
	if d.listener, err = net.Listen("tcp", d.address); err != nil {
		t.Fatal(err)
	}
	d.all.Go(func() {
		for {
			c, err := d.listener.Accept()
			if err != nil {
				return
			}
			d.all.Go(func() { d.carry(c) })
		}
	})
	t.Cleanup(d.shut)
	return d
}

func (d *door) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", d.to)
	if err != nil {
		return
	}
	defer out.Close()
	d.mu.Lock()
	open := d.open != nil
	if open {
		d.open[in], d.open[out] = true, true
	}
	d.mu.Unlock()
	if !open {
		return
	}
	d.all.Go(func() { io.Copy(out, in); out.Close() })
	io.Copy(in, out)
}

// shut ends what goes through it, for good.
func (d *door) shut() {
	d.listener.Close()
	d.mu.Lock()
	for c := range d.open {
		c.Close()
	}
	d.open = nil
	d.mu.Unlock()
	d.all.Wait()
}

// newDivided starts three servers of which the first can be cut off from the others. All three have their clients.
func newDivided(t *testing.T) (y *yours, cut func()) {
	var doors []*door
	y = newYours(t, 3, func(y *yours) {
		for _, r := range y.routes {
			doors = append(doors, newDoor(t, r))
		}
		y.tune = func(o *server.Options) {
			i := int(o.ServerName[1] - '0')
			o.Cluster.Advertise, o.Routes = doors[i].address, nil
			for j := range doors {
				at := doors[j].address
				if i > 0 && j > 0 {
					at = y.routes[j] // the second and the third are together whatever happens
				}
				o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: at})
			}
		}
	})
	return y, func() {
		for _, d := range doors {
			d.shut()
		}
	}
}

// onTheFirst opens the log with a connection to the first server, which another one leads.
func (y *yours) onTheFirst(t *testing.T, c Config) (*Log, *journal.Writer) {
	t.Helper()
	l := mustOpen(t, c)
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	if _, err := w.Tick(minute(t)); err != nil {
		t.Fatal(err)
	}
	nc, _ := y.conn(t)
	for y.whole(t, c.names().stream) == 0 {
		if _, err := nc.RequestWithContext(minute(t), "$JS.API.STREAM.LEADER.STEPDOWN."+c.names().stream, nil); err != nil {
			t.Fatal(err)
		}
	}
	here := l.engine.nc
	for here.ConnectedAddr() != y.addresses[0] {
		here.ForceReconnect()
		eventually(t, "it is connected", here.IsConnected)
	}
	return l, w
}

// A server that is cut off from the others still has its clients: a control node goes to another one, and on.
func TestExternal_MovesToAnotherServer(t *testing.T) {
	t.Parallel() // it mostly waits
	y, cut := newDivided(t)
	l, w := y.onTheFirst(t, y.config(t, ""))
	cut()
	here := l.engine.nc
	eventually(t, "it goes to another server", func() bool { return here.IsConnected() && here.ConnectedAddr() != y.addresses[0] })
	before := w.Position().Seq
	if seq, err := w.Tick(minute(t)); err != nil || seq <= before {
		t.Fatalf("%d, %v", seq, err)
	}
	eventually(t, "NATS answers", func() bool { return l.Quorum() == nil })
}

// A replica that has been without a leader for some seconds tells of the stream what itself has. That is not its end, and nobody who leads it.
func TestExternal_ReplicaWithoutALeader(t *testing.T) {
	t.Parallel() // it mostly waits
	y, cut := newDivided(t)
	c := y.config(t, "")
	_, w := y.onTheFirst(t, c)
	nc, err := nats.Connect(y.urls()[0], unhurried)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	end := w.Position().Seq
	cut()
	var answer *nats.Msg
	eventually(t, "the replica answers by itself", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+c.names().stream, nil)
		if err != nil || !strings.Contains(string(m.Data), `"last_seq"`) || strings.Contains(string(m.Data), `"leader":`) {
			return false
		}
		answer = m
		return true
	})
	if seq, err := endOf(answer.Data); err == nil {
		t.Errorf("what has no leader ends with entry %d of %d", seq, end)
	}
	other := y.config(t, "")
	told, done := make(chan string, 512), make(chan error, 1)
	other.External.URLs, other.External.Waiting = y.urls()[:1], func(why string) { told <- why }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, err := Open(ctx, other); done <- err }()
	says(t, told, "knows nobody who leads")
	cancel()
	if err := from(t, done, "the end of Open"); !errors.Is(err, ErrNATS) {
		t.Errorf("%v", err)
	}
}

func TestEndOf(t *testing.T) {
	for answer, want := range map[string]uint64{
		`{"state":{"last_seq":7}}`:                           7,
		`{"state":{"last_seq":7},"cluster":{"leader":"n1"}}`: 7,
		`{"state":{"last_seq":7},"cluster":{"leader":"n1","replicas":[{"name":"n2"},{"name":"n3"}]}}`:      7,
		`{"state":{"last_seq":7},"cluster":{"leader":"n1","replicas":[{"name":"n1"},{"name":"n3"}]}}`:      0,
		`{"state":{"last_seq":7},"cluster":{"replicas":[{"name":"n1"},{"name":"n2"},{"name":"n3"}]}}`:      0,
		`{"state":{"last_seq":0},"cluster":{"leader":"n1"}}`:                                               0,
		`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`: 0,
		`{}`:   0,
		`none`: 0,
	} {
		if got, err := endOf([]byte(answer)); (err == nil) != (want > 0) || err == nil && got != want {
			t.Errorf("%s: %d, %v", answer, got, err)
		}
	}
}

// A control node that has read what the stream has lost does not start on what is left, also if it had appended none of that itself.
func TestExternal_LostWhatWasRead(t *testing.T) {
	y := newYours(t, 1)
	_, js := y.conn(t)
	writes, reads := mustOpen(t, y.config(t, "")), mustOpen(t, y.config(t, ""))
	w := journal.NewWriter(journal.WriterConfig{Log: writes, TickWindow: 1})
	for range 5 {
		if _, err := w.Tick(minute(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := journal.NewWriter(journal.WriterConfig{Log: reads}).CatchUp(minute(t)); err != nil {
		t.Fatal(err)
	}
	writes.Close()
	reads.Close()

	s, err := js.Stream(t.Context(), "WARMFRONT_0")
	if err != nil {
		t.Fatal(err)
	}
	var left []*nats.Msg
	for seq := range uint64(3) {
		m, err := s.GetMsg(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, message(seq+1, m.Data))
		left[seq].Subject = m.Subject
	}
	is := s.CachedInfo().Config
	if err := js.DeleteStream(t.Context(), is.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), is); err != nil {
		t.Fatal(err)
	}
	for _, m := range left {
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range []*Log{writes, reads} {
		c := l.c
		c.Dir = filepath.Dir(c.Dir)
		refuses(t, c, ErrLost, "the log ends with entry 3, entry 6 was confirmed")
	}
}
