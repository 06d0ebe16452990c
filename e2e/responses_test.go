package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lie is one case of testdata/responses/cases.txt: what an origin answers, and what viewers may see of it.
type lie struct {
	name   string
	line   int
	on     []string // policy sets
	method string
	sends  string
	later  string // sent when the viewer has its answer
	then   string // close, reset, silence or drip; "": the connection goes on
	kept   bool   // the connection may carry another request
	sees   []string
}

// pages are what the edge says about the ways in which an origin fails.
var pages = map[string]string{
	"invalid": "The origin's answer is not valid HTTP.",
	"large":   "The header of the origin's answer is too large.",
	"closed":  "The origin closed the connection.",
	"slow":    "the origin did not answer in time.",
}

func readLies(path string) (cases []*lie, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	short := strings.NewReplacer("{ok}", `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n`, "{evil}", `HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`)
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			cases = append(cases, &lie{name: line, line: i + 1, on: []string{"optimized", "disabled"}, method: "GET"})
			continue
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("%s:%d: before any case", path, i+1)
		}
		c := cases[len(cases)-1]
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "on":
			c.on = strings.Fields(rest)
		case "method":
			c.method = rest
		case "sends":
			c.sends, err = expanded(short.Replace(strings.TrimSuffix(rest, `""`)))
		case "later":
			c.later, err = expanded(short.Replace(rest))
		case "then":
			c.then = rest
		case "kept":
			c.kept = true
		case "sees":
			for word, page := range pages {
				rest = strings.Replace(rest, " "+word, ` error !evil ~"`+page+`"`, 1)
			}
			c.sees = append(c.sees, rest)
		default:
			err = fmt.Errorf("no verb %q", verb)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return cases, nil
}

// liar is an origin that tells one lie at a time, to whoever asks for its path, and is honest otherwise.
type liar struct {
	l    net.Listener
	wg   sync.WaitGroup
	stop chan struct{}

	mu    sync.Mutex
	path  string
	lie   *lie          // nil: honest, also about path
	heard chan struct{} // closed when the viewer has its answer
	said  chan struct{} // gets a value when later has been sent
	fault error         // a request that should not have come
	conns map[net.Conn]bool
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &liar{l: l, stop: make(chan struct{}), conns: map[net.Conn]bool{}}
	o.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns[c] = true
			o.mu.Unlock()
			o.wg.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() {
		close(o.stop)
		l.Close()
		o.mu.Lock()
		for c := range o.conns {
			c.Close()
		}
		o.mu.Unlock()
		o.wg.Wait()
	})
	return o
}

// tell programs the lie for path; nil ends it.
func (o *liar) tell(path string, x *lie) (heard, said chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.path, o.lie, o.heard, o.said = path, x, make(chan struct{}), make(chan struct{}, 8)
	return o.heard, o.said
}

// faults returns what the edge should not have sent.
func (o *liar) faults() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.fault
	o.fault = nil
	return err
}

func (o *liar) serve(c net.Conn) {
	defer func() {
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
		c.Close()
	}()
	spoiled := "" // by a lie after which nothing may be asked on this connection
	for br := bufio.NewReader(c); ; {
		q := readStrictly(br)
		if !q.whole && q.fault == nil {
			return
		}
		o.mu.Lock()
		x, heard, said := o.lie, o.heard, o.said
		told := x != nil && strings.Contains(q.line, " "+o.path+" ")
		if spoiled != "" {
			o.fault = fmt.Errorf("%q came on the connection of %q", q.line, spoiled)
		} else if q.fault != nil {
			o.fault = q.fault
		}
		o.mu.Unlock()
		if !told {
			if _, err := io.WriteString(c, answerText(q, 200, []string{"Cache-Control: max-age=60"}, q.octets+q.body)); err != nil {
				return
			}
			continue
		}
		if !x.kept {
			spoiled = x.name
		}
		if !o.sends(c, x, heard, said) {
			return
		}
	}
}

// sends tells a lie. It reports whether the connection goes on.
func (o *liar) sends(c net.Conn, x *lie, heard, said chan struct{}) bool {
	if x.then == "drip" {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := range x.sends {
			select {
			case <-tick.C:
			case <-o.stop:
				return false
			}
			if _, err := io.WriteString(c, x.sends[i:i+1]); err != nil {
				return false
			}
		}
		return true
	}
	io.WriteString(c, x.sends) // the edge may not take all of it
	switch x.then {
	case "reset":
		c.(*net.TCPConn).SetLinger(0)
		return false
	case "close":
		// Closing with unread octets would be a reset. The edge closes too.
		c.(*net.TCPConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(patience))
		io.Copy(io.Discard, c)
		return false
	}
	if x.later != "" {
		select {
		case <-heard:
			io.WriteString(c, x.later)
			said <- struct{}{}
		case <-o.stop:
			return false
		}
	}
	return true
}

