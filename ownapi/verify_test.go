package ownapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/invalidation"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

type verifyT struct {
	Edges []struct {
		Edge, URL, Scheme, XCache, ETag, LastModified, ContentType, CfID, Error string
		Status                                                                  int
		Age                                                                     *int
		ContentLength                                                           int64
	}
}

// inTheOpen is a house in real time, whose edges are answered for by handlers on real sockets.
func inTheOpen(t *testing.T, handlers ...http.HandlerFunc) (h *house, distribution string) {
	t.Helper()
	h = open(t, journalmemory.New(), nil)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { h.control.Run(ctx) })
	t.Cleanup(func() { stop(); all.Wait() })
	<-h.control.Ready()
	for i, handler := range handlers {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		h.cfg.Places = append(h.cfg.Places, Place{Name: edgeNames[i], Location: edgeNames[i], URL: s.URL})
	}
	d, err := h.control.CreateDistribution(t.Context(), journal.Actor{}, smallConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, d.ID
}

func smallConfig() *wire.DistributionConfig {
	return &wire.DistributionConfig{
		CallerReference: wire.Ptr("verify"), Comment: wire.Ptr(""), Enabled: wire.Ptr(true),
		Origins: &wire.Origins{Quantity: wire.Ptr[int64](1), Items: []wire.Origin{{Id: wire.Ptr("o"), DomainName: wire.Ptr("origin.example.com"),
			CustomOriginConfig: &wire.CustomOriginConfig{HTTPPort: wire.Ptr[int64](80), HTTPSPort: wire.Ptr[int64](443), OriginProtocolPolicy: wire.Ptr("http-only")}}}},
		DefaultCacheBehavior: &wire.DefaultCacheBehavior{TargetOriginId: wire.Ptr("o"), ViewerProtocolPolicy: wire.Ptr("allow-all"),
			CachePolicyId: wire.Ptr("658327ea-f89d-4fab-a63d-7e88639e58f6")},
	}
}

func TestVerify(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	note := func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.RequestURI+" "+strings.SplitN(r.Host, ".", 2)[1]+" "+r.Header.Get("X-Test")+r.Header.Get("Accept-Encoding"))
	}
	h, id := inTheOpen(t,
		func(w http.ResponseWriter, r *http.Request) {
			note(r)
			w.Header().Set("X-Cache", "Hit from cloudfront")
			w.Header().Set("X-Amz-Cf-Id", "cf-id")
			w.Header().Set("Age", "7")
			w.Header().Set("Etag", `"v1"`)
			w.Header().Set("Last-Modified", "Thu, 14 May 2026 12:00:00 GMT")
			w.Header().Set("Content-Type", "text/plain")
			w.Write([]byte("12345"))
		},
		func(w http.ResponseWriter, r *http.Request) {
			note(r)
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusFound)
		})
	body := `{"path":"/a%2Fb|c?x=%20&","headers":{"X-Test":"yes"}}`
	v := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", body)
	d, _ := h.control.Distribution(id)
	if e := v.Edges[0]; e.Edge != edgeNames[0] || e.Status != 200 || e.XCache != "Hit from cloudfront" || e.Age == nil || *e.Age != 7 || e.ETag != `"v1"` ||
		e.LastModified == "" || e.ContentType != "text/plain" || e.ContentLength != 5 || e.CfID != "cf-id" || e.Error != "" ||
		!strings.HasPrefix(e.URL, "http://"+d.DomainName+":") || !strings.HasSuffix(e.URL, "/a%2Fb|c?x=%20&") {
		t.Errorf("%+v", e)
	}
	if e := v.Edges[1]; e.Status != 302 || e.Age != nil || e.Error != "" { // shown, not followed
		t.Errorf("%+v", e)
	}
	for _, a := range asked {
		if a != "GET /a%2Fb|c?x=%20& localhost yes" {
			t.Errorf("the edge was asked %q", a)
		}
	}
}

