package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/ownapi/client"
)

func receipt(t *testing.T, text string) *client.Receipt {
	t.Helper()
	r := &client.Receipt{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	begun = `{"invalidation":{"id":"I1","status":"InProgress","createTime":"2026-05-14T12:00:00Z"},"tookMs":12.5,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true},
		{"edge":"gru-1","location":"GRU50","applied":false,"tookMs":12.5}]}`
	lagging = `{"invalidation":{"id":"I1","status":"InProgress","createTime":"2026-05-14T12:00:00Z"},"tookMs":5000,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true},
		{"edge":"gru-1","location":"GRU50","applied":false,"tookMs":5000,"lagging":"last heard of 4.9s ago"}]}`
	done = `{"invalidation":{"id":"I1","status":"Completed","createTime":"2026-05-14T12:00:00Z"},"tookMs":5210,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true},
		{"edge":"gru-1","location":"GRU50","applied":true,"tookMs":5204,"objects":1,"bytes":1024,"counted":false}]}`
	unheard = `{"invalidation":{"id":"I1","status":"Completed","createTime":"2026-05-14T12:00:00Z"},"tookMs":32000,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true},
		{"edge":"gru-1","location":"GRU50","applied":false,"tookMs":32000,"lagging":"did not acknowledge it","unbound":true}]}`
)

// An invalidation that all edges have applied, and that is not Completed, has a reason.
func TestProgress_SaysWhyTimeAloneCompletes(t *testing.T) {
	const doubted = `{"invalidation":{"id":"I1","status":"InProgress","createTime":"2026-05-14T12:00:00Z"},"tookMs":5000,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true}],
		"doubt":{"since":"2026-05-14T11:59:00Z","until":"2026-05-14T11:59:32Z","unheard":12,"edges":["a","b","c","d","e","f","g","h","i","j","k"]}}`
	var out bytes.Buffer
	p := progress{screen: &screen{out: &out}, title: "I1 on E1"}
	for range 2 {
		p.show(receipt(t, doubted))
	}
	since := receipt(t, doubted).Doubt.Since.Local().Format(dateTime)
	expect(t, out.String(), `I1 on E1
fra-1 in FRA50: applied it in 3.1 ms
The journal is doubted since `+since+`: it was restored, copied, or opened in spite of a loss.
Invalidations are Completed by time alone, after 32s; still to be heard, or removed: a, b, c, d, e, f, g, h, i, j and 2 more
`)
	code, _, said, _ := timesOut(t, doubted)
	if code != exitRefused || !strings.Contains(said, "hint: The journal is doubted since") || !strings.Contains(said, "hint: Invalidations are Completed by time alone") {
		t.Errorf("%d\n%s", code, said)
	}
}

// Who is no edge any more, and is waited for, has a line of its own beside that of who has its name now.
func TestProgress_NamesWhoIsNoEdgeAnyMore(t *testing.T) {
	const replaced = `{"invalidation":{"id":"I1","status":"InProgress","createTime":"2026-05-14T12:00:00Z"},"tookMs":5000,"edges":[
		{"edge":"fra-1","location":"FRA50","applied":true,"tookMs":3.1,"objects":2,"bytes":2048,"counted":true},
		{"edge":"fra-1","location":"FRA50","tookMs":5000,"former":true,"lagging":"was replaced, in 30s"}]}`
	var out bytes.Buffer
	p := progress{screen: &screen{out: &out}, title: "I1 on E1"}
	for range 2 {
		p.show(receipt(t, replaced))
	}
	expect(t, out.String(), `I1 on E1
fra-1 in FRA50: applied it in 3.1 ms
fra-1 in FRA50: was replaced, in 30s
`)
	expect(t, summary(receipt(t, replaced)), "InProgress: 1 of 1 edge and 1 former edge, 5.0 s")
}

func TestSummary_NamesWhomCompletedDoesNotSpeakFor(t *testing.T) {
	want := "Completed in 32.0 s, dropped 2 objects, 2.0 KiB so far, but not at gru-1 in GRU50: cut off, and showing what there was (warmfront:isolation=serve-stale)"
	if got := summary(receipt(t, strings.Replace(unheard, `"edges"`, `"edgeCount":300,"edges"`, 1))); got != strings.Replace(want, ", but", ", and what is not known any more of 298 edges, but", 1) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := summary(receipt(t, unheard)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestProgress_OnATerminal(t *testing.T) {
	f, s := newTerminal(t, 80, 24)
	p := progress{screen: s, title: "I1 on E1 (www.example.com), 2 selectors"}
	for _, k := range []struct{ receipt, want string }{
		{begun, `
I1 on E1 (www.example.com), 2 selectors
  fra-1 in FRA50  applied  3.1 ms  dropped 2 objects, 2.0 KiB
  gru-1 in GRU50  waiting  12 ms
InProgress: 1 of 2 edges, 12 ms`},
		{lagging, `
I1 on E1 (www.example.com), 2 selectors
  fra-1 in FRA50  applied  3.1 ms  dropped 2 objects, 2.0 KiB
  gru-1 in GRU50  waiting  5.0 s   last heard of 4.9s ago
InProgress: 1 of 2 edges, 5.0 s`},
		{"", `
I1 on E1 (www.example.com), 2 selectors
connection refused
It is asked again until it answers.`},
		{done, `
I1 on E1 (www.example.com), 2 selectors
  fra-1 in FRA50  applied  3.1 ms  dropped 2 objects, 2.0 KiB
  gru-1 in GRU50  applied  5.2 s   dropped 1 object, 1.0 KiB so far
Completed in 5.2 s, dropped 3 objects, 3.0 KiB so far`},
	} {
		if k.receipt == "" {
			p.trouble(fmt.Errorf("connection refused"))
		} else {
			p.show(receipt(t, k.receipt))
		}
		if got := f.text(); got != k.want[1:] {
			t.Errorf("got:\n%s\nwant:%s", got, k.want)
		}
	}
}

func TestProgress_ElsewhereALineForEachThingThatHappens(t *testing.T) {
	var out bytes.Buffer
	p := progress{screen: &screen{out: &out}, title: "I1 on E1"}
	for range 2 {
		p.show(receipt(t, begun))
	}
	for range 2 {
		p.show(receipt(t, lagging))
	}
	for range 2 {
		p.trouble(fmt.Errorf("connection refused"))
	}
	p.show(receipt(t, done))
	want := `I1 on E1
fra-1 in FRA50: applied it in 3.1 ms
gru-1 in GRU50: last heard of 4.9s ago
connection refused; it is asked again until it answers
gru-1 in GRU50: applied it in 5.2 s
Completed in 5.2 s, dropped 3 objects, 3.0 KiB so far
`
	if out.String() != want {
		t.Errorf("%s", &out)
	}
}

// Of more edges than fit, those that are waited for are seen, and how far it is.
func TestProgress_ManyEdges(t *testing.T) {
	r := receipt(t, begun)
	r.Edges = nil
	for i := range 300 {
		r.Edges = append(r.Edges, client.ReceiptRow{Edge: fmt.Sprintf("edge-%03d", i), Applied: i != 250, TookMs: 5})
	}
	f, s := newTerminal(t, 80, 10)
	p := progress{screen: s, title: "I1 on E1"}
	p.show(r)
	p.show(r)
	got := strings.Split(f.text(), "\n")
	if len(got) != 9 || got[1] != "  edge-250  waiting  5.0 ms" || got[7] != "… and 294 more" || got[8] != "InProgress: 299 of 300 edges, 12 ms" {
		t.Errorf("%s", f.text())
	}
	r.Invalidation.Status = "Completed"
	if p.show(r); !strings.HasSuffix(f.text(), "\nCompleted in 12 ms") {
		t.Errorf("%s", f.text())
	}
}

// server plays a Warmfront with one distribution. Each receipt that is asked for is the next of them;
// "" is an answer that the server is not there.
type server struct {
	mu       sync.Mutex
	receipts []string
	wish     client.Wish
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p := r.URL.Path; {
	case strings.HasSuffix(p, "/events"):
		w.Header().Set("Content-Type", "text/event-stream")
		for range s.receipts { // so that nobody waits for the clock
			fmt.Fprint(w, "event: change\ndata: {\"kind\":\"node\"}\n\n")
		}
	case strings.HasSuffix(p, "/receipt"):
		text := s.receipts[0]
		if len(s.receipts) > 1 {
			s.receipts = s.receipts[1:]
		}
		if text == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = `{"code":"ServiceUnavailable","message":"Starting."}`
		}
		fmt.Fprint(w, text)
	case r.Method == "POST":
		if err := json.NewDecoder(r.Body).Decode(&s.wish); err != nil {
			panic(err)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"I1","status":"InProgress","createTime":"2026-05-14T12:00:00Z"}`)
	default:
		fmt.Fprint(w, `<Distribution xmlns="`+wire.Namespace+`"><Id>E1</Id><DomainName>d1.localhost</DomainName></Distribution>`)
	}
}

func invalidateAt(t *testing.T, ctx context.Context, s http.Handler, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	at := httptest.NewServer(s)
	defer at.Close()
	t.Setenv(envKey, "k")
	t.Setenv(envSecret, "s")
	t.Setenv(envEndpoint, at.URL)
	var out, said bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"invalidate", "E1"}, args...))
	root.SetOut(&out)
	root.SetIn(strings.NewReader(stdin))
	return run(ctx, root, &said), out.String(), said.String()
}

func TestInvalidate_WaitsThroughARestart(t *testing.T) {
	s := &server{receipts: []string{begun, "", done}}
	code, out, said := invalidateAt(t, context.Background(), s, "/b\r\n\n#c", "/a", "-", "--wait", "--reference", "r", "--comment", "why")
	if code != exitDone || !strings.HasSuffix(out, "Completed in 5.2 s, dropped 3 objects, 3.0 KiB so far\n") || !strings.Contains(out, "Starting.") {
		t.Errorf("%d\n%s%s", code, out, said)
	}
	if got := fmt.Sprint(s.wish); got != "{[/a /b #c] r why <nil> <nil> <nil> <nil> }" {
		t.Errorf("sent %s", got)
	}
}

// timesOut waits for an invalidation whose receipt stays what it is, for long enough to have seen it.
func timesOut(t *testing.T, receipt string) (code int, out, said string, after time.Duration) {
	t.Helper()
	for after = 200 * time.Millisecond; ; after *= 2 {
		s := &server{receipts: []string{receipt}}
		code, out, said = invalidateAt(t, context.Background(), s, "", "/a", "--wait", "--timeout", after.String())
		if strings.Contains(out, "fra-1") || after > time.Minute {
			return code, out, said, after
		}
	}
}

func TestInvalidate_TimesOut(t *testing.T) {
	code, out, said, after := timesOut(t, lagging)
	want := `warmfront: I1 is not Completed after ` + after.String() + `
  hint: waiting for gru-1 in GRU50, which last heard of 4.9s ago
  hint: It goes on by itself: warmfront history E1 shows how it went.
`
	if code != exitRefused || said != want {
		t.Errorf("%d\n%s%s", code, out, said)
	}
}

func TestInvalidate_JSONIsNothingButJSON(t *testing.T) {
	code, out, said := invalidateAt(t, context.Background(), &server{receipts: []string{begun, done}}, "", "/a", "--wait", "--json")
	r := &client.Receipt{}
	if err := json.Unmarshal([]byte(out), r); code != exitDone || err != nil || said != "" || r.Invalidation.Status != "Completed" {
		t.Errorf("%d %v\n%s%s", code, err, out, said)
	}
}

// An answer that does not come leaves it open whether the invalidation was accepted: the reference
// makes trying again safe.
func TestInvalidate_NoAnswerSaysHowToTryAgain(t *testing.T) {
	s := &server{}
	cuts := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			panic(http.ErrAbortHandler)
		}
		s.ServeHTTP(w, r)
	})
	code, _, said := invalidateAt(t, context.Background(), cuts, "", "/a")
	if code != exitRefused || !strings.Contains(said, "not known whether") || !strings.Contains(said, "--reference warmfront-20") {
		t.Errorf("%d %s", code, said)
	}
}

// The server says itself whether something has been changed, and what can be done is said in either case.
func TestInvalidate_UnavailableSaysThatItIsSafeToTryAgain(t *testing.T) {
	s := &server{}
	refuses := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, `{"code":"ServiceUnavailable","message":"The journal cannot be written at the moment. Nothing was changed: repeat the request."}`)
			return
		}
		s.ServeHTTP(w, r)
	})
	code, _, said := invalidateAt(t, context.Background(), refuses, "", "/a", "--reference", "r1")
	if code != exitRefused || strings.Contains(said, "not known whether") || !strings.Contains(said, "Nothing was changed") ||
		!strings.Contains(said, "safe to try again with the same selectors and --reference r1:") || !strings.Contains(said, "warmfront history E1 --text r1") {
		t.Errorf("%d %s", code, said)
	}
}

func TestInvalidate_CtrlC(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{receipts: []string{begun}}
	stops := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ServeHTTP(w, r); strings.HasSuffix(r.URL.Path, "/receipt") {
			cancel()
		}
	})
	code, _, said := invalidateAt(t, ctx, stops, "", "/a", "--wait")
	if code != exitRefused || !strings.Contains(said, "interrupted while I1 was in progress") || !strings.Contains(said, "goes on by itself") {
		t.Errorf("%d %s", code, said)
	}
}

// Who is stopped before the answer has come does not know either.
func TestInvalidate_CtrlCBeforeItIsAccepted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{}
	hangs := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" {
			s.ServeHTTP(w, r)
			return
		}
		io.Copy(io.Discard, r.Body) // only then is it noticed that the client has gone
		cancel()
		<-r.Context().Done()
	})
	code, _, said := invalidateAt(t, ctx, hangs, "", "/a")
	if code != exitRefused || !strings.Contains(said, "not known whether the invalidation was accepted: interrupted") || !strings.Contains(said, "--reference warmfront-20") {
		t.Errorf("%d %s", code, said)
	}
}

// Of many edges that are waited for, the first are named.
func TestWaitedFor_Many(t *testing.T) {
	r := receipt(t, begun)
	r.Edges = nil
	for i := range 300 {
		r.Edges = append(r.Edges, client.ReceiptRow{Edge: fmt.Sprintf("edge-%03d", i), Applied: i%2 == 0})
	}
	got := waitedFor(r)
	if len(got) != 11 || got[0] != "waiting for edge-001" || got[10] != "waiting for 140 more edges" {
		t.Errorf("%q", got)
	}
}

func TestExpanded_RecognisesWhatAShellMakesOfEverything(t *testing.T) {
	if _, err := readSelectors([]string{"/a", "/b"}, nil); err != nil {
		t.Error(err)
	}
	root := append(rootFiles(t), "/extra")
	if _, err := readSelectors(root, nil); err == nil || !strings.Contains(err.Error(), "quote it") {
		t.Errorf("%v", err)
	}
}

func rootFiles(t *testing.T) (files []string) {
	t.Helper()
	all, err := os.ReadDir("/")
	if err != nil || len(all) < 3 {
		t.Fatalf("the root has %d files, too few to be mistaken for selectors: %v", len(all), err)
	}
	for _, f := range all {
		if !strings.HasPrefix(f.Name(), ".") {
			files = append(files, "/"+f.Name())
		}
	}
	return files
}
