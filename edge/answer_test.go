package edge

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
)

// onWire is a ResponseWriter that keeps the answer as it would stand on the wire.
type onWire struct {
	out bytes.Buffer
}

func (w *onWire) Begin(status int, f message.Fields, length int64) error {
	w.out.Write(httpserver.AppendHead(nil, status, f, length))
	w.out.WriteString("\r\n")
	return nil
}

func (w *onWire) Write(p []byte) (int, error) { return w.out.Write(p) }
func (w *onWire) Flush() error                { return nil }
func (w *onWire) Abort()                      { w.out.WriteString("<abort>") }

var anyID = regexp.MustCompile(`[A-Za-z0-9_-]{54}==`)

func withoutID(answer string) string {
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	return anyID.ReplaceAllString(head, "ID") + "\r\n\r\n" + body
}

// told is what is compared of two exchanges: everything but ids, durations and where it is counted.
func told(x Exchange) string {
	x.FirstByte, x.Duration, x.Start, x.ID, x.Request, x.Stripe = 0, 0, time.Time{}, fmt.Sprint(len(x.ID)), nil, 0
	return fmt.Sprintf("%+v", x)
}

// octetsIn is what a rest consists of, as far as it is to be had.
func octetsIn(rest httpserver.Rest) []byte {
	if rest.File == nil {
		return bytes.Clone(rest.Octets)
	}
	if !rest.File.Hold() {
		return nil
	}
	defer rest.File.Release()
	b := make([]byte, rest.File.Size())
	n, _ := rest.File.ReadAt(b, 0)
	return b[:n]
}

// both asks the inline answerer and then Serve, and compares what viewers and observers get.
func (w *world) both(line string, lines ...string) (inline bool) {
	w.t.Helper()
	a := w.edge.Inline()
	asked := request(line, lines...)
	before := len(w.seen)
	out, rest, ok := a.Answer([]byte("before"), asked)
	if !ok {
		if string(out) != "before" || rest.Octets != nil || len(w.seen) != before {
			w.t.Errorf("%s: declined, but left %q, %d octets", line, out, len(rest.Octets))
		}
		a.Sent()
		return false
	}
	a.Sent()
	body := octetsIn(rest)
	if n := len(body); n > 0 {
		if len(w.seen) != before {
			w.t.Errorf("%s: observed before its body was out", line)
		}
		a.Done(int64(n), false)
	}
	var s onWire
	w.edge.Serve(context.Background(), &s, request(line, lines...))
	if got, want := withoutID(string(out)+string(body)), withoutID("before"+s.out.String()); got != want {
		w.t.Errorf("%s %q:\ninline %.2000q\nServe  %.2000q", line, lines, got, want)
	}
	if n := len(w.seen); n != before+2 || told(w.seen[n-1]) != told(w.seen[n-2]) {
		w.t.Errorf("%s:\ninline %+v\nServe  %+v", line, w.seen[n-2], w.seen[n-1])
	}
	w.both2(line, lines...)
	return true
}

// Where HTTP/3 is to be had is said in every answer of a distribution that wants it, from when it does.
func TestAnswer_AnnouncesHTTP3(t *testing.T) {
	story(t, func(w *world) {
		w.edge.announce(`h3=":8441"; ma=86400`)
		w.origin.on("/a", ok("hello", "Cache-Control: max-age=60", `Alt-Svc: h3=":1"`))
		want := func(inline bool, value string) {
			t.Helper()
			if got := w.get("/a").fields.Joined("Alt-Svc"); got != value {
				t.Errorf("Alt-Svc %q, not %q", got, value)
			}
			if w.both("/a") != inline {
				t.Errorf("inline: %v", !inline)
			}
			r := request("/a")
			r.Major, r.Minor = 3, 0
			a := w.edge.Inline()
			out, _, ok := a.Answer(nil, r)
			a.Sent()
			if ok != inline || !bytes.HasPrefix(out, []byte("HTTP/1.1 200 OK\r\n")) || bytes.Contains(out, []byte("\r\nAlt-Svc: "+value+"\r\nX-Amz-Cf-Id: ")) != (value != "") {
				t.Errorf("over HTTP/3: %v %q", ok, out)
			}
		}
		want(true, "")
		for _, version := range []string{"http3", "http2and3"} {
			w.configure(func(p *journal.DistributionPut) { p.Config.HttpVersion = &version })
			want(true, `h3=":8441"; ma=86400`)
			if got := w.get("/none").fields.Joined("Alt-Svc"); got != `h3=":8441"; ma=86400` {
				t.Errorf("in an error: %q", got)
			}
		}
		version := "http1.1"
		w.configure(func(p *journal.DistributionPut) { p.Config.HttpVersion = &version })
		want(true, "")
	})
}

