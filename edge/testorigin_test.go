package edge

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/origin"
)

// testOrigin answers by a program: the next reply of a path's list, the last one for ever.
type testOrigin struct {
	agree   func() *origin.Tunnel // to WebSocket; nil: it does not
	mu      sync.Mutex
	replies map[string][]*reply
	asked   []*origin.Request
	bodies  []string
}

// reply is one scripted answer. The gates are waited for, when they are there.
type reply struct {
	head   chan struct{} // before anything is answered
	rest   chan struct{} // after the first half of the body
	status int
	fields message.Fields
	body   string
	length int64 // announced; 0: the body's; -1: none
	cut    bool  // the body ends with an error
	err    error
	react  func(*origin.Request) *reply // makes the reply
}

func newTestOrigin() *testOrigin { return &testOrigin{replies: map[string][]*reply{}} }

// ok is a reply with 200 and fields "Name: value".
func ok(body string, lines ...string) *reply { return status(200, body, lines...) }

func status(code int, body string, lines ...string) *reply {
	r := &reply{status: code, body: body}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.fields.Add(name, value)
	}
	return r
}

// fails is a reply that is an error of a kind.
func fails(k origin.Kind) *reply {
	return &reply{err: &origin.Error{Kind: k, Op: "ask", Err: errors.New("scripted")}}
}

// on programs a path.
func (o *testOrigin) on(path string, replies ...*reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replies[path] = replies
}

func (o *testOrigin) times(path string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.asked {
		if r.Path == path {
			n++
		}
	}
	return n
}

// all lists what it has been asked so far.
func (o *testOrigin) all() []*origin.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

func (o *testOrigin) last() *origin.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[len(o.asked)-1]
}

// Upgrade agrees if the test does, and otherwise answers as Fetch.
func (o *testOrigin) Upgrade(ctx context.Context, d *distribution.Origin, r *origin.Request) (*origin.Tunnel, *origin.Response, error) {
	if o.agree == nil {
		resp, err := o.Fetch(ctx, d, r)
		return nil, resp, err
	}
	o.mu.Lock()
	o.asked = append(o.asked, r)
	o.mu.Unlock()
	return o.agree(), nil, nil
}

func (o *testOrigin) Fetch(ctx context.Context, _ *distribution.Origin, r *origin.Request) (*origin.Response, error) {
	o.mu.Lock()
	o.asked = append(o.asked, r)
	list := o.replies[r.Path]
	rep := status(404, "nothing here")
	if len(list) > 0 {
		rep = list[0]
	}
	if len(list) > 1 {
		o.replies[r.Path] = list[1:]
	}
	o.mu.Unlock()
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.bodies = append(o.bodies, string(b))
		o.mu.Unlock()
	}
	canceled := &origin.Error{Kind: origin.Canceled, Op: "ask", Err: context.Canceled}
	if rep.head != nil {
		select {
		case <-rep.head:
		case <-ctx.Done():
			return nil, canceled
		}
	}
	if ctx.Err() != nil {
		return nil, canceled
	}
	if rep.react != nil {
		rep = rep.react(r)
	}
	if rep.err != nil {
		return nil, rep.err
	}
	resp := &origin.Response{Status: rep.status, Fields: rep.fields.Clone(), ContentLength: int64(len(rep.body)), FirstByte: time.Millisecond}
	if rep.length != 0 {
		resp.ContentLength = rep.length
	}
	body := rep.body
	if r.Method == "HEAD" {
		body = ""
	}
	resp.Body = &scriptedBody{ctx: ctx, rest: body, half: len(body) / 2, gate: rep.rest, cut: rep.cut}
	return resp, nil
}

type scriptedBody struct {
	ctx  context.Context
	rest string
	half int
	gate chan struct{}
	cut  bool
	read int
}

func (b *scriptedBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, &origin.Error{Kind: origin.Canceled, Op: "read body", Err: b.ctx.Err()}
	}
	limit := len(b.rest)
	if b.gate != nil {
		if limit = b.half - b.read; limit <= 0 {
			select {
			case <-b.gate:
				b.gate, limit = nil, len(b.rest)
			case <-b.ctx.Done():
				return 0, &origin.Error{Kind: origin.Canceled, Op: "read body", Err: b.ctx.Err()}
			}
		}
	}
	n := copy(p, b.rest[:min(limit, len(b.rest))])
	b.rest = b.rest[n:]
	b.read += n
	switch {
	case len(b.rest) > 0 || n > 0 && b.gate != nil:
		return n, nil
	case b.cut:
		return n, &origin.Error{Kind: origin.Closed, Op: "read body", Err: io.ErrUnexpectedEOF}
	}
	return n, io.EOF
}

func (b *scriptedBody) Close() error { return nil }
