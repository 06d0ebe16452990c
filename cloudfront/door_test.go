package cloudfront

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/memory"
)

// door is the API over a control plane on a log in memory. It lives in a synctest bubble, so its time
// begins at midnight of 2000-01-01 and stands still while anything happens.
type door struct {
	*Handler
	t       *testing.T
	journal *memory.Log
	log     bytes.Buffer
	calls   []Call
}

var testKeys = map[string]auth.AccessKey{
	"administrator": {ID: "AKIDADMIN", Secret: "administratorsecret", User: "admin", Role: auth.Administrator},
	"invalidator":   {ID: "AKIDCI", Secret: "invalidatorsecret", User: "ci", Role: auth.Invalidator},
	"viewer":        {ID: "AKIDVIEWER", Secret: "viewersecret", User: "eve", Role: auth.Viewer},
}

// inBubble runs test on a door whose control plane is ready. change may be nil.
func inBubble(t *testing.T, change func(*Config), test func(t *testing.T, d *door)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began, log := time.Now(), memory.New()
		ctl, err := control.New(control.Config{Log: log, AccountID: "123456789012", Clock: func() time.Duration { return time.Since(began) }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); _ = ctl.Run(ctx) }()
		<-ctl.Ready()
		defer func() { cancel(); <-ran }()
		d := newDoor(t, ctl, change)
		d.journal = log
		test(t, d)
	})
}

// join makes an edge a member: from then on Completed and Deployed wait for it.
func (d *door) join(edge string) {
	if _, err := d.cfg.Control.Join(d.t.Context(), journal.EdgeJoined{Edge: edge, Location: edge[:3], Incarnation: "1"}); err != nil {
		d.t.Fatal(err)
	}
}

// acknowledge says for an edge that it has applied all that there is.
func (d *door) acknowledge(edge string) {
	entries, err := d.journal.Read(d.t.Context(), d.journal.Last(), 1)
	if err != nil || len(entries) != 1 {
		d.t.Fatal(entries, err)
	}
	if err := d.journal.Ack(d.t.Context(), journal.Ack{Edge: edge, Incarnation: "1", Epoch: entries[0].Epoch, Seq: entries[0].Seq, ID: entries[0].ID}); err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
}

func newDoor(t *testing.T, ctl *control.Control, change func(*Config)) *door {
	t.Helper()
	var keys []auth.AccessKey
	for _, k := range testKeys {
		keys = append(keys, k)
	}
	store, err := auth.StaticKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t}
	cfg := Config{Control: ctl, Lookup: store.Lookup, Observe: func(c Call) { d.calls = append(d.calls, c) },
		Logger: slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&cfg)
	}
	if d.Handler, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

// request makes a request that is not signed.
func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:9000", "192.0.2.7:4711"
	return r
}

// sign signs a request that request made.
func sign(r *http.Request, key auth.AccessKey, body string) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	sigv4.Signer{AccessKeyID: key.ID, SecretAccessKey: key.Secret, Region: "us-east-1", Service: "cloudfront"}.Sign(
		&sigv4.Request{Method: r.Method, Path: path, Query: query, Host: r.Host, Header: r.Header}, []byte(body), time.Now())
}

func (d *door) answer(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// do sends a signed request.
func (d *door) do(role, method, target, body string) *httptest.ResponseRecorder {
	r := request(method, target, body)
	sign(r, testKeys[role], body)
	return d.answer(r)
}

// spelled returns the field with exactly this spelling, which is CloudFront's and not Go's.
func spelled(h http.Header, name string) []string { return h[name] }

// errorDocument is what SDKs read: a wrapper, in the namespace.
type errorDocument struct {
	XMLName   xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// wantError checks a whole error answer and returns its message.
func wantError(t *testing.T, what string, w *httptest.ResponseRecorder, status int, code string) string {
	t.Helper()
	var doc errorDocument
	if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Errorf("%s: %v\n%s", what, err, w.Body)
		return ""
	}
	kind := "Sender"
	if status >= 500 {
		kind = "Receiver"
	}
	h := w.Result().Header
	if w.Code != status || doc.Code != code || doc.Type != kind || doc.Message == "" {
		t.Errorf("%s: got %d %+v, want %d %s", what, w.Code, doc, status, code)
	}
	if id := spelled(w.Header(), "x-amzn-RequestId"); len(id) != 1 || id[0] != doc.RequestID || len(doc.RequestID) != 36 {
		t.Errorf("%s: request id %v and %q", what, id, doc.RequestID)
	}
	if h.Get("Content-Type") != "text/xml" || h.Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
		t.Errorf("%s: header %v", what, h)
	}
	return doc.Message
}