// both2 is both for HTTP/2, whose header blocks may be spelled in several ways.
func (w *world) both2(line string, lines ...string) {
	w.t.Helper()
	ask := func() *httpserver.Request {
		r := request(line, lines...)
		r.Major, r.Minor = 2, 0
		return r
	}
	a, asked := w.edge.Inline(), ask()
	block, rest, ok := a.Answer(nil, asked)
	a.Sent()
	if n := len(rest.Octets); n > 0 {
		done := a.Later()
		asked.Path, asked.Fields = "/gone", append(asked.Fields[:0], message.Field{Name: "Gone"}) // it is the next one's now
		a.Answer(nil, ask())
		a.Done(0, false)
		a.Sent()
		done(int64(n), false)
	}
	var s onWire2
	w.edge.Serve(context.Background(), &s, ask())
	if got, want := spelled(w.t, block)+string(rest.Octets), spelled(w.t, s.block)+s.body.String(); !ok || got != want {
		w.t.Errorf("%s %q over HTTP/2:\ninline %.2000q\nServe  %.2000q", line, lines, got, want)
	}
	n := len(w.seen)
	if x := w.seen[n-2].Request; x.Path != ask().Path || !slices.Equal(x.Fields, ask().Fields) {
		w.t.Errorf("%s over HTTP/2: observed as %+v", line, x)
	}
	if told(w.seen[n-1]) != told(w.seen[n-2]) {
		w.t.Errorf("%s over HTTP/2:\ninline %+v\nServe  %+v", line, w.seen[n-2], w.seen[n-1])
	}
}

// onWire2 is onWire for HTTP/2.
type onWire2 struct {
	block []byte
	body  bytes.Buffer
}

func (w *onWire2) Begin(status int, f message.Fields, length int64) error {
	w.block = httpserver.AppendBlock(nil, status, f, length)
	return nil
}

func (w *onWire2) Write(p []byte) (int, error) { return w.body.Write(p) }
func (w *onWire2) Flush() error                { return nil }
func (w *onWire2) Abort()                      { w.body.WriteString("<abort>") }

// spelled decodes a header block.
func spelled(t *testing.T, block []byte) string {
	t.Helper()
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return anyID.ReplaceAllString(b.String(), "ID")
}

func TestAnswer_SameAsServe(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/plain", ok("hello", "Cache-Control: max-age=60", "Content-Type: text/plain", "ETag: \"a\"", "Age: 7"))
		w.origin.on("/index.html", ok("root", "Cache-Control: max-age=60"))
		w.origin.on("/empty", ok("", "Cache-Control: max-age=60", "Content-Type: image/png"))
		w.origin.on("/large", ok(strings.Repeat("x", 100<<10), "Cache-Control: max-age=60", "Server: S", "Date: Mon, 23 Nov 2026 10:00:00 GMT"))
		w.origin.on("/huge", ok(strings.Repeat("x", 1<<20), "Cache-Control: max-age=60"))
		w.origin.on("/moved", status(301, "", "Cache-Control: max-age=60", "Location: /x"))
		w.origin.on("/gone", status(404, "nothing", "Cache-Control: max-age=60"))
		w.origin.on("/private", ok("p", "Cache-Control: private"))
		w.origin.on("/short", ok("s", "Cache-Control: max-age=1"))
		w.origin.on("/odd", ok("o", "Cache-Control: max-age=60", "Bad Name: x", "X-Ok: 1"))
		paths := []string{"/plain", "/", "/index.html", "/empty", "/large", "/huge", "/moved", "/gone", "/private", "/short", "/odd", "/nowhere"}
		for _, p := range paths {
			w.get(p)
		}
		w.settle(2 * time.Second)
		want := map[string]bool{"/plain": true, "/": true, "/index.html": true, "/empty": true, "/large": true, "/huge": true, "/moved": true, "/odd": true}
		for _, p := range paths {
			if got := w.both(p); got != want[p] {
				t.Errorf("%s inline: %v", p, got)
			}
			if got := w.both("HEAD " + p); got != want[p] {
				t.Errorf("HEAD %s inline: %v", p, got)
			}
		}
		for _, lines := range [][]string{
			{"If-None-Match: \"a\""}, {"If-Modified-Since: Mon, 23 Nov 2026 10:00:00 GMT"}, {"If-Match: \"a\""}, {"Range: bytes=0-1"},
			{"If-Range: \"a\""}, {"Connection: Upgrade", "Upgrade: websocket"}, shake, {"Host: other.localhost"}, {"Via: 1.1 a (CloudFront), 1.1 b (CloudFront), 1.1 c (CloudFront)"},
			{"body"},
		} {
			if w.both("/plain", lines...) {
				t.Errorf("%q answered inline", lines)
			}
		}
		for _, lines := range [][]string{{"Accept-Encoding: identity"}, {"Cookie: a=b"}, {"Cache-Control: no-cache"}, {"Upgrade: h2c"}} {
			if !w.both("/plain", lines...) {
				t.Errorf("%q not answered inline", lines)
			}
		}
		random(w, paths)
	})
}

