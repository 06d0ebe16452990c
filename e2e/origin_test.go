package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// origin is a programmable origin on a raw socket, so that it can also misbehave.
type origin struct {
	name string
	l    net.Listener
	wg   sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	answers  map[string]answer // by "METHOD path"
	held     map[string]bool   // paths that stop before their answer or in the middle of it
	requests map[string][]*http.Request
	conns    map[net.Conn]bool
	closed   bool
}

// answer is what the origin says to one request.
type answer struct {
	status  int
	headers []string
	body    string
	raw     string // sent as it is instead, then the connection is closed
	length  int    // announced Content-Length when not the body's; -1: as it is; -2: none, close at the end
}

func newOrigin(name, address string) (*origin, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	o := &origin{name: name, l: l, answers: map[string]answer{}, held: map[string]bool{}, requests: map[string][]*http.Request{}, conns: map[net.Conn]bool{}}
	o.changed = sync.NewCond(&o.mu)
	o.wg.Add(1)
	go o.accept()
	return o, nil
}

func (o *origin) address() string { return o.l.Addr().String() }

func (o *origin) accept() {
	defer o.wg.Done()
	for {
		c, err := o.l.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			c.Close()
			return
		}
		o.conns[c] = true
		o.wg.Add(1)
		o.mu.Unlock()
		go o.serve(c)
	}
}

func (o *origin) serve(c net.Conn) {
	defer o.wg.Done()
	defer func() {
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
		c.Close()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		if !o.answer(c, req) || req.Close {
			return
		}
	}
}

// answer writes the programmed answer and tells whether the connection goes on.
func (o *origin) answer(c net.Conn, req *http.Request) bool {
	key, uri := req.Method+" "+req.RequestURI, req.RequestURI
	o.mu.Lock()
	o.requests[uri] = append(o.requests[uri], req)
	a, ok := o.answers[key]
	if !ok {
		a, ok = o.answers["GET "+uri]
	}
	if !ok {
		a, ok = o.answers["* *"]
	}
	if !ok {
		a = answer{status: 404, body: "no such thing", length: -1}
	}
	o.changed.Broadcast()
	o.mu.Unlock()
	if a.raw != "" {
		o.waitReleased(uri)
		io.WriteString(c, a.raw)
		return false
	}
	// A conditional request is answered as any honest origin would.
	if inm := req.Header.Get("If-None-Match"); inm != "" && a.status == 200 {
		for _, h := range a.headers {
			if n, v, _ := strings.Cut(h, ": "); strings.EqualFold(n, "ETag") && v == inm {
				a = answer{status: 304, headers: a.headers, length: -2}
			}
		}
	}
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for _, h := range a.headers {
		fmt.Fprintf(&head, "%s\r\n", h)
	}
	switch {
	case a.status == 304:
	case a.length == -1:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(a.body))
	case a.length >= 0:
		fmt.Fprintf(&head, "Content-Length: %d\r\n", a.length)
	}
	head.WriteString("\r\n")
	body := a.body
	if req.Method == "HEAD" || a.status == 304 {
		body = ""
	}
	o.mu.Lock()
	middle := o.held["middle "+uri]
	o.mu.Unlock()
	if middle {
		io.WriteString(c, head.String()+body[:len(body)/2])
		o.waitReleased("middle " + uri)
		_, err := io.WriteString(c, body[len(body)/2:])
		return err == nil
	}
	o.waitReleased(uri)
	_, err := io.WriteString(c, head.String()+body)
	return err == nil && (a.length == -1 || a.status == 304)
}

func (o *origin) waitReleased(key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.held[key] && !o.closed {
		o.changed.Wait()
	}
}

func (o *origin) hold(key string, on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[key] = on
	o.changed.Broadcast()
}

// seen waits until at least n requests for uri have arrived and returns how many there are.
func (o *origin) seen(uri string, n int) int {
	timeout := time.AfterFunc(patience, func() { o.mu.Lock(); o.changed.Broadcast(); o.mu.Unlock() })
	defer timeout.Stop()
	deadline := time.Now().Add(patience)
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.requests[uri]) < n && time.Now().Before(deadline) {
		o.changed.Wait()
	}
	return len(o.requests[uri])
}

// last returns the newest request for uri, or nil.
func (o *origin) last(uri string) *http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r := o.requests[uri]; len(r) > 0 {
		return r[len(r)-1]
	}
	return nil
}

func (o *origin) set(key string, a answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[key] = a
}

func (o *origin) close() {
	o.l.Close()
	o.mu.Lock()
	o.closed = true
	o.changed.Broadcast()
	for c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.wg.Wait()
}
