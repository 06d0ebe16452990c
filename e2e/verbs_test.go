package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestScripts(t *testing.T) {
	if _, err := os.Stat(binary()); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			w := newWorld(env.WorkDir)
			env.Setenv("LONG", strings.Repeat("x", 9000))
			env.Setenv("HUGE", strings.Repeat("x", 33000))
			env.Values["world"] = w
			env.Defer(w.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": start, "shutdown": shutdown, "crash": crash, "restart": restart, "because": because,
			"pause": pause, "resume": resume,
			"control": controlVerb, "edge": edgeVerb, "relay": relayVerb, "nats": natsVerb,
			"origin": originVerb, "hold": hold, "release": release, "seen": seen, "sent": sent,
			"distribution": distributionVerb, "update": update,
			"invalidate": invalidate, "completed": completed,
			"get": get, "soon": soon, "background": background, "begun": begunVerb, "answer": answerVerb,
			"api": apiVerb, "logged": logged, "metric": metric,
			"warmfront": warmfront, "tells": tells, "code": code,
		},
	})
}

func of(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

// check fails the story, or, for a verb behind "!", when there was no error.
func check(ts *testscript.TestScript, neg bool, err error) {
	if neg && err == nil {
		ts.Fatalf("this should have been refused")
	}
	if !neg && err != nil {
		ts.Fatalf("%v", err)
	}
	if neg {
		of(ts).refusal = err.Error()
		ts.Logf("refused: %v", err)
	}
}

// because TEXT: the last refusal says TEXT.
func because(ts *testscript.TestScript, neg bool, args []string) {
	if r := of(ts).refusal; strings.Contains(r, args[0]) == neg {
		ts.Fatalf("the refusal was: %s", r)
	}
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	// Three edges and no demonstration site, unless the story says otherwise.
	var all []string
	if !contains(args, "--edges") {
		all = append(all, "--edges", "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0")
	}
	if !contains(args, "--demo") {
		all = append(all, "--demo", "off")
	}
	check(ts, neg, of(ts).start(append(all, args...)))
	point(ts)
}

// shutdown [EDGE], crash [EDGE]: with a name the process of an edge that is one of its own.
func shutdown(ts *testscript.TestScript, neg bool, args []string) {
	check(ts, neg, of(ts).named(ts, args).stop())
}
func crash(ts *testscript.TestScript, _ bool, args []string) { of(ts).named(ts, args).kill() }

// pause [EDGE], resume [EDGE]: the process stands still, as for a debugger or a machine that is suspended, and goes on.
func pause(ts *testscript.TestScript, neg bool, args []string) {
	check(ts, neg, of(ts).named(ts, args).cmd.Process.Signal(syscall.SIGSTOP))
}
func resume(ts *testscript.TestScript, neg bool, args []string) {
	check(ts, neg, of(ts).named(ts, args).cmd.Process.Signal(syscall.SIGCONT))
}

// restart starts again on the same data, with the same flags.
func restart(ts *testscript.TestScript, neg bool, _ []string) {
	w := of(ts)
	if len(w.args) > 0 && w.args[0] == "control" {
		check(ts, neg, w.startControl(w.args))
	} else {
		check(ts, neg, w.start(w.args))
	}
	point(ts)
}

// origin NAME METHOD PATH -> STATUS ['Name: value'...] [body]
// origin NAME METHOD PATH raw 'octets'
// origin NAME down | up
func originVerb(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) == 0 {
		ts.Fatalf("usage: origin NAME METHOD PATH -> STATUS ['Name: value'...] [body]")
	}
	o := w.origins[args[0]]
	if o == nil {
		var err error
		if o, err = newOrigin(args[0], fixedAddress()); err != nil {
			ts.Fatalf("%v", err)
		}
		w.origins[args[0]] = o
		ts.Setenv(args[0], o.address())
	}
	switch {
	case len(args) == 1:
	case len(args) == 2 && args[1] == "down":
		o.close()
	case len(args) == 2 && args[1] == "up":
		up, err := newOrigin(o.name, o.address())
		if err != nil {
			ts.Fatalf("%v", err)
		}
		up.answers = o.answers
		w.origins[args[0]] = up
	case len(args) == 5 && args[3] == "raw":
		o.set(args[1]+" "+args[2], answer{raw: strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(args[4]), length: -1})
	case len(args) >= 5 && args[3] == "->":
		a, err := parseAnswer(args[4:])
		if err != nil {
			ts.Fatalf("%v", err)
		}
		o.set(args[1]+" "+args[2], a)
	default:
		ts.Fatalf("origin: cannot read %q", args)
	}
}