// Whatever the path is, the request goes to the edge and names the distribution.
func TestVerify_NoPathLeadsElsewhere(t *testing.T) {
	var host, uri string
	h, id := inTheOpen(t, func(w http.ResponseWriter, r *http.Request) { host, uri = r.Host, r.RequestURI })
	d, _ := h.control.Distribution(id)
	for path, want := range map[string]string{
		"//evil.example/x":  "http://" + d.DomainName + "//evil.example/x",
		"/@evil.example/":   "/@evil.example/",
		"/http://evil:80/?": "/http://evil:80/?",
		"/..//..":           "/..//..",
	} {
		v := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", `{"path":"`+path+`"}`)
		if v.Edges[0].Status != 200 || host != d.DomainName || uri != want {
			t.Errorf("%s: host %s, target %s, %+v", path, host, uri, v.Edges[0])
		}
	}
}

// wants is an edge whose behavior wants something of the scheme.
type wants struct {
	Edge
	of distribution.ViewerProtocol
}

func (w wants) Explain(context.Context, edge.Question) (*edge.Explanation, error) {
	return &edge.Explanation{ViewerProtocol: w.of}, nil
}

func TestVerify_AsksByTheSchemeThatIsWanted(t *testing.T) {
	h, id := inTheOpen(t)
	d, _ := h.control.Distribution(id)
	say := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "plain"
		if r.TLS != nil {
			name = r.TLS.ServerName
		}
		w.Header().Set("Etag", name+" "+r.Host)
	})
	open := httptest.NewServer(say)
	t.Cleanup(open.Close)
	secure := func(names ...string) string {
		s := httptest.NewUnstartedServer(say)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t, names...)}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	right, wrong := secure(d.DomainName), secure("other.test")
	for _, c := range []struct {
		of            distribution.ViewerProtocol
		https, scheme string // of the edge; asked for
		used, etag    string
		problem       string
	}{
		{distribution.AllowAll, right, "", "http", "plain " + d.DomainName, ""},
		{distribution.RedirectToHTTPS, right, "", "https", d.DomainName + " " + d.DomainName, ""},
		{distribution.HTTPSOnly, right, "", "https", d.DomainName + " " + d.DomainName, ""},
		{distribution.HTTPSOnly, "", "", "http", "plain " + d.DomainName, ""},
		{distribution.HTTPSOnly, right, "http", "http", "plain " + d.DomainName, ""},
		{distribution.AllowAll, right, "https", "https", d.DomainName + " " + d.DomainName, ""},
		{distribution.AllowAll, "", "https", "https", "", "no address for https"},
		{distribution.AllowAll, wrong, "https", "https", "", "certificate is not for " + d.DomainName},
	} {
		h.cfg.Places = []Place{{Name: "e", URL: open.URL, HTTPS: c.https, Edge: wants{of: c.of}}}
		e := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", `{"path":"/a","scheme":"`+c.scheme+`"}`).Edges[0]
		if e.Scheme != c.used || e.ETag != c.etag || !strings.Contains(e.Error, c.problem) || (e.Error == "") != (c.problem == "") ||
			e.URL != "" && !strings.HasPrefix(e.URL, c.used+"://"+d.DomainName) {
			t.Errorf("%+v:\n%+v", c, e)
		}
	}
}

func TestVerify_CertificatesMustBeInTime(t *testing.T) {
	now := time.Now()
	c := &x509.Certificate{DNSNames: []string{"a.test"}, NotBefore: now, NotAfter: now.Add(time.Hour)}
	for after, want := range map[time.Duration]string{-time.Second: "begins", time.Minute: "", 2 * time.Hour: "ended"} {
		err := fits(c, "a.test", now.Add(after))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", after, err)
		}
	}
}