// target makes a path that names an operation, with "x" for every label.
func target(op *wire.Operation) string {
	segments := strings.Split(op.Path, "/")
	for i, s := range segments {
		if _, ok := label(s); ok {
			segments[i] = "x"
		}
	}
	t := "/2020-05-31" + strings.Join(segments, "/")
	if op.FixedQuery != "" {
		t += "?" + op.FixedQuery
	}
	return t
}

func TestRoute_EveryOperationIsFound(t *testing.T) {
	if len(wire.Operations) != 167 {
		t.Errorf("%d operations", len(wire.Operations))
	}
	rt := newRouter(wire.Operations)
	for i := range wire.Operations {
		op := &wire.Operations[i]
		got, labels, err := rt.find(request(op.Method, target(op), ""))
		if err != nil || got.Name != op.Name || len(labels) != strings.Count(op.Path, "{") {
			t.Errorf("%s %s: %v %v %v", op.Method, target(op), got, labels, err)
		}
	}
}

func TestRoute_Find(t *testing.T) {
	rt := newRouter(wire.Operations)
	for _, c := range []struct{ method, target, want, labels string }{
		{"GET", "/2020-05-31/distribution", "ListDistributions", "map[]"},
		{"GET", "/2019-03-26/distribution?MaxItems=1", "ListDistributions", "map[]"},
		{"GET", "/2014-05-31/distribution/E1", "GetDistribution", "map[Id:E1]"},
		{"POST", "/2020-05-31/distribution?WithTags=", "CreateDistributionWithTags", "map[]"},
		{"POST", "/2020-05-31/distribution?WithTags=x", "CreateDistribution", "map[]"},
		{"POST", "/2020-05-31/tagging?Resource=x&Operation=Untag", "UntagResource", "map[]"},
		{"GET", "/2020-05-31/distributionsByOwnedResource/arn%3Aaws%3Aram%3A%3A1%3Aa%2Fb", "ListDistributionsByOwnedResource", "map[ResourceArn:arn:aws:ram::1:a/b]"},
		{"GET", "/2020-05-31/origin-access-identity/cloudfront", "ListCloudFrontOriginAccessIdentities", "map[]"},
		{"GET", "/2020-05-31/distribution/", "", ""},
		{"GET", "/2020-05-31//distribution", "", ""},
		{"GET", "/2020-05-31/distribution//config", "", ""},
		{"GET", "/2020-05-31/distribution/E1/", "", ""},
		{"GET", "/2020-05-31/Distribution", "", ""},
		{"PATCH", "/2020-05-31/distribution", "", ""},
		{"POST", "/2020-05-31/tagging?Resource=x", "", ""},
		{"GET", "/2013-05-12/distribution", "", ""},
		{"GET", "/2020-13-31/distribution", "", ""},
		{"GET", "/distribution", "", ""},
		{"GET", "/", "", ""},
	} {
		op, labels, err := rt.find(request(c.method, c.target, ""))
		switch {
		case c.want == "" && (op != nil || err == nil):
			t.Errorf("%s %s: %v", c.method, c.target, op)
		case c.want != "" && (err != nil || op.Name != c.want || fmt.Sprint(labels) != c.labels):
			t.Errorf("%s %s: %v %v %v", c.method, c.target, op, labels, err)
		}
	}
}

// unread fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a stranger was read")
	return 0, io.EOF
}

