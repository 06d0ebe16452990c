package jetstream

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/internal/lasting"
	"github.com/warmfront/warmfront/journal"
)

// minute is for what must not take so long.
func minute(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// from receives what comes within a minute.
func from[T any](t *testing.T, c <-chan T, what string) (x T) {
	t.Helper()
	select {
	case x = <-c:
	case <-minute(t).Done():
		t.Fatalf("%s: not within a minute", what)
	}
	return x
}

// says waits until these words are told; on a slow machine others may come before.
func says(t *testing.T, told <-chan string, words string) {
	t.Helper()
	for !strings.Contains(from(t, told, "told: "+words), words) {
	}
}

// refuses wants a config to be refused, by a name and with these words.
func refuses(t *testing.T, c Config, want error, words ...string) {
	t.Helper()
	l, err := openWithin(t, c)
	if !errors.Is(err, want) {
		t.Errorf("opened with %v, not %v", err, want)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("not said: %q\n%v", w, err)
		}
	}
	if l != nil {
		l.Close()
	}
}

func TestExternal_Check(t *testing.T) {
	good := External{URLs: []string{"nats://a:4222", "tls://b"}, SyncAlways: true}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for words, spoil := range map[string]func(*External){
		"no URL":              func(x *External) { x.URLs = nil },
		"is no URL of a NATS": func(x *External) { x.URLs = []string{"http://a:4222"} },
		"nats://host:4222":    func(x *External) { x.URLs = []string{"a:4222"} },
		"is no prefix":        func(x *External) { x.Prefix = "a.b" },
		"not 2":               func(x *External) { x.Replicas = 2 },
		"given together":      func(x *External) { x.Cert = "cert.pem" },
		"credentials":         func(x *External) { x.Credentials = "/nowhere/creds" },
		"authority":           func(x *External) { x.CA = "/nowhere/ca.pem" },
		"sync_interval":       func(x *External) { x.SyncAlways = false },
	} {
		x := good
		spoil(&x)
		if err := x.Check(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	for v, want := range map[string]bool{"2.10.29": true, "2.11.0": false, "2.15.2": false, "3.0.0": false, "1.99": true, "": true} {
		if older(v, leastNATS) != want {
			t.Errorf("%q is older than %s: %v", v, leastNATS, !want)
		}
	}
}

// Whatever is in a password, and however it falls to pieces: nothing of it is said.
func TestExternal_ShowsNoPassword(t *testing.T) {
	for in, want := range map[string]string{
		"nats://a:4222 tls://[::1]:4222":                         "nats://a:4222, tls://[::1]:4222",
		"nats://user:secret@a:4222 nats://secret@b:4222 tls://c": "nats://xxxxx@a:4222, nats://xxxxx@b:4222, tls://c",
		"nats://user:sec%2Cret@a:4222 tls://c":                   "nats://xxxxx@a:4222, tls://c",
		"nats://user:sec,ret@a:4222 nats://b:4222":               "nats://xxxxx@a:4222, nats://b:4222",
		"nats://user:sec@ret@a:4222":                             "nats://xxxxx@a:4222",
		"a:4222 nats://b:4222 [::1]:4222":                        "a:4222, nats://b:4222, [::1]:4222",
		"nats://user:sec ret@a:4222 nats://b:4222":               "xxxxx, xxxxx, xxxxx", // a comma was there
		"nats://user:sec ret":                                    "xxxxx, xxxxx",
		"nats://user:12 34@a:4222":                               "xxxxx, xxxxx",
		"nats://user:a@secret 34@a:4222":                         "xxxxx, xxxxx",
		"nats://user:12#secret@a:4222":                           "xxxxx",
		"nats://user:12/secret@a:4222":                           "xxxxx",
		"nats://user:12?secret@a:4222 nats://b:4222":             "xxxxx, xxxxx",
		"nats://user:sec%zzret@a:4222":                           "xxxxx",
		"user:secret@a:4222":                                     "xxxxx",
		"secret@a:4222 nats://b:4222":                            "xxxxx, xxxxx",
		"nats://user:secret":                                     "xxxxx",
	} {
		x := External{URLs: strings.Fields(in), SyncAlways: true}
		if got := x.String(); got != want {
			t.Errorf("%s is shown as %s, not %s", in, got, want)
		}
		err := x.Check()
		switch whole := !strings.Contains(want, "xxxxx") && !strings.HasPrefix(in, "a:") || strings.Contains(want, "xxxxx@"); {
		case whole && err != nil, !whole && !errors.Is(err, ErrConfig):
			t.Errorf("%s: %v", in, err)
		case !whole && !strings.Contains(err.Error(), "%2C for a comma"):
			t.Errorf("%s: it is not said what to write: %v", in, err)
		case !whole && (strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "12") || strings.Contains(err.Error(), "34")):
			t.Errorf("%s: %v", in, err)
		}
	}
}

// A stream that is not as it must be, or is not the one that was confirmed, is refused by name.
func TestExternal_Refused(t *testing.T) {
	y := newYours(t, 1)
	_, js := y.conn(t)
	c := y.config(t, "")
	l := mustOpen(t, c)
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	for range 3 {
		if _, err := w.Tick(minute(t)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := l.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()

	t.Log("the directory is used without NATS")
	own := c
	own.External = nil
	refuses(t, own, ErrConfig, "in a NATS of yours")
	if _, err := Inspect(t.Context(), own, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "in a NATS of yours") {
		t.Errorf("inspected: %v", err)
	}
	own.AcceptLoss = true
	refuses(t, own, ErrConfig, "in a NATS of yours")
	own.Cluster = &Cluster{}
	refuses(t, own, ErrConfig, "in a NATS of yours")

	t.Log("settings")
	unsafe := c
	x := *c.External
	unsafe.External = &x
	x.SyncAlways = false
	refuses(t, unsafe, ErrUnsafe, "sync_interval: always")
	x.SyncAlways, x.Replicas = true, 3
	refuses(t, unsafe, ErrConfig, "Replicas is 1, not 3")
	changed := l.c.stream(1, 1)
	changed.MaxAge, changed.AllowDirect, changed.Description = time.Hour, false, "ours"
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	refuses(t, c, ErrConfig, "MaxAge is 1h0m0s, not 0s", "AllowDirect is false, not true", "the stream WARMFRONT_0 of nats://127.0.0.1:")
	whole := l.c.stream(1, 1)
	whole.Description = "ours"
	if _, err := js.UpdateStream(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, c).Close()

	t.Log("a stream of something else has the subjects")
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALL", Subjects: []string{"X.>"}}); err != nil {
		t.Fatal(err)
	}
	refuses(t, y.config(t, "X"), ErrConfig, "does not make the stream X_0", "overlap")

	t.Log("what was confirmed is not there")
	if err := js.DeleteStream(t.Context(), "WARMFRONT_0"); err != nil {
		t.Fatal(err)
	}
	refuses(t, c, ErrLost, "entry 4 was confirmed")
	alien := y.config(t, "X")
	if err := js.DeleteStream(t.Context(), "ALL"); err != nil {
		t.Fatal(err)
	}
	alien.External.New = true // as one that begins a control plane, and then as another one
	mustOpen(t, alien).Close()
	refuses(t, alien, ErrConfig, "the journal of a control plane")
	joined := y.config(t, "")
	joined.External.Joined = true
	refuses(t, joined, ErrLost, "has joined a control plane")
	other := mustOpen(t, y.config(t, ""))
	begun, err := other.one(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	refuses(t, c, ErrLost, "entry 4 of epoch")
	c.AcceptLoss = true
	l = mustOpen(t, c)
	if !l.doubt {
		t.Error("it is not doubted")
	}
	if l.Epoch() != begun.Epoch || begun.Epoch == first.Epoch {
		t.Error("it is not the log that there is")
	}
}

// What an operator's NATS does not let this client do is said; what is away is waited for.
func TestExternal_NotToBeHad(t *testing.T) {
	at := lasting.Address()
	told := make(chan string, 100)
	c := Config{Dir: t.TempDir(), External: &External{URLs: []string{"nats://" + at}, SyncAlways: true, Waiting: func(why string) { told <- why }}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := Open(ctx, c); done <- err }()
	says(t, told, "NATS at nats://"+at+" cannot be reached")
	cancel()
	if err := from(t, done, "the end of Open"); !errors.Is(err, ErrNATS) || !strings.Contains(err.Error(), at) {
		t.Errorf("%v", err)
	}

	y := newYours(t, 1)
	again := func(tune func(*server.Options)) Config {
		y.stop(0)
		y.tune = tune
		y.start(t, 0)
		return y.config(t, "")
	}
	c = again(func(o *server.Options) { o.Username, o.Password = "a", "b,c" })
	refuses(t, c, ErrConfig, "Authorization Violation")
	for _, password := range []string{"b%2Cc", "b,c"} { // the second can be said in a file alone
		c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "nats://a:"+password+"@", 1)}
		mustOpen(t, c).Close()
	}
	c = again(func(o *server.Options) { o.JetStream = false })
	told = make(chan string, 100)
	c.External.Waiting = func(why string) { told <- why }
	ctx, cancel = context.WithCancel(t.Context())
	go func() { _, err := Open(ctx, c); done <- err }()
	says(t, told, "is JetStream enabled there?")
	cancel()
	if err := from(t, done, "the end of Open"); !errors.Is(err, ErrNATS) {
		t.Errorf("%v", err)
	}
	refuses(t, again(func(o *server.Options) { o.MaxPayload = 64 << 10 }), ErrConfig, "max_payload")
	c = again(func(o *server.Options) {
		o.Users = []*server.User{{Username: "a", Password: "b", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"WARMFRONT.>"}}, Subscribe: &server.SubjectPermission{Allow: []string{"WARMFRONT.>"}}}}}
	})
	c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "nats://a:b@", 1)}
	refuses(t, c, ErrConfig, "does not permit", "$JS.API.STREAM.INFO.WARMFRONT_0")
}

