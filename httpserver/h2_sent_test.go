package httpserver

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/warmfront/warmfront/internal/h2"
)

// Inline answers of a batch that are handed to who is sending, because of what stands behind them in it, are
// in the socket's hands only when that round is over. Until then a Completed must wait for them.
func TestH2_SentWaitsForWhatWasHandedOver(t *testing.T) {
	for name, behind := range map[string]func(v *h2client){
		"a large hit": func(v *h2client) { v.get(5, "/large") },
		"SETTINGS":    func(v *h2client) { v.fr.WriteSettings() },
		"a refused host": func(v *h2client) {
			v.headers(5, true, ":method", "GET", ":scheme", "http", ":authority", "a b", ":path", "/")
		},
		"nothing":         func(*h2client) {},
		"a declined path": func(v *h2client) { v.get(5, "/no") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { sentWaits(t, behind) })
		})
	}
}

func sentWaits(t *testing.T, behind func(v *h2client)) {
	hits := &h2hits{}
	speak := make(chan struct{})
	viewer, nc := net.Pipe() // each write of the server waits until the viewer reads
	e := (&Server{H2C: true, Answerer: hits, Handler: handlerFunc(func(ctx context.Context, w ResponseWriter, r *Request) {
		if r.Path == "/waits" {
			<-speak
		}
		echo(ctx, w, r)
	})}).engine()
	e.base = t.Context()
	c := newConn(e, nc)
	e.gate.admit(c)
	e.running.Go(c.serve)
	var buf bytes.Buffer
	v := &h2client{t: t, fr: http2.NewFramer(&buf, nil)}
	v.encode()
	say := func() {
		viewer.Write(buf.Bytes())
		buf.Reset()
		synctest.Wait()
	}
	hear := func() {
		viewer.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, viewer)
		synctest.Wait()
	}
	buf.WriteString(h2.Preface)
	v.fr.WriteSettings()
	v.get(1, "/waits")
	say()
	hear()
	before := hits.sent.Load()

	close(speak) // its handler is at the socket now
	synctest.Wait()
	v.get(3, "/hit")
	behind(v)
	say()
	if hits.answered.Load() == 0 || hits.sent.Load() != before {
		t.Errorf("%d hits answered; Sent was called %d times although the viewer has read nothing", hits.answered.Load(), hits.sent.Load()-before)
	}
	hear()
	if hits.sent.Load() == before {
		t.Error("Sent was not called after the viewer had read everything")
	}
	viewer.Close()
	e.running.Wait()
}
