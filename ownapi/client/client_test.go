package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// serve returns a client of f.
func serve(t *testing.T, f http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	c, err := New(Config{Endpoint: s.URL + "/", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNew_RefusesWhatIsNoEndpoint(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:9000", "ftp://host", "http://", "http://host/path", "http://host?x=1", "http://a b"} {
		if _, err := New(Config{Endpoint: endpoint, AccessKeyID: "a", SecretAccessKey: "b"}); err == nil {
			t.Errorf("%q was taken", endpoint)
		}
	}
	if _, err := New(Config{Endpoint: "https://host", AccessKeyID: "a"}); err == nil {
		t.Error("no secret was needed")
	}
}

func TestCall_IsSigned(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		auth := r.Header.Get("Authorization")
		if !strings.Contains(auth, "Credential=AKIDEXAMPLE/") || !strings.Contains(auth, "/cloudfront/aws4_request") ||
			r.Header.Get("X-Amz-Security-Token") != "token" {
			t.Errorf("header %v", r.Header)
		}
		v := sigv4.Verifier{Services: []string{"cloudfront"}, Lookup: func(_, _ string) (string, error) { return "secret", nil }}
		claim, err := v.Open(&sigv4.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host, Header: r.Header}, time.Now())
		if err != nil {
			t.Error(err)
		} else if err := claim.Check(nil); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `{"edges":[{"edge":"e1","lease":"fresh"}]}`)
	})
	nodes, err := c.Nodes(context.Background())
	if err != nil || len(nodes) != 1 || nodes[0].Edge != "e1" {
		t.Errorf("%+v %v", nodes, err)
	}
}

func TestErrors_OfBothAPIsAndOfStrangers(t *testing.T) {
	for _, k := range []struct {
		status     int
		body       string
		code, text string
	}{
		{404, `{"code":"NotFound","message":"There is none."}`, "NotFound", "There is none. (NotFound)"},
		{403, `<?xml version="1.0"?><ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No &amp; no</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
			"AccessDenied", "No & no (AccessDenied)"},
		{502, `<html>nginx`, "", "answers 502 Bad Gateway, which is no answer of Warmfront's"},
		{302, ``, "", "answers 302 Found"},
		{200, `<html>`, "", "is none of Warmfront's"},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(k.status)
			fmt.Fprint(w, k.body)
		})
		_, err := c.About(context.Background())
		var e *Error
		if !errors.As(err, &e) || e.Code != k.code || e.Status != k.status || !strings.Contains(err.Error(), k.text) {
			t.Errorf("%d %s: %v", k.status, k.body, err)
		}
	}
}

func TestErrors_NobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	c, err := New(Config{Endpoint: s.URL, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.About(context.Background())
	var u *Unreachable
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "about") {
		t.Errorf("%v", err)
	}
}

func TestHistory_FollowsPagesUpToTheMost(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		n := 100
		fmt.Sscanf(r.URL.Query().Get("max"), "%d", &n)
		fmt.Fprintf(w, `{"items":[%s{"id":"I"}],"nextMarker":"m/%d"}`, strings.Repeat(`{"id":"I"},`, n-1), len(asked))
	})
	n, search := 0, Search{Distribution: "E1", By: "anna", From: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	err := c.History(context.Background(), search, 150, func(Past) error { n++; return nil })
	if want := "by=anna&distribution=E1&from=2026-01-02T03%3A04%3A05Z&"; err != nil || n != 150 || !slices.Equal(asked, []string{
		want + "max=100", want[:strings.Index(want, "from")] + "from=2026-01-02T03%3A04%3A05Z&marker=m%2F1&max=50"}) {
		t.Errorf("%d %q %v", n, asked, err)
	}
	enough := errors.New("enough")
	if err := c.History(context.Background(), search, 0, func(Past) error { return enough }); err != enough {
		t.Errorf("%v", err)
	}
}

func TestWatch_TellsOfChangesUntilTheStreamEnds(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, ": hello\n\nevent: change\ndata: {\"kind\":\"invalidation\",\"id\":\"I1\",\"status\":\"Completed\",\"seq\":7}\n\n",
			"event: other\ndata: x\n\n: .\n\nevent: change\ndata: {\"kind\":\"node\",\ndata: \"id\":\"e1\"}\n\n")
	})
	var got []string
	err := c.Watch(context.Background(), func(x Change) { got = append(got, x.Kind+" "+x.ID) })
	var u *Unreachable
	if !errors.As(err, &u) || !slices.Equal(got, []string{"missed ", "invalidation I1", "node e1"}) {
		t.Errorf("%q %v", got, err)
	}
}

func TestReadEvents_Broken(t *testing.T) {
	for _, stream := range []string{"event: change\ndata: {\n\n", "data: " + strings.Repeat("x", maxEvent+1)} {
		if err := readEvents(strings.NewReader(stream), func(Change) {}); err == nil {
			t.Errorf("%.40q: no error", stream)
		}
	}
}

// The structures are those of the OpenAPI document, field by field.
func TestTypes_AreTheDocumented(t *testing.T) {
	b, err := os.ReadFile("../openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Ref        string `json:"$ref"`
		Properties map[string]json.RawMessage
		AllOf      []schema
	}
	var document struct {
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]any{
		"Actor": Actor{}, "Invalidation": Invalidation{}, "Receipt": Receipt{}, "Past": Past{}, "Plan": Plan{}, "Pace": Pace{}, "ByLocation": ByLocation{}, "Wave": Wave{}, "Condition": Condition{}, "InvalidationRequest": Wish{}, "ReceiptRow": ReceiptRow{}, "EdgeCount": EdgeCount{},
		"Preview": Preview{}, "PreviewItem": PreviewItem{}, "ExplainRequest": Question{}, "Explanation": Explanation{},
		"ExplainedEdge": ExplainedEdge{}, "Match": Match{}, "About": About{}, "Place": Place{}, "Node": Node{}, "Metrics": Metrics{},
		"MetricPoint": MetricPoint{}, "Change": Change{},
	} {
		s, ok := document.Components.Schemas[name]
		if !ok {
			t.Errorf("%s is not in the document", name)
			continue
		}
		var want []string
		var add func(s schema)
		add = func(s schema) {
			if s.Ref != "" {
				s = document.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
			}
			for p := range s.Properties {
				want = append(want, p)
			}
			for _, part := range s.AllOf {
				add(part)
			}
		}
		add(s)
		have := fieldNames(reflect.TypeOf(of))
		slices.Sort(want)
		slices.Sort(have)
		if !slices.Equal(want, have) {
			t.Errorf("%s\n has  %q\n want %q", name, have, want)
		}
	}
}

func fieldNames(of reflect.Type) (names []string) {
	for i := range of.NumField() {
		if f := of.Field(i); f.Anonymous {
			names = append(names, fieldNames(f.Type)...)
		} else {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}