// Malformed, split, slow and broken answers of an origin, each told to the real binary by raw octets.
func TestBattery_Responses(t *testing.T) {
	cases, err := readLies("testdata/responses/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Errorf("only %d cases", len(cases))
	}
	f := newField(t, nil)
	o := newLiar(t)
	for _, set := range []string{"optimized", "disabled"} {
		options := map[string]string{"alias": set + ".example", "timeout": "1/1/1", "error": "502:::0"}
		for k, v := range policySets[set] {
			options[k] = v
		}
		f.distribute(t, set, &recorder{l: o.l}, options)
	}
	for i, x := range cases {
		for _, set := range x.on {
			t.Run(x.name+"/"+set, func(t *testing.T) {
				if err := f.believe(o, x, set, fmt.Sprintf("/lie/%d/%s", i, set)); err != nil {
					t.Errorf("testdata/responses/cases.txt:%d: %v", x.line, err)
				}
			})
		}
	}
	f.sound(t)
}

// believe asks for a lie, and looks at what the viewer sees, and at what others see afterwards.
func (f *field) believe(o *liar, x *lie, set, path string) error {
	host := set + ".example"
	heard, said := o.tell(path, x)
	first, err := f.see(x, host, path, func() {
		close(heard)
		if x.later != "" {
			select {
			case <-said:
			case <-time.After(patience):
			}
		}
		o.tell(path, nil)
	})
	if err != nil {
		return err
	}
	// The connection's origin has another answer in store: nobody may get it.
	if err := f.probe(host); err != nil {
		return err
	}
	if err := f.kept(first, x, host, path); err != nil {
		return err
	}
	return errors.Join(o.faults(), f.robbed())
}

// see is the viewer to whom the lie is told, and its connection's next request. then is called in between.
func (f *field) see(x *lie, host, path string, then func()) (*heard, error) {
	v, err := dialViewer(f.edge)
	if err != nil {
		return nil, err
	}
	defer v.close()
	body := ""
	if x.method == "POST" {
		body = "Content-Length: 3\r\n\r\nabc"
	} else {
		body = "\r\n"
	}
	request := x.method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + body
	v.send(request, 1<<20)
	all, err := v.answers(request, 1)
	then()
	if err != nil {
		return nil, err
	}
	var against []error
	for _, s := range x.sees {
		err := fits([]string{s}, all)
		if err == nil {
			return all[0], f.after(v, host)
		}
		against = append(against, err)
	}
	return nil, errors.Join(against...)
}

// kept asks for the lie's path again: what was whole may be given again, what was not must be asked for anew.
func (f *field) kept(first *heard, x *lie, host, path string) error {
	v, err := dialViewer(f.edge)
	if err != nil {
		return err
	}
	defer v.close()
	v.send("GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
	again, err := v.hear("GET")
	if err != nil {
		return err
	}
	failed := slices.ContainsFunc([]string{pages["invalid"], pages["large"], pages["closed"]}, func(page string) bool { return strings.Contains(first.body, page) })
	honest := again.status == 200 && strings.HasPrefix(again.body, "GET "+path+" HTTP/1.1\r\n")
	same := again.status == first.status && again.body == first.body && x.method == "GET"
	slow := again.status == 504 && first.status == 504 // kept for the error caching time, with another request id
	if again.cut || !honest && (failed || first.cut || !same && !slow) {
		return fmt.Errorf("asked again: %.500q", again.text)
	}
	return nil
}

// A viewer sees the origin's fields in the origin's order and spelling, on a miss and on a hit; what the edge
// says itself comes last, in CloudFront's order.
func TestResponses_OrderAndSpelling(t *testing.T) {
	f := newField(t, nil)
	o := newLiar(t)
	f.distribute(t, "d", &recorder{l: o.l}, map[string]string{"policy": "optimized", "alias": "d.example"})
	o.tell("/a", &lie{kept: true, sends: "HTTP/1.1 200 OK\r\nx-b: 2\r\nDate: Tue, 25 Nov 2025 10:00:00 GMT\r\nCONTENT-TYPE: text/plain\r\nX-A: 1\r\netag: \"e\"\r\nX-B: 1\r\n" +
		"cache-control: max-age=99999999\r\nContent-Length: 3\r\n\r\nabc"})
	for _, result := range []string{"Miss", "Hit"} {
		v, err := dialViewer(f.edge)
		if err != nil {
			t.Fatal(err)
		}
		v.send("GET /a HTTP/1.1\r\nHost: d.example\r\n\r\n", 1<<20)
		got, err := v.rest()
		v.close()
		want := "HTTP/1.1 200 OK\r\nx-b: 2\r\nDate: Tue, 25 Nov 2025 10:00:00 GMT\r\nCONTENT-TYPE: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n" +
			"X-A: 1\r\netag: \"e\"\r\nX-B: 1\r\ncache-control: max-age=99999999\r\nX-Cache: " + result + " from cloudfront\r\nVia: "
		if !strings.HasPrefix(got, want) || err != nil {
			t.Errorf("%s %v\n%s\nwant\n%s", result, err, got, want)
		}
	}
}