// What docs/operate.md says that an account must permit is enough.
func TestExternal_AsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "```conf\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("there is no configuration")
	}
	file := filepath.Join(t.TempDir(), "nats-server.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	y := newYours(t, 1)
	y.stop(0)
	y.tune = func(o *server.Options) {
		given, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o.Accounts, o.Users, o.SyncAlways = given.Accounts, given.Users, given.SyncAlways
	}
	y.start(t, 0)
	if z, err := y.servers[0].Jsz(&server.JSzOptions{Config: true}); err != nil || !z.Config.SyncAlways {
		t.Errorf("it does not sync: %v", err)
	}
	c := y.config(t, "")
	c.External.URLs = []string{strings.Replace(y.urls()[0], "nats://", "nats://warmfront:s3cret@", 1)}
	denied := &warnings{}
	c.Logger = slog.New(slog.NewTextHandler(denied, &slog.HandlerOptions{Level: slog.LevelWarn}))
	alone(t, c.Dir)
	l, other := mustOpen(t, c), c
	other.Dir = t.TempDir()
	o := mustOpen(t, other)
	eventually(t, "they hear each other", func() bool { return l.others.many() == 1 && o.others.many() == 1 })
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	if _, err := w.Tick(minute(t)); err != nil {
		t.Fatal(err)
	}
	acked := make(chan journal.Ack, 1)
	stop, err := o.Acks(func(a journal.Ack) { acked <- a })
	if err == nil {
		err = l.Ack(t.Context(), journal.Ack{Edge: "FRA50-1"})
	}
	if err != nil {
		t.Fatal(err)
	}
	from(t, acked, "an acknowledgement")
	stop()
	if _, err := l.Ask(t.Context(), "nobody", nil); !errors.Is(err, ErrAway) {
		t.Errorf("ask: %v", err)
	}
	both := &trio{logs: []*Log{l, o}}
	for i := range both.logs { // the second removes what the first has kept
		for range 30 {
			if _, err := w.Tick(minute(t)); err != nil {
				t.Fatal(err)
			}
		}
		both.compact(t, i, 5)
	}
	both.agree(t)
	if found, err := Inspect(minute(t), c, nil); err != nil || found.Base == 0 || found.Base != o.Extent().Base {
		t.Errorf("inspected: %+v, %v", found, err)
	}
	for line := range strings.Lines(denied.String()) {
		if strings.Contains(strings.ToLower(line), "permission") { // other words are of a slow machine
			t.Errorf("it says: %s", line)
		}
	}
}