func selfSigned(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestVerify_Refusals(t *testing.T) {
	h, id := inTheOpen(t)
	for _, body := range []string{
		`{}`, `{"path":""}`, `{"path":"http://evil.example/"}`, `{"path":"/a b"}`, `{"path":"/a#b"}`, `{"path":"/a\u0000"}`,
		`{"path":"/` + strings.Repeat("a", maxPath) + `"}`,
		`{"path":"/","headers":{"Host":"evil.example"}}`, `{"path":"/","headers":{"Connection":"x"}}`, `{"path":"/","headers":{"":"x"}}`,
		`{"path":"/","url":"http://evil.example"}`, `{"path":"/","scheme":"ftp"}`,
	} {
		h.wantRefusal(400, "InvalidArgument", "POST", "/distributions/"+id+"/verify", body)
	}
	h.wantRefusal(404, "NotFound", "POST", "/distributions/E0/verify", `{"path":"/"}`)
	for range maxVerifies {
		h.verifies <- struct{}{}
	}
	h.wantRefusal(429, "Throttling", "POST", "/distributions/"+id+"/verify", `{"path":"/"}`)
}

func TestVerify_WhatGoesWrongIsSaid(t *testing.T) {
	h, id := inTheOpen(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		w.Write([]byte("12345"))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	dead := httptest.NewServer(http.NotFoundHandler())
	h.cfg.Places = append(h.cfg.Places, Place{Name: "dead", URL: dead.URL}, Place{Name: "odd", URL: "no url \x00"})
	dead.Close()
	v := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", `{"path":"/"}`)
	if e := v.Edges[0]; e.Status != 200 || !strings.Contains(e.Error, "cut after 5 bytes") {
		t.Errorf("%+v", e)
	}
	if e := v.Edges[1]; e.Status != 0 || !strings.Contains(e.Error, "refused") || strings.Contains(e.Error, "Get ") {
		t.Errorf("%+v", e)
	}
	if e := v.Edges[2]; e.Error == "" {
		t.Errorf("%+v", e)
	}
}

// demanding is the listener of an edge behind a balancer.
type demanding struct{ net.Listener }

func (l demanding) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	header := make([]byte, len("PROXY UNKNOWN\r\n"))
	if _, err := io.ReadFull(c, header); err != nil || string(header) != "PROXY UNKNOWN\r\n" {
		c.Close() // what is read of it now is an error
	}
	return c, nil
}

func TestVerify_SaysWhatABalancerSays(t *testing.T) {
	h, id := inTheOpen(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Listener = demanding{s.Listener}
	s.Start()
	t.Cleanup(s.Close)
	h.cfg.Places = []Place{{Name: "e", URL: s.URL}}
	for _, proxied := range []bool{false, true} {
		h.cfg.Proxied = proxied
		v := ask[verifyT](h, 200, "POST", "/distributions/"+id+"/verify", `{"path":"/"}`)
		if got := v.Edges[0].Status == 200; got != proxied {
			t.Errorf("proxied %v: %+v", proxied, v.Edges[0])
		}
	}
}

func TestExplain_NamesWhatKilledAnObject(t *testing.T) {
	parse := func(line string) invalidation.Item {
		it, err := invalidation.Parse(line, invalidation.Anywhere)
		if err != nil {
			t.Fatal(err)
		}
		return it
	}
	h := &history{items: []pastItem{
		{10, nil, parse("/img/*"), match{"I10", "/img/*", "stale", nil}},
		{9, nil, parse("/img/*"), match{"I9", "/img/*", "remove", nil}},
		{8, nil, parse("/css/*"), match{"I8", "/css/*", "remove", nil}},
		{7, nil, parse("/img/a"), match{"I7", "/img/a", "remove", nil}},
		{5, nil, parse("/*"), match{"I5", "/*", "remove", nil}},
	}}
	x := &edge.Explanation{Subject: invalidation.Subject{Path: "/img/a"}, Stored: &edge.Stored{Stamp: 6, Dead: true}}
	if e := explainOn("e", x, h); len(e.MatchedBy) != 2 || e.MatchedBy[0].InvalidationID != "I9" || e.MatchedBy[1].InvalidationID != "I7" {
		t.Errorf("%+v", e)
	}
	x.Stored.Dead = false
	if e := explainOn("e", x, h); len(e.MatchedBy) != 0 {
		t.Errorf("%+v", e)
	}
}