// What memory has lost is a plain hit at once, if it can be sent from where it lies on disk: memory gets the head.
func TestAnswer_FirstHitFromDisk(t *testing.T) {
	story(t, func(w *world) {
		body := strings.Repeat("x", 50_000)
		for _, p := range []string{"/a", "/dead", "/soft", "/stale", "/cold"} {
			w.origin.on(p, ok(body, "Cache-Control: max-age=60", "Content-Type: text/plain"), ok("v2", "Cache-Control: max-age=60"))
			w.get(p)
		}
		w.origin.on("/small", ok("x", "Cache-Control: max-age=60"))
		w.get("/small")
		w.emptied()
		if !w.both("/a") {
			t.Error("not answered inline")
		}
		w.emptied()
		if w.edge.loadHead(w.edge.snap.Load(), []byte(w.key("/a"))); w.object("/a") == nil || !w.object("/a").Away() || w.object("/a").Length != 50_000 {
			t.Errorf("in memory: %+v", w.object("/a"))
		}
		w.emptied()
		for _, p := range []string{"/small", "/nothing", "HEAD /dead/not"} {
			if w.both(p) {
				t.Errorf("%s answered inline", p)
			}
		}
		w.file.Suffer(disktest.Faults{Cold: true})
		if w.both("/cold") {
			t.Error("answered inline from a disk that has to be waited for")
		}
		w.file.Suffer(disktest.Faults{})
		w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/dead"}}},
			journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I2", Items: []string{"/soft"}, Mode: journal.Stale}})
		for _, p := range []string{"/dead", "/soft"} {
			if w.both(p) {
				t.Errorf("%s answered inline", p)
			}
		}
		w.settle(time.Minute)
		if w.both("/stale") {
			t.Error("stale, and answered inline")
		}
		if n := w.edge.loads.n.Load(); n != 0 {
			t.Errorf("%d loads do not end", n)
		}
	}, withDisk, unswept)
}

// Who wants all of what another just loads the head of gets it, and does not ask the origin.
func TestLoad_OfWhatAnotherLoadsTheHeadOf(t *testing.T) {
	store := &duringPut{}
	story(t, func(w *world) {
		w.origin.on("/a", ok(strings.Repeat("x", 50_000), "Cache-Control: max-age=60"))
		w.get("/a")
		w.emptied()
		put, headed := make(chan struct{}), make(chan bool)
		store.then = func() { <-put }
		go func() { headed <- w.edge.loadHead(w.edge.snap.Load(), []byte(w.key("/a"))) }()
		synctest.Wait()
		v := w.ask("/a")
		if v.over() {
			t.Fatal("the story goes otherwise")
		}
		close(put)
		synctest.Wait()
		v.is(t, "200 Hit "+strings.Repeat("x", 50_000))
		if !<-headed {
			t.Error("the head was not loaded")
		}
	}, withDisk, func(w *world) { store.Store, w.config.Store = w.store, store })
}