func TestEveryOperation_StrangersAreRefused(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		for i := range wire.Operations {
			op := &wire.Operations[i]
			r := request(op.Method, target(op), "")
			r.Body, r.ContentLength = io.NopCloser(unread{t}), 5
			wantError(t, op.Name, d.answer(r), 403, "MissingAuthenticationToken")

			r = request(op.Method, target(op), "")
			sign(r, auth.AccessKey{ID: "AKIDNOBODY", Secret: "nobodyssecret"}, "")
			wantError(t, op.Name, d.answer(r), 403, "InvalidClientTokenId")

			r = request(op.Method, target(op), "")
			sign(r, auth.AccessKey{ID: testKeys["viewer"].ID, Secret: "guessedsecret"}, "")
			wantError(t, op.Name, d.answer(r), 403, "SignatureDoesNotMatch")

			if c := d.calls[len(d.calls)-1]; c.Operation != op.Name || c.User != "" || c.Status != 403 || c.Code != "SignatureDoesNotMatch" {
				t.Errorf("%s: observed %+v", op.Name, c)
			}
		}
		wantError(t, "no path", d.answer(request("GET", "/", "")), 403, "MissingAuthenticationToken")
		wantError(t, "unknown path", d.answer(request("GET", "/2020-05-31/secrets", "")), 403, "MissingAuthenticationToken")
	})
}

func TestEveryOperation_RolesAreEnforced(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		for i := range wire.Operations {
			op := &wire.Operations[i]
			for _, role := range []string{"viewer", "invalidator"} {
				w := d.do(role, op.Method, target(op), "")
				if testKeys[role].Role.May(op.Name) {
					if strings.Contains(w.Body.String(), "<Code>AccessDenied</Code>") {
						t.Errorf("%s may not %s", role, op.Name)
					}
					continue
				}
				says := wantError(t, role+" "+op.Name, w, 403, "AccessDenied")
				if !strings.Contains(says, "cloudfront:"+op.Name) || !strings.Contains(says, role) {
					t.Errorf("%s: %s", op.Name, says)
				}
			}
		}
	})
}

func TestEveryOperation_NotBuiltSaysSo(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		built := 0
		for i := range wire.Operations {
			op := &wire.Operations[i]
			if operations[op.Name] != nil {
				built++
				continue
			}
			says := wantError(t, op.Name, d.do("administrator", op.Method, target(op), ""), 501, "NotImplemented")
			if !strings.Contains(says, op.Name) {
				t.Errorf("%s: %s", op.Name, says)
			}
		}
		if built != len(operations) {
			t.Errorf("%d of %d built operations are in the model", built, len(operations))
		}
	})
}

func TestCall_UnknownPathIs404(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		for _, c := range [][2]string{{"GET", "/"}, {"GET", "/2020-05-31/secrets"}, {"DELETE", "/2020-05-31/distribution"}, {"GET", "/2012-05-31/distribution"}} {
			wantError(t, c[1], d.do("administrator", c[0], c[1], ""), 404, "UnknownOperationException")
		}
		wantError(t, "odd query", d.do("administrator", "GET", "/2020-05-31/distribution?Marker=%zz", ""), 400, "InvalidURI")
	})
}