// warnings are what is logged.
type warnings struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *warnings) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// A log that a node has by itself is carried over, as it is, into a stream that is not there yet, and into no other.
func TestExternal_CarriedOver(t *testing.T) {
	y := newYours(t, 1)
	c := y.config(t, "")
	const many = 12
	alone(t, c.Dir, slices.Repeat([]journal.Fact{{Tick: &journal.Tick{}}}, many-1)...)
	compact(t, c.Dir, 2, func(e *journal.Entry) bool { return e.Seq == 1 })
	own := open(t, Config{Dir: c.Dir})
	last, err := own.one(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	own.Close()
	l := mustOpen(t, c)
	if got, err := l.one(t.Context(), many); err != nil || journal.PositionOf(got) != journal.PositionOf(last) || l.Epoch() != own.Epoch() {
		t.Fatalf("%+v, %v, not %+v; epoch %s, not %s", got, err, last, l.Epoch(), own.Epoch())
	}
	if err := l.Append(t.Context(), after(last)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if !exists(c.path(single, "head")) || exists(c.path("jetstream")) {
		t.Error("what was carried over was not put aside")
	}
	mustOpen(t, c).Close()
	other := y.config(t, "")
	alone(t, other.Dir)
	refuses(t, other, ErrConfig, "a journal of its own")
}

// While NATS is away nothing is confirmed, and it is said; afterwards everything goes on by itself.
func TestExternal_Away(t *testing.T) {
	y := newYours(t, 1)
	l := mustOpen(t, y.config(t, ""))
	if err := l.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	heard := make(chan uint64, 100)
	stop, err := l.Live(func(e *journal.Entry) { heard <- e.Seq })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	y.stop(0)
	first := &journal.Entry{Epoch: l.Epoch(), Seq: 1, ID: journal.NewID()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a question that was sent just before NATS was seen to be away is never answered
	defer cancel()
	if err := l.Append(ctx, after(first)); err == nil {
		t.Error("confirmed by nobody")
	}
	eventually(t, "being without NATS is said", func() bool { return errors.Is(l.Quorum(), ErrNATS) && errors.Is(l.Health(), ErrNATS) })
	if why := l.Quorum().Error(); !strings.Contains(why, y.addresses[0]) {
		t.Errorf("said: %s", why)
	}
	y.start(t, 0)
	eventually(t, "NATS is back", func() bool { return l.Quorum() == nil })
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	z, err := w.Tick(minute(t))
	if err != nil {
		t.Fatal(err)
	}
	if seq := from(t, heard, "a push"); seq != z {
		t.Errorf("heard %d, not %d", seq, z)
	}
}

// Two control nodes, each with its edges: each edge hears what either node appends, either node hears what each acknowledges, and asks each.
func TestExternal_TwoControlNodes(t *testing.T) {
	y, p := newYours(t, 1), newPKI(t)
	var logs []*Log
	var edges []*Remote
	for i, edge := range []string{"FRA50-1", "IAD89-1"} {
		c := y.config(t, "")
		c.External.Node, c.Network = string(rune('a'+i)), p.network(t)
		c.Network.Sign = func([]byte) ([]byte, error) { return []byte("signed"), nil }
		l := mustOpen(t, c)
		desk(t, l, Desk{})
		logs, edges = append(logs, l), append(edges, p.dial(t, l.Addr(), edge))
		connected(t, edges[i])
		stop, err := edges[i].Answer(func(_ context.Context, question []byte) []byte {
			return slices.Concat([]byte(edge+" answers "), question)
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	for i, l := range logs {
		other := logs[1-i]
		eventually(t, "they know each other", func() bool {
			at, all := l.Others()
			return all && slices.Equal(at, []string{other.Addr()})
		})
		if n := l.Nodes(); len(n) != 2 || n[0].Node == n[1].Node || !n[0].Reached || !n[1].Reached {
			t.Errorf("nodes: %v", n)
		}
	}

	signed := make(chan string, 10)
	stop, err := edges[1].overhear(func(signature, _ []byte) { signed <- string(signature) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	heard := make(chan uint64, 10)
	for _, e := range edges {
		stop, err := e.Live(func(e *journal.Entry) { heard <- e.Seq })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	w := journal.NewWriter(journal.WriterConfig{Log: logs[0], TickWindow: 1})
	z, err := w.Tick(minute(t))
	if err != nil {
		t.Fatal(err)
	}
	for range edges {
		if seq := from(t, heard, "a push"); seq != z {
			t.Errorf("heard %d, not %d", seq, z)
		}
	}
	if s := from(t, signed, "a push with its signature"); s != "signed" {
		t.Errorf("signature %q", s)
	}
	if entries, err := edges[1].Read(t.Context(), 1, 10); err != nil || len(entries) != int(z) {
		t.Errorf("read %d entries, %v", len(entries), err)
	}

	acks := make(chan string, 10)
	for _, l := range logs {
		stop, err := l.Acks(func(a journal.Ack) { acks <- a.Edge })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	if err := edges[1].Ack(t.Context(), journal.Ack{Edge: "IAD89-1", Seq: z}); err != nil {
		t.Fatal(err)
	}
	for range logs {
		if edge := from(t, acks, "an acknowledgement"); edge != "IAD89-1" {
			t.Errorf("acknowledged by %s", edge)
		}
	}

	for _, l := range logs {
		for _, edge := range []string{"FRA50-1", "IAD89-1"} {
			if b, err := l.Ask(t.Context(), edge, []byte("x")); err != nil || !bytes.Equal(b, []byte(edge+" answers x")) {
				t.Errorf("%s: %s, %v", edge, b, err)
			}
		}
		if _, err := l.Ask(t.Context(), "GRU3-1", nil); !errors.Is(err, ErrAway) {
			t.Errorf("an edge that is nowhere: %v", err)
		}
	}
	logs[1].Close()
	eventually(t, "one has gone", func() bool { return len(logs[0].Nodes()) == 1 })
	if _, err := logs[0].Ask(t.Context(), "IAD89-1", nil); !errors.Is(err, ErrAway) {
		t.Errorf("an edge of a node that has gone: %v", err)
	}
}

// Where there are not enough servers for all replicas of a stream that is to be made, as while one is restarted, that is waited for.
func TestExternal_BegunWithTooFewServers(t *testing.T) {
	t.Parallel()
	y := newYours(t, 3)
	mustOpen(t, y.config(t, "FIRST")) // they have come together
	c := y.config(t, "")
	told, done := make(chan string, 512), make(chan error, 1)
	c.External.Replicas, c.External.Waiting = 5, func(why string) { told <- why }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, err := Open(ctx, c); done <- err }()
	says(t, told, "has no 5 servers for the stream")
	cancel()
	if err := from(t, done, "the end of Open"); !errors.Is(err, ErrNATS) {
		t.Errorf("%v", err)
	}
}

// A control node whose server is on the lesser side of a cluster that was cut in two reads there what that has. Less than what it was told of it never takes for the
// log's end, or it would find the chain broken and stop for good (W4); with the others back it goes on by itself.
func TestExternal_OnTheLesserSide(t *testing.T) {
	t.Parallel() // it mostly waits
	y := newYours(t, 3)
	c := y.config(t, "")
	stream := c.names().stream
	const side = 0
	c.External.URLs = y.urls()[side : side+1]
	l := mustOpen(t, c)
	w := journal.NewWriter(journal.WriterConfig{Log: l, TickWindow: 1})
	if _, err := w.Tick(minute(t)); err != nil {
		t.Fatal(err)
	}
	nc, _ := y.conn(t)
	leader := y.whole(t, stream)
	for ; leader == side; leader = y.whole(t, stream) { // who leads notices late that nobody follows
		if _, err := nc.RequestWithContext(minute(t), "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil); err != nil {
			t.Fatal(err)
		}
	}
	y.stop(3 - side - leader)
	y.stop(leader) // the last: with two of three another one would lead
	next := w.Position().Seq + 1
	l.known.mu.Lock()
	l.known.seq, l.known.after = next, time.Nanosecond // it was told of one more, long ago
	l.known.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if entries, err := l.Read(ctx, next, 10); err == nil {
		t.Errorf("the log is said to end before entry %d: %d entries", next, len(entries))
	}
	y.start(t, 1)
	y.start(t, 2)
	if seq, err := w.Tick(minute(t)); err != nil || seq < next {
		t.Errorf("%d, %v", seq, err)
	}
	if entries, err := l.Read(minute(t), next, 10); err != nil || len(entries) == 0 || entries[0].Seq != next {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}