// random asks for the same things over and over, while rules come and time passes.
func random(w *world, paths []string) {
	inline := 0
	for range 1000 {
		p := paths[rand.IntN(len(paths))]
		switch rand.IntN(80) {
		case 0:
			w.invalidate([]string{"/plain", "/*", "/l*", "/index.html"}[rand.IntN(4)])
		case 1:
			w.settle(time.Duration(rand.IntN(5)) * time.Second)
		case 2:
			p += "?v=" + string(rune('a'+rand.IntN(3)))
		case 3:
			p = "HEAD " + p
		}
		if w.both(p) {
			inline++
		} else {
			w.get(p)
		}
	}
	if inline < 50 {
		w.t.Errorf("only %d of 1000 answered inline", inline)
	}
}

// E3: what was decided inline holds up the acknowledgement until its octets are with the socket.
func TestAnswer_TicketClosesWhenTheBatchIsSent(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=600"))
		w.origin.on("/b", ok("v1", "Cache-Control: max-age=600"))
		w.get("/a")
		w.get("/b")
		a := w.edge.Inline()
		if _, _, ok := a.Answer(nil, request("/a")); !ok {
			t.Fatal("no hit")
		}
		seq := w.invalidate("/*")
		w.settle(10 * time.Millisecond)
		if got := w.ackedUpTo(); got >= seq {
			t.Errorf("acknowledged %d while an older decision is not sent", got)
		}
		// The batch goes on with the snapshot that its ticket pins.
		if _, _, ok := a.Answer(nil, request("/b")); !ok {
			t.Error("the batch has lost its snapshot")
		}
		a.Sent()
		w.settle(10 * time.Millisecond)
		if got := w.ackedUpTo(); got < seq {
			t.Errorf("acknowledged %d, want %d", got, seq)
		}
		if _, _, ok := a.Answer(nil, request("/a")); ok {
			t.Error("a dead object was answered")
		}
		a.Sent()
	}, unswept)
}

// What is told of a body that is sent from its place is how it ended.
func TestAnswer_BodyIsToldWhenItIsOver(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok(strings.Repeat("x", 1<<20), "Cache-Control: max-age=600"))
		w.get("/a")
		a, before := w.edge.Inline(), len(w.seen)
		_, rest, ok := a.Answer(nil, request("/a"))
		if !ok || len(rest.Octets) != 1<<20 || len(w.seen) != before {
			t.Fatalf("%v, %d octets, %d told", ok, len(rest.Octets), len(w.seen)-before)
		}
		a.Sent()
		w.settle(3 * time.Second)
		a.Done(1000, true)
		x := w.seen[len(w.seen)-1]
		if len(w.seen) != before+1 || x.Bytes != 1000 || !x.Aborted || x.Duration != 3*time.Second || x.FirstByte != 0 {
			t.Errorf("%d told, the last %+v", len(w.seen)-before, x)
		}
	})
}

func TestAnswer_ExpiredTicketAnswersNothing(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=600"))
		w.get("/a")
		a := w.edge.Inline()
		a.Answer(nil, request("/a"))
		w.invalidate("/*")
		w.settle(w.edge.lease.Timing().Decide + time.Second)
		if _, _, ok := a.Answer(nil, request("/a")); ok {
			t.Error("answered on a ticket that the acknowledgement has not waited for")
		}
		a.Sent()
	})
}

func TestAnswer_NothingWithoutLease(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Cache-Control: max-age=6000"))
		w.get("/a")
		w.edge.lease.Revoke()
		if w.both("/a") {
			t.Error("answered inline without a lease")
		}
	})
}

// prepared is an edge at rest with one object.
func prepared(t testing.TB, size int) (*Edge, *httpserver.Request) {
	e := still(t)
	keep(e, "/img/a.png", size)
	return e, request("/img/a.png", "User-Agent: Mozilla/5.0", "Accept: */*", "Accept-Language: en, de;q=0.5")
}

func TestBudget_InlineAnswerAllocatesNothing(t *testing.T) {
	for _, size := range []int{1 << 10, 64 << 10} {
		e, r := prepared(t, size)
		a, out := e.Inline(), make([]byte, 0, 16<<10)
		if n := testing.AllocsPerRun(100, func() {
			if _, _, ok := a.Answer(out, r); !ok {
				t.Fatal("no hit")
			}
			a.Sent()
		}); n != 0 {
			t.Errorf("%d octets: %v allocations, want 0", size, n)
		}
	}
}

func BenchmarkAnswerHit(b *testing.B) {
	e, r := prepared(b, 1<<10)
	a, out := e.Inline(), make([]byte, 0, 16<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := a.Answer(out, r); !ok {
			b.Fatal("no hit")
		}
		a.Sent()
	}
}