func TestCall_BodyIsBounded(t *testing.T) {
	inBubble(t, func(c *Config) { c.MaxBody = 1000 }, func(t *testing.T, d *door) {
		long := strings.Repeat("x", 1001)
		wantError(t, "config", d.do("administrator", "POST", "/2020-05-31/distribution", long), 413, "EntitySizeLimitExceeded")
		wantError(t, "batch", d.do("administrator", "POST", "/2020-05-31/distribution/E1/invalidation", long), 413, "BatchTooLarge")
		r := request("POST", "/2020-05-31/distribution", "")
		sign(r, testKeys["administrator"], "")
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("<"), failing{})), -1
		wantError(t, "cut off", d.answer(r), 408, "RequestTimeout")
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What is not in the table is logged in full and never shown; a panic stays in its call.
func TestCall_InternalFailuresAreNotShown(t *testing.T) {
	for name, lookup := range map[string]func(string, string) (auth.AccessKey, error){
		"error": func(string, string) (auth.AccessKey, error) {
			return auth.AccessKey{}, errors.New("secret disk on fire")
		},
		"panic": func(string, string) (auth.AccessKey, error) { panic("secret disk on fire") },
		"unknown code": func(string, string) (auth.AccessKey, error) {
			return auth.AccessKey{}, refuse("Secret", "disk on fire")
		},
	} {
		inBubble(t, func(c *Config) { c.Lookup = lookup }, func(t *testing.T, d *door) {
			says := wantError(t, name, d.do("administrator", "GET", "/2020-05-31/distribution", ""), 500, "InternalFailure")
			if strings.Contains(says, "fire") || !strings.Contains(d.log.String(), "disk on fire") {
				t.Errorf("%s: shown %q, logged %s", name, says, d.log.String())
			}
		})
	}
}

// Between the door and the decision the key has been deleted.
func TestCall_CommandOfADeletedKey(t *testing.T) {
	gone := func(string, string) (auth.AccessKey, error) { return auth.AccessKey{}, sigv4.ErrUnknownKey }
	inBubble(t, func(c *Config) { c.Known = gone }, func(t *testing.T, d *door) {
		for command, body := range map[string]string{
			"distribution": testFile(t, "legacy.xml"),
			"distribution/E1/invalidation": "<InvalidationBatch><Paths><Quantity>1</Quantity><Items><Path>/a</Path></Items></Paths>" +
				"<CallerReference>r</CallerReference></InvalidationBatch>",
		} {
			says := wantError(t, command, d.do("administrator", "POST", "/2020-05-31/"+command, body), 403, "AccessDenied")
			if !strings.Contains(says, "deleted or changed") {
				t.Error(says)
			}
		}
		if w := d.do("administrator", "GET", "/2020-05-31/distribution", ""); w.Code != 200 {
			t.Error("a query commits nothing:", w.Code, w.Body)
		}
	})
}

func TestCall_NotReadyIs503(t *testing.T) {
	ctl, err := control.New(control.Config{Log: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(t, ctl, nil)
	wantError(t, "starting", d.do("viewer", "GET", "/2020-05-31/distribution", ""), 503, "ServiceUnavailable")
}

func TestCall_IsLoggedOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, d *door) {
		d.do("invalidator", "GET", "/2020-05-31/distribution/ENOSUCH", "")
		lines := strings.Count(d.log.String(), "api call")
		for _, want := range []string{"operation=GetDistribution", "status=404", "code=NoSuchDistribution", "user=ci", "key=AKIDCI", "from=192.0.2.7:4711", "request="} {
			if !strings.Contains(d.log.String(), want) {
				t.Errorf("no %s in %s", want, d.log.String())
			}
		}
		if lines != 1 || len(d.calls) != 1 || strings.Contains(d.log.String(), testKeys["invalidator"].Secret) {
			t.Errorf("%d lines, %d calls: %s", lines, len(d.calls), d.log.String())
		}
	})
}

// Head and body leave in one write, with a length.
func TestAnswer_OneWrite(t *testing.T) {
	w := &countingWriter{header: http.Header{}}
	(&answer{status: 200, etag: "E1", location: "http://h/x", body: bytes.Repeat([]byte("x"), 100_000)}).write(w, "id")
	if w.writes != 1 || w.header.Get("Content-Length") != "100000" || spelled(w.header, "ETag")[0] != "E1" || spelled(w.header, "x-amzn-RequestId")[0] != "id" {
		t.Errorf("%d writes, %v", w.writes, w.header)
	}
	w = &countingWriter{header: http.Header{}}
	(&answer{status: 204}).write(w, "id")
	if w.writes != 0 || w.header.Get("Content-Length") != "" || w.header.Get("Content-Type") != "" || w.status != 204 {
		t.Errorf("204: %d writes, %v", w.writes, w.header)
	}
}

type countingWriter struct {
	header http.Header
	status int
	writes int
}

func (w *countingWriter) Header() http.Header         { return w.header }
func (w *countingWriter) WriteHeader(status int)      { w.status = status }
func (w *countingWriter) Write(p []byte) (int, error) { w.writes++; return len(p), nil }

func TestNew_ChecksItsConfig(t *testing.T) {
	ctl, err := control.New(control.Config{Log: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(string, string) (auth.AccessKey, error) { return auth.AccessKey{}, nil }
	for _, c := range []Config{{}, {Control: ctl}, {Lookup: lookup}, {Control: ctl, Lookup: lookup, MaxBody: wire.MaxDocument + 1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
