package httpserver

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// A request whose viewer says only afterwards that it has no body is one without: as in HTTP/3.
func TestH2_EmptyDataIsNoBody(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		fields []string
		then   func(v *h2client)
		want   string
	}{
		"at once": {"GET", nil, func(v *h2client) { v.fr.WriteData(1, true, nil) }, "len=0 body= err=<nil>"},
		"padding": {"GET", nil, func(v *h2client) { v.fr.WriteDataPadded(1, true, nil, make([]byte, 9)) }, "len=0 body= err=<nil>"},
		"after empty ones": {"POST", nil, func(v *h2client) {
			v.fr.WriteData(1, false, nil)
			v.fr.WriteData(1, true, nil)
		}, "len=0 body= err=<nil>"},
		"trailers":        {"GET", nil, func(v *h2client) { v.headers(1, true, "x-trailer", "dropped") }, "len=0 body= err=<nil>"},
		"a length of 0":   {"POST", []string{"content-length", "0"}, func(v *h2client) { v.fr.WriteData(1, true, nil) }, "len=0 body= err=<nil>"},
		"an octet":        {"GET", nil, func(v *h2client) { v.fr.WriteData(1, true, []byte("x")) }, "len=-1 body=x err=<nil>"},
		"one with length": {"GET", []string{"content-length", "1"}, func(v *h2client) { v.fr.WriteData(1, true, []byte("x")) }, "len=1 body=x err=<nil>"},
		"then an octet": {"POST", nil, func(v *h2client) {
			v.fr.WriteData(1, false, nil)
			v.fr.WriteData(1, false, []byte("x"))
			v.fr.WriteData(1, true, nil)
		}, "len=-1 body=x err=<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			v := viewer2(t, h2server(t, &Server{}))
			v.headers(1, false, req(c.method, "/", c.fields...)...)
			c.then(v)
			if status, body, _ := v.answer(1); status != "200" || !strings.Contains(body, c.want) {
				t.Errorf("%s %q, want %q", status, body, c.want)
			}
		})
	}
}

// Whoever says nothing more is not waited for longer than for a body, and who leaves not at all.
func TestH2_NothingBehindTheHead(t *testing.T) {
	var served atomic.Int64
	s := &Server{Limits: Limits{ReadBodyTimeout: 30 * time.Millisecond}, Handler: handlerFunc(func(_ context.Context, w ResponseWriter, _ *Request) {
		served.Add(1)
		w.Begin(204, nil, 0)
	})}
	v := viewer2(t, h2server(t, s))
	v.headers(1, false, req("GET", "/")...)
	if status, _, _ := v.answer(1); status != "408" {
		t.Errorf("status %s", status)
	}
	v.headers(3, false, req("GET", "/")...)
	v.fr.WriteRSTStream(3, http2.ErrCodeCancel)
	v.get(5, "/")
	if status, _, _ := v.answer(5); status != "204" || served.Load() != 1 {
		t.Errorf("status %s, the handler was called %d times", status, served.Load())
	}
}
