package edge

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/websocket"
	"github.com/warmfront/warmfront/origin"
)

// WebSockets go through, if the origin agrees. Nothing is carried before its 101 has been found to be the
// answer to this viewer's handshake; any other answer stays an answer in HTTP, and what the viewer sends behind
// its request then is its next request.

const (
	// tunnelIdle is how long nothing may come from either side, as with CloudFront.
	tunnelIdle = 10 * time.Minute
	// tunnelEnd is the same when one side has ended.
	tunnelEnd = 10 * time.Second
	// tunnelPiece is how much is carried at once.
	tunnelPiece = 8 << 10
)

// wishes finds out what the viewer wants of its connection.
func (v *visit) wishes(r *message.Request) websocket.Wish {
	v.wish = websocket.Of(r)
	return v.wish
}

// tunnel asks the origin for a WebSocket and carries it to its end. An origin is asked once: nobody knows
// what a handshake has caused.
func (v *visit) tunnel(q *query) (*answer, step) {
	v.ticket.close()
	up, ok := v.w.(httpserver.Upgrader)
	if !ok {
		return v.failure(UpgradeRefused), found
	}
	asked := q.behavior
	t, resp, err := v.handshake(q, asked)
	if second := asked.Second("GET"); second != nil && t == nil && failsOver(asked.Group, resp, err) {
		v.e.failOver(q.site, asked, resp, err)
		if resp != nil {
			resp.Body.Close()
		}
		asked = second
		t, resp, err = v.handshake(q, asked)
	}
	switch {
	case err != nil:
		return v.unpassed(q, asked, err, 0)
	case t == nil:
		v.passed = v.passing(q, asked, resp, WebSocket)
		return v.passed, found
	}
	defer t.Close()
	out := append(v.fields[:0], message.Field{Name: "Upgrade", Value: "websocket"})
	out = append(out, v.e.passed(q.site, q.behavior, t.Fields, v.e.now())...)
	v.fields = v.e.own(out, q.site, Miss, v.x.ID)
	v.x.Outcome, v.x.Reason, v.x.Status, v.x.OriginLatency = Miss, WebSocket, 101, t.FirstByte
	v.x.Origin = asked.Origin.ID
	s, err := up.Upgrade(v.fields)
	v.x.FirstByte = v.since()
	if err != nil {
		v.x.Aborted = true
		v.w.Abort()
		return nil, over
	}
	v.x.Bytes, v.x.Aborted = carryBoth(v.ctx, s, t)
	return nil, over
}

// handshake asks the origin of b.
func (v *visit) handshake(q *query, b *distribution.Behavior) (*origin.Tunnel, *origin.Response, error) {
	fw := b.Forward(q.site.Distribution, q.req)
	return v.e.cfg.Origin.Upgrade(v.ctx, b.Origin, &origin.Request{
		Method: "GET", Path: fw.Path, Query: fw.Query, HasQuery: fw.HasQuery, Host: fw.Host, Scheme: q.req.Scheme,
		Fields: v.e.hopped(withHandshake(fw.Fields, q.req.Fields), q.req, v.x.ID),
	})
}

// withHandshake adds the fields of the handshake to those that are forwarded, in the place of what a policy may
// have chosen of them.
func withHandshake(forwarded, asked message.Fields) message.Fields {
	var out message.Fields
	for _, f := range forwarded {
		if !websocket.IsField(f.Name) {
			out = append(out, f)
		}
	}
	return append(out, websocket.Fields(asked)...)
}

// carryBoth carries octets both ways until both sides have ended, one has broken off, nothing has come for
// too long, or ctx ends. It returns how many have come to the viewer, and whether it was cut.
//
// It has one goroutine beside the caller's, and waits for it.
func carryBoth(ctx context.Context, viewer httpserver.Stream, o origin.Stream) (down int64, cut bool) {
	var broken atomic.Bool
	var limit atomic.Int64
	limit.Store(int64(tunnelIdle))
	end := sync.OnceFunc(func() {
		broken.Store(true)
		viewer.Close()
		o.Close()
	})
	idle := time.AfterFunc(tunnelIdle, end)
	defer idle.Stop()
	defer context.AfterFunc(ctx, end)()
	carry := func(to origin.Stream, from io.Reader) (n int64) {
		n, err := copyAll(to, from, func() { idle.Reset(time.Duration(limit.Load())) })
		if err == nil {
			limit.Store(int64(tunnelEnd))
			idle.Reset(tunnelEnd)
			err = to.CloseWrite()
		}
		if err != nil {
			end()
		}
		return n
	}
	var up sync.WaitGroup
	up.Go(func() { carry(o, viewer) })
	down = carry(viewer, o)
	up.Wait()
	return down, broken.Load()
}

// copyAll copies to the end. came is called whenever something has come.
func copyAll(to io.Writer, from io.Reader, came func()) (n int64, err error) {
	p := make([]byte, tunnelPiece)
	for {
		k, err := from.Read(p)
		if k > 0 {
			came()
			m, werr := to.Write(p[:k])
			n += int64(m)
			if werr != nil {
				return n, werr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		}
	}
}