// parseAnswer reads STATUS ['Name: value'...] [length=N] [body | body*N].
func parseAnswer(args []string) (answer, error) {
	status, err := strconv.Atoi(args[0])
	if err != nil {
		return answer{}, fmt.Errorf("status %q: %w", args[0], err)
	}
	a := answer{status: status, length: -1}
	for _, x := range args[1:] {
		if n, ok := strings.CutPrefix(x, "length="); ok {
			if a.length, err = strconv.Atoi(n); err != nil {
				return a, err
			}
		} else if strings.Contains(x, ": ") {
			a.headers = append(a.headers, x)
		} else if text, n, ok := strings.Cut(x, "*"); ok {
			times, err := strconv.Atoi(n)
			if err != nil {
				return a, err
			}
			a.body = strings.Repeat(text, times)
		} else {
			a.body = x
		}
	}
	return a, nil
}

func anyOrigin(ts *testscript.TestScript, name string) *origin {
	o := of(ts).origins[name]
	if o == nil {
		ts.Fatalf("no origin %q", name)
	}
	return o
}

// hold ORIGIN PATH [middle]: answers to PATH wait, before the head or in the middle of the body.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	anyOrigin(ts, args[0]).hold(holdKey(args), true)
}
func release(ts *testscript.TestScript, _ bool, args []string) {
	anyOrigin(ts, args[0]).hold(holdKey(args), false)
}

func holdKey(args []string) string {
	if len(args) == 3 && args[2] == "middle" {
		return "middle " + args[1]
	}
	return args[1]
}

// seen ORIGIN PATH N: the origin has seen exactly N requests for PATH (it waits for the Nth).
func seen(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[2])
	if err != nil {
		ts.Fatalf("%v", err)
	}
	if got := anyOrigin(ts, args[0]).seen(args[1], want); got != want {
		ts.Fatalf("origin %s has seen %d requests for %s, not %d", args[0], got, args[1], want)
	}
}

// sent ORIGIN PATH ['Name: value' | '!Name']...: what the last request for PATH carried.
func sent(ts *testscript.TestScript, _ bool, args []string) {
	r := anyOrigin(ts, args[0]).last(args[1])
	if r == nil {
		ts.Fatalf("origin %s has seen no request for %s", args[0], args[1])
	}
	h := r.Header.Clone()
	h.Set("Host", r.Host)
	if err := matchHeaders(h, args[2:]); err != nil {
		ts.Fatalf("%v", err)
	}
}

// distribution NAME option=value...
func distributionVerb(ts *testscript.TestScript, neg bool, args []string) {
	check(ts, neg, of(ts).create(args[0], options(ts, args[1:])))
	remember(ts, neg)
}

// update NAME option=value...
func update(ts *testscript.TestScript, neg bool, args []string) {
	check(ts, neg, of(ts).update(args[0], options(ts, args[1:])))
	remember(ts, neg)
}

// remember puts the current distribution's id and domain into the story's environment.
func remember(ts *testscript.TestScript, neg bool) {
	if d, err := of(ts).distribution(""); err == nil && !neg {
		ts.Setenv("ID", d.id)
		ts.Setenv("DOMAIN", d.domain)
	}
}

func options(ts *testscript.TestScript, args []string) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			ts.Fatalf("%q is not option=value", a)
		}
		m[k] = v
	}
	return m
}

// invalidate [DISTRIBUTION] ITEM...
func invalidate(ts *testscript.TestScript, neg bool, args []string) {
	name := ""
	if _, ok := of(ts).distributions[args[0]]; ok {
		name, args = args[0], args[1:]
	}
	check(ts, neg, of(ts).invalidate(name, args))
}

// completed [DURATION]: the newest invalidation is Completed within DURATION, or in much less than a lease, before an edge may have been given up.
func completed(ts *testscript.TestScript, neg bool, args []string) {
	within := soonCompleted
	if len(args) == 1 {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			ts.Fatalf("%v", err)
		}
		within = d
	}
	check(ts, neg, of(ts).completed(within))
}

