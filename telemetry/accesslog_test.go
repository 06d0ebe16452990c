package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/internal/message"
)

// seen is a request with everything in it.
func seen() *Request {
	r := hit()
	r.Time = time.Date(2026, 11, 25, 15, 4, 5, 0, time.FixedZone("", 3600))
	r.Location, r.Domain, r.Behavior, r.ID, r.ContentType = "FRA50-P1", "d1.localhost", "/img/*", "id==", "text/html; charset=utf-8"
	r.FirstByte, r.Duration = 1499*time.Microsecond, 2*time.Second+5*time.Millisecond
	r.Head = &message.Request{
		Method: "GET", Path: "/img/a%20b", Query: "x=\"1\"\t", HasQuery: true, Host: "www.example.com", Port: "8081", Scheme: "http", Major: 1, Minor: 1,
		Remote: netip.MustParseAddrPort("[2001:db8::1]:1234"), TLS: &message.TLS{Protocol: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256"},
		Fields: message.Fields{{Name: "User-Agent", Value: "Mozilla/5.0 (X11; \u00e9)"}, {Name: "referer", Value: "http://a/'b'"}, {Name: "X-Forwarded-For", Value: "1.2.3.4, 5.6.7.8"}, {Name: "Cookie", Value: "secret"}},
	}
	r.Origin = "o 1"
	return r
}

// values takes a line apart by the names of its fields.
func values(t *testing.T, line string) map[string]string {
	t.Helper()
	v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
	if len(v) != len(lineNames) || strings.Count(line, "\n") != 1 {
		t.Fatalf("%d values, want %d, in %q", len(v), len(lineNames), line)
	}
	m := map[string]string{}
	for i, name := range lineNames {
		m[strings.TrimPrefix(name, "-")] = v[i]
	}
	return m
}

func TestLine_W3C(t *testing.T) {
	var c lineClock
	got := values(t, string(lineFormats["w3c"].line(nil, seen(), &c)))
	want := map[string]string{
		"date": "2026-11-25", "time": "14:04:05", "x-edge-location": "FRA50-P1", "sc-bytes": "100", "c-ip": "2001:db8::1", "c-port": "1234",
		"cs-method": "GET", "cs(Host)": "d1.localhost", "cs-uri-stem": "/img/a%2520b", "cs-uri-query": "x=%221%22%09", "sc-status": "200",
		"cs(Referer)": "http://a/%27b%27", "cs(User-Agent)": "Mozilla/5.0%20(X11;%20%C3%A9)", "cs(Cookie)": "-", "x-edge-result-type": "Hit",
		"x-edge-request-id": "id==", "x-host-header": "www.example.com:8081", "cs-protocol": "http", "time-taken": "2.005", "time-to-first-byte": "0.001",
		"ssl-protocol": "TLSv1.3", "ssl-cipher": "TLS_AES_128_GCM_SHA256",
		"x-forwarded-for": "1.2.3.4,%205.6.7.8", "x-edge-response-result-type": "Hit", "cs-protocol-version": "HTTP/1.1", "x-edge-detailed-result-type": "Hit",
		"sc-content-type": "text/html;%20charset=utf-8", "cache-behavior-path-pattern": "/img/*", "primary-distribution-id": "E1", "x-warmfront-reason": "Fresh", "x-warmfront-origin": "o%201",
	}
	for name := range got {
		w := want[name]
		if w == "" {
			w = "-"
		}
		if got[name] != w {
			t.Errorf("%s is %q, want %q", name, got[name], w)
		}
	}
}

func TestLine_JSONSaysTheSame(t *testing.T) {
	var c lineClock
	line := lineFormats["json"].line(nil, seen(), &c)
	var got map[string]string
	if err := json.Unmarshal(line, &got); err != nil || bytes.Count(line, []byte("\n")) != 1 {
		t.Fatalf("%v: %s", err, line)
	}
	for name, want := range values(t, string(lineFormats["w3c"].line(nil, seen(), &c))) {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

func TestLine_WhatHasFailed(t *testing.T) {
	var c lineClock
	for _, x := range []struct {
		status         int
		result, reason string
		aborted        bool
		want, detail   string
	}{
		{0, "Error", "viewer-gone", false, "000", "ClientHungUpRequest"},
		{502, "Error", "origin-dns", false, "502", "OriginDnsError"},
		{494, "Error", "header-too-big", false, "494", "InvalidRequestHeader"},
		{404, "Error", "cold", false, "404", "Error"},
		{200, "Hit", "fresh", true, "200", "ClientCommError"},
	} {
		r := seen()
		r.Status, r.Result, r.Reason, r.Aborted, r.Duration = x.status, x.result, x.reason, x.aborted, -1
		r.Head = &message.Request{}
		got := values(t, string(lineFormats["w3c"].line(nil, r, &c)))
		if got["sc-status"] != x.want || got["x-edge-detailed-result-type"] != x.detail || got["c-ip"] != "-" || got["cs-method"] != "-" || got["time-taken"] != "0.000" {
			t.Errorf("%+v: %v", x, got)
		}
	}
}

func TestLine_WebSocket(t *testing.T) {
	var c lineClock
	for said, want := range map[string]string{"http": "ws", "https": "wss"} {
		r := seen()
		r.Status, r.Head.Scheme = 101, said
		if got := values(t, string(lineFormats["w3c"].line(nil, r, &c))); got["cs-protocol"] != want || got["sc-status"] != "101" {
			t.Errorf("%s: %v", said, got)
		}
	}
}

// Whatever a viewer sends, a line has its fields and is one line.
func FuzzLine(f *testing.F) {
	f.Add("/a", "b\tc\nd", "\"\\", "\x00\xff")
	f.Fuzz(func(t *testing.T, path, query, agent, kind string) {
		r := seen()
		r.Head = &message.Request{Method: kind, Path: path, Query: query, Host: agent, Fields: message.Fields{{Name: "User-Agent", Value: agent}, {Name: "Referer", Value: kind}}}
		r.ContentType = kind
		var c lineClock
		v := values(t, string(lineFormats["w3c"].line(nil, r, &c)))
		var j map[string]string
		if err := json.Unmarshal(lineFormats["json"].line(nil, r, &c), &j); err != nil || len(j) != len(v) {
			t.Errorf("%v: %v", err, j)
		}
	})
}

func TestLine_AllocatesNothing(t *testing.T) {
	var c lineClock
	r, b := seen(), make([]byte, 0, 4096)
	for _, f := range lineFormats {
		f.line(b, r, &c)
		if n := testing.AllocsPerRun(100, func() { f.line(b, r, &c) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func openLog(t *testing.T, path string, out *bytes.Buffer, warnings *bytes.Buffer) *AccessLog {
	t.Helper()
	l, err := OpenAccessLog(path, "w3c", out, slog.New(slog.NewTextHandler(warnings, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAccessLog_WrittenWithinASecondAndAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, warnings bytes.Buffer
		l := openLog(t, "-", &out, &warnings)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		r := seen()
		for r.Stripe = range uint32(20) {
			l.Observe(r)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := strings.Count(out.String(), "\t/img/a"); n != 20 {
			t.Errorf("%d lines after a second", n)
		}
		l.Observe(r)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(out.String(), "#Version: 1.0\n#Fields: date time x-edge-location ") || strings.Count(out.String(), "\n") != 23 || warnings.Len() > 0 {
			t.Errorf("%d lines at the stop, warned %q: %.300s", strings.Count(out.String(), "\n"), warnings.String(), out.String())
		}
	})
}

// full is a disk without room.
type full struct{ n int }

func (f *full) Write(p []byte) (int, error) {
	if f.n++; f.n == 1 {
		return len(p), nil // the head
	}
	return 0, errors.New("no space")
}

func TestAccessLog_DropsAreCountedAndReported(t *testing.T) {
	var warnings bytes.Buffer
	l, err := OpenAccessLog("-", "json", &full{}, slog.New(slog.NewTextHandler(&warnings, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r, sent := seen(), 0
	for l.Dropped() < 10 { // nobody writes
		l.Observe(r)
		sent++
	}
	if n := len(l.stripes[r.Stripe%lineStripes].buf); n > stripeRoom+2048 {
		t.Errorf("%d octets gathered", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := l.Run(ctx); err != nil {
		t.Error(err)
	}
	if l.Dropped() != uint64(sent) || strings.Count(warnings.String(), "\n") != 1 || !strings.Contains(warnings.String(), "no space") {
		t.Errorf("%d of %d dropped, warned: %s", l.Dropped(), sent, warnings.String())
	}
	m := New()
	m.CountDropped(func() uint64 { return 7 })
	wantLines(t, scrape(t, m), "warmfront_access_log_dropped_total 7")
}

func TestAccessLog_FollowsTheName(t *testing.T) {
	var warnings bytes.Buffer
	path := filepath.Join(t.TempDir(), "access.log")
	l := openLog(t, path, nil, &warnings)
	l.Observe(seen())
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.follow()
	l.Observe(seen())
	l.Observe(seen())
	ctx, stop := context.WithCancel(t.Context())
	stop()
	l.Run(ctx)
	again := openLog(t, path, nil, &warnings)
	again.Observe(seen())
	again.Run(ctx)
	for name, lines := range map[string]int{path + ".1": 3, path: 5} {
		b, err := os.ReadFile(name)
		if err != nil || bytes.Count(b, []byte("\n")) != lines || bytes.Count(b, []byte("#Version")) != 1 {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
	if _, err := OpenAccessLog(filepath.Join(path, "no"), "w3c", nil, nil); err == nil {
		t.Error("opened below a file")
	}
	if _, err := OpenAccessLog("-", "xml", nil, nil); err == nil {
		t.Error("there is no such format")
	}
}

func TestAccessLog_Concurrently(t *testing.T) {
	var out, warnings bytes.Buffer
	l := openLog(t, "-", &out, &warnings)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	var wg sync.WaitGroup
	const each = 2000
	for i := range 4 {
		wg.Go(func() {
			r := seen()
			r.Stripe = uint32(i)
			for range each {
				l.Observe(r)
			}
		})
	}
	wg.Wait()
	stop()
	<-ended
	if got := strings.Count(out.String(), "\n") - 2 + int(l.Dropped()); got != 4*each {
		t.Errorf("%d lines written or dropped, want %d", got, 4*each)
	}
	for _, line := range strings.SplitAfter(out.String(), "\n")[2:] {
		if line != "" {
			values(t, line)
		}
	}
}

func BenchmarkAccessLog(b *testing.B) {
	l, _ := OpenAccessLog("-", "w3c", new(bytes.Buffer), nil)
	r := seen()
	b.ReportAllocs()
	for b.Loop() {
		l.Observe(r)
		if s := &l.stripes[r.Stripe%lineStripes]; len(s.buf) >= stripeRoom {
			s.buf = s.buf[:0]
		}
	}
}