// get [METHOD] EDGE[/DISTRIBUTION] PATH ['Name: value'...] [body=text] -> STATUS [hit|miss|refreshhit|error|redirect] [body | ~part | 'Name: value' | '!Name' | cut]...
func get(ts *testscript.TestScript, neg bool, args []string) {
	req, want := split(ts, args)
	r, err := of(ts).request(req)
	if err == nil {
		err = r.matches(want)
	}
	check(ts, neg, err)
}

// soon REQUEST... -> ...: what must come of get before long, however often it takes to ask.
func soon(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	req, want := split(ts, args)
	var last error
	err := w.until(patience, func() (bool, error) {
		r, err := w.request(req)
		if err == nil {
			last = r.matches(want)
		}
		return last == nil, err
	})
	if err != nil {
		err = errors.Join(err, last)
	}
	check(ts, neg, err)
}

// background NAME REQUEST...: the same request, not waited for; answer NAME -> ... looks at it later.
// asked is a request in the background.
type asked struct {
	begun  chan struct{} // closed when the head has come, or nothing will
	answer chan *response
}

func background(ts *testscript.TestScript, _ bool, args []string) {
	w, a := of(ts), asked{make(chan struct{}), make(chan *response, 1)}
	w.background[args[0]] = a
	var once sync.Once
	begun := func() { once.Do(func() { close(a.begun) }) }
	go func() {
		r, err := w.ask(args[1:], begun)
		if err != nil {
			r = &response{err: err}
		}
		begun()
		a.answer <- r
	}()
}

func begunVerb(ts *testscript.TestScript, _ bool, args []string) {
	a, ok := of(ts).background[args[0]]
	if !ok {
		ts.Fatalf("no background request %q", args[0])
	}
	select {
	case <-a.begun:
	case <-time.After(patience):
		ts.Fatalf("no head within %v", patience)
	}
}

func answerVerb(ts *testscript.TestScript, neg bool, args []string) {
	a, ok := of(ts).background[args[0]]
	if !ok {
		ts.Fatalf("no background request %q", args[0])
	}
	select {
	case r := <-a.answer:
		_, want := split(ts, args)
		if r.err != nil {
			ts.Fatalf("%v", r.err)
		}
		check(ts, neg, r.matches(want))
	case <-time.After(patience):
		ts.Fatalf("no answer within %v", patience)
	}
}

func split(ts *testscript.TestScript, args []string) (before, after []string) {
	for i, a := range args {
		if a == "->" {
			return args[:i], args[i+1:]
		}
	}
	ts.Fatalf("no -> in %q", args)
	return nil, nil
}

type response struct {
	status int
	header http.Header
	body   string
	cut    bool // the body ended before its announced end
	err    error
}

// request sends [METHOD] EDGE[/DISTRIBUTION] PATH ['Name: value'...] [body=text].
func (w *world) request(args []string) (*response, error) {
	return w.ask(args, func() {})
}

// ask is request; it calls begun when the answer's head has come.
func (w *world) ask(args []string, begun func()) (*response, error) {
	method := "GET"
	if len(args) > 0 && args[0] == strings.ToUpper(args[0]) && len(args[0]) > 2 {
		method, args = args[0], args[1:]
	}
	if len(args) < 2 {
		return nil, fmt.Errorf("usage: get EDGE PATH ...")
	}
	edge, name, _ := strings.Cut(args[0], "/")
	plain, secure := strings.CutSuffix(edge, "s")
	plain, quick := strings.CutSuffix(plain, "q")
	n, err := strconv.Atoi(strings.TrimPrefix(plain, "e"))
	if err != nil || n < 1 || n > len(w.proc.ready.Edges) {
		return nil, fmt.Errorf("no edge %q", edge)
	}
	where := w.proc.ready.Edges[n-1].URL
	if secure || quick {
		where = w.proc.ready.Edges[n-1].HTTPS
	}
	base, err := url.Parse(where)
	if err != nil {
		return nil, err
	}
	// Opaque keeps the path exactly as the story has it.
	req := &http.Request{Method: method, URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: args[1]}, Header: http.Header{}}
	if d, err := w.distribution(name); err == nil {
		req.Host = d.domain
	}
	for _, h := range args[2:] {
		if b, ok := strings.CutPrefix(h, "body="); ok {
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(b)), int64(len(b))
			continue
		}
		k, v, _ := strings.Cut(h, ": ")
		if strings.EqualFold(k, "Host") {
			req.Host = v
			continue
		}
		req.Header.Add(k, v)
	}
	client := w.web
	if secure || quick {
		if client, err = w.secureWeb(base.Host, quick); err != nil {
			return nil, err
		}
		defer client.CloseIdleConnections()
		req.URL.Host = req.Host // the name of the handshake, and what the certificate must be for
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	begun()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return &response{status: resp.StatusCode, header: resp.Header, body: string(body), cut: err != nil}, nil
}

// secureWeb is a client that trusts the edges' authority and nobody else, and finds every name at address; with
// quick by HTTP/3.
func (w *world) secureWeb(address string, quick bool) (*http.Client, error) {
	pem, err := os.ReadFile(w.proc.ready.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := *w.web
	if quick {
		c.Transport = &http3.Transport{
			DisableCompression: true,
			TLSClientConfig:    &tls.Config{RootCAs: roots},
			Dial: func(ctx context.Context, _ string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
				return quic.DialAddrEarly(ctx, address, t, q)
			},
		}
		return &c, nil
	}
	c.Transport = &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	return &c, nil
}

// results are the short words for X-Cache.
var results = map[string]string{
	"hit": "Hit from cloudfront", "miss": "Miss from cloudfront", "refreshhit": "RefreshHit from cloudfront",
	"error": "Error from cloudfront", "redirect": "Redirect from cloudfront",
}

func (r *response) matches(want []string) error {
	if status, err := strconv.Atoi(want[0]); err != nil || status != r.status {
		return fmt.Errorf("status %d (%s), not %s; body %.80q", r.status, r.header.Get("X-Cache"), want[0], r.body)
	}
	var headers []string
	if contains(want, "packed") {
		if err := r.unpack(); err != nil {
			return err
		}
	}
	for _, x := range want[1:] {
		part, isPart := strings.CutPrefix(x, "~")
		text, times, repeated := strings.Cut(x, "*")
		switch {
		case results[x] != "":
			if got := r.header.Get("X-Cache"); got != results[x] {
				return fmt.Errorf("X-Cache is %q, not %q; body %.80q", got, results[x], r.body)
			}
		case x == "packed":
		case x == "cut":
			if !r.cut {
				return fmt.Errorf("the body should have been visibly cut; it is %.80q", r.body)
			}
		case strings.Contains(x, ": ") || strings.HasPrefix(x, "!") || strings.HasPrefix(x, "+"):
			headers = append(headers, x)
		case isPart:
			if !strings.Contains(r.body, part) {
				return fmt.Errorf("body %.200q does not contain %q", r.body, part)
			}
		case repeated:
			n, err := strconv.Atoi(times)
			if err != nil {
				return err
			}
			if r.body != strings.Repeat(text, n) {
				return fmt.Errorf("body of %d octets %.40q is not %s", len(r.body), r.body, x)
			}
		default:
			if r.body != x {
				return fmt.Errorf("body %.80q, not %q", r.body, x)
			}
		}
	}
	if r.cut && !contains(want, "cut") {
		return fmt.Errorf("the body was cut: %.80q", r.body)
	}
	return matchHeaders(r.header, headers)
}

// matchHeaders checks 'Name: value' (equal), '+Name' (there) and '!Name' (not there).
func matchHeaders(h http.Header, want []string) error {
	for _, x := range want {
		if name, ok := strings.CutPrefix(x, "!"); ok {
			if v := h.Get(name); v != "" {
				return fmt.Errorf("there should be no %s, but it is %q", name, v)
			}
			continue
		}
		if name, ok := strings.CutPrefix(x, "+"); ok {
			if h.Get(name) == "" {
				return fmt.Errorf("there is no %s", name)
			}
			continue
		}
		name, value, _ := strings.Cut(x, ": ")
		if got := strings.Join(h[http.CanonicalHeaderKey(name)], ", "); got != value {
			return fmt.Errorf("%s is %q, not %q", name, got, value)
		}
	}
	return nil
}

// logged TEXT: the process has written TEXT (it waits for it).
func logged(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	check(ts, neg, w.until(patience, func() (bool, error) { return strings.Contains(w.proc.log.String(), args[0]), nil }))
}

// metric TEXT: the telemetry listener shows a line that begins with TEXT.
func metric(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	check(ts, neg, w.until(patience, func() (bool, error) {
		resp, err := w.web.Get(w.proc.ready.Telemetry + "/metrics")
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return strings.Contains("\n"+string(b), "\n"+args[0]), err
	}))
}

func contains(list []string, x string) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
