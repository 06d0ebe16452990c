package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Slow viewers and origins, against the real binary with short limits. Nothing here is timed: what must
// happen happens before the deadline of half a minute that every connection has, or the case fails.

// shortLimits are long enough for a viewer that behaves, on a busy machine too.
var shortLimits = []string{"--read-header-timeout", "2s", "--read-body-timeout", "2s", "--write-timeout", "3s", "--idle-timeout", "2s"}

// drips sends octets one by one, one every 20 ms, until it cannot or something comes back, and returns that.
func (v *viewer) drips(octets string) (string, error) {
	heard := make(chan string, 1)
	var err error
	go func() {
		var b []byte
		b, err = io.ReadAll(v.br)
		heard <- string(b)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case s := <-heard:
			if isReset(err) {
				err = nil
			}
			return s, err
		case <-tick.C:
			if octets != "" {
				io.WriteString(v.c, octets[:1])
				octets = octets[1:]
			}
		}
	}
}

func TestBattery_SlowViewers(t *testing.T) {
	f := newField(t, []string{"optimized", "disabled"}, shortLimits...)
	var all sync.WaitGroup
	for _, c := range []struct{ name, at, drip, want string }{
		{"head, octet by octet", "", "GET /a HTTP/1.1\r\nHost: optimized.example\r\n" + strings.Repeat("X: y\r\n", 500), ""},
		{"head, a field now and then", "GET /a HTTP/1.1\r\nHost: optimized.example\r\n", strings.Repeat("X: y\r\n", 500), ""},
		{"head of the second request", "GET /a HTTP/1.1\r\nHost: optimized.example\r\n\r\nGE", strings.Repeat("T", 500), "HTTP/1.1 200 OK\r\n"},
		{"nothing at all", "", "", ""},
		{"nothing after an answer", "GET /a HTTP/1.1\r\nHost: optimized.example\r\n\r\n", "", "HTTP/1.1 200 OK\r\n"},
		{"an empty line and nothing", "\r\n", "", ""},
		{"body that stops", "POST /a HTTP/1.1\r\nHost: disabled.example\r\nContent-Length: 9\r\n\r\nabc", "", "HTTP/1.1 408 Request Timeout\r\n"},
		{"body that never begins", "POST /a HTTP/1.1\r\nHost: disabled.example\r\nContent-Length: 9\r\n\r\n", "", "HTTP/1.1 408 Request Timeout\r\n"},
		{"chunk that stops", "POST /a HTTP/1.1\r\nHost: disabled.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "", "HTTP/1.1 408 Request Timeout\r\n"},
		{"chunks whose last never comes", "POST /a HTTP/1.1\r\nHost: disabled.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "", "HTTP/1.1 408 Request Timeout\r\n"},
		{"body of a refused request", "POST /a HTTP/1.1\r\nHost: optimized.example\r\nContent-Length: 9\r\n\r\nabc", "", "HTTP/1.1 403 Forbidden\r\n"},
	} {
		all.Go(func() {
			v, err := dialViewer(f.edge)
			if err != nil {
				t.Error(err)
				return
			}
			defer v.close()
			v.send(c.at, 1<<20)
			got, err := v.drips(c.drip)
			if err != nil || !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("%s: %.200q, %v; want %q and the end", c.name, got, err, c.want)
			}
		})
	}
	probed := func() {
		for _, host := range []string{"optimized.example", "disabled.example"} {
			if err := f.probe(host); err != nil {
				t.Error(err)
			}
		}
	}
	probed() // while they are at it
	all.Wait()
	probed()
	if _, err := f.came(); err != nil {
		t.Error(err)
	}
	f.sound(t)
}

// A viewer that drips within the limits is served: slowness alone is no crime.
func TestBattery_SlowBodyWithinItsTime(t *testing.T) {
	f := newField(t, []string{"disabled"}, shortLimits...)
	v, err := dialViewer(f.edge)
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	body := strings.Repeat("x", 200) // twice the limit, in all
	v.send("POST /slow HTTP/1.1\r\nHost: disabled.example\r\nConnection: close\r\nContent-Length: 200\r\n\r\n", 1<<20)
	got, err := v.drips(body)
	if err != nil || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, body) {
		t.Errorf("%.300q, %v", got, err)
	}
}

// bigObject is more than the sockets of both sides hold.
var bigObject = strings.Repeat("0123456789abcdef", 1<<20)

// stalls is a viewer that asks for something large and takes nothing of it.
func stalls(t *testing.T, f *field, host, path string) *viewer {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	c, err := d.Dial("tcp", f.edge)
	if err != nil {
		t.Fatal(err)
	}
	v := newViewer(c.(*net.TCPConn))
	c.SetDeadline(time.Now().Add(30 * time.Second))
	v.send("GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
	return v
}

// cut waits until the access log says that n answers to what has "slow=1" in its query are over.
func (f *field) cut(t *testing.T, n int) {
	t.Helper()
	err := f.until(patience, func() (bool, error) { return strings.Count(f.proc.log.String(), "slow=1") >= n, nil })
	if err != nil {
		t.Errorf("%d of %d viewers that took nothing have been cut %v", strings.Count(f.proc.log.String(), "slow=1"), n, err)
	}
}

// A viewer that takes nothing is cut; meanwhile it holds up neither the fill nor those who wait for it.
func TestBattery_ReadersThatTakeNothing(t *testing.T) {
	big := func(control string) []rule {
		return []rule{{"/big", func(q *recorded) string { return answerText(q, 200, []string{control}, bigObject) }}}
	}
	f := newField(t, []string{"optimized", "legacy", "disabled"}, append(shortLimits, "--cache-size", "256MiB", "--access-log")...)
	n := 0
	for _, c := range []struct{ set, path, control string }{
		{"optimized", "/big/kept", "Cache-Control: max-age=60"}, // the fill goes on to its end
		{"optimized", "/big/kept", "Cache-Control: max-age=60"}, // hits
		{"legacy", "/big/private", "Cache-Control: private"},    // each has his own
		{"disabled", "/big/passed", "Cache-Control: max-age=60"},
	} {
		t.Run(c.set+" "+c.path, func(t *testing.T) {
			f.origin.program(big(c.control))
			host := c.set + ".example"
			var slow []*viewer
			for range 5 {
				slow = append(slow, stalls(t, f, host, c.path+"?slow=1"))
				n++
			}
			if err := f.ask(host, c.path, bigObject); err != nil {
				t.Error(err)
			}
			f.cut(t, n)
			for _, v := range slow {
				if all, err := io.ReadAll(v.br); err != nil && !isReset(err) || len(all) >= len(bigObject) {
					t.Errorf("a viewer that took nothing for longer than it may got %d octets, %v", len(all), err)
				}
				v.close()
			}
			if err := f.ask(host, c.path, bigObject); err != nil {
				t.Error(err)
			}
		})
	}
	f.sound(t)
}

// What a slow viewer gets is what it asked for, also when the object has long been evicted and its memory is used
// for others: large bodies are sent from where they lie, without a copy.
func TestBattery_SlowReadersOfWhatIsGone(t *testing.T) {
	f := newField(t, []string{"optimized"}, "--cache-size", "32MiB", "--write-timeout", "30s")
	const size = 1 << 20
	body := func(target string) string { return strings.Repeat(fmt.Sprintf("%-64s", target), size/64) }
	f.origin.program([]rule{{"/big/", func(q *recorded) string {
		return answerText(q, 200, []string{"Cache-Control: max-age=60"}, body(strings.Fields(q.line)[1]))
	}}})
	target := func(i int) string { return fmt.Sprintf("/big/%d", i) }
	var slow []*viewer
	for i := range 20 {
		if err := f.ask("optimized.example", target(i), body(target(i))); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, stalls(t, f, "optimized.example", target(i)))
	}
	for i := 100; i < 200; i++ { // three times what there is room for
		if err := f.ask("optimized.example", target(i), body(target(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range slow {
		a, err := v.hear("GET")
		if err != nil || a.cut || a.body != body(target(i)) {
			t.Errorf("%s: %v", target(i), err)
		}
		v.close()
	}
	f.sound(t)
}

// An origin that accepts and says nothing, or stops in the middle, costs its own viewers the time that the
// distribution gives it, and others nothing.
func TestBattery_SlowOrigins(t *testing.T) {
	f := newField(t, []string{"optimized"})
	o, err := newOrigin("slow", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.origins["slow"] = o
	if err := f.create("slow", map[string]string{"origin": "slow", "policy": "optimized", "alias": "slow.example", "timeout": "1/1/1"}); err != nil {
		t.Fatal(err)
	}
	o.set("GET /silent", answer{status: 200, body: "late", length: -1})
	o.hold("/silent", true)
	o.set("GET /half", answer{status: 200, body: strings.Repeat("x", 1000), headers: []string{"Cache-Control: max-age=60"}, length: -1})
	o.hold("middle /half", true)

	silent, half := stalls(t, f, "slow.example", "/silent"), stalls(t, f, "slow.example", "/half")
	defer silent.close()
	defer half.close()
	if err := f.probe("optimized.example"); err != nil {
		t.Error(err)
	}
	got := make([]byte, 12)
	if _, err := io.ReadFull(silent.br, got); err != nil || string(got) != "HTTP/1.1 504" {
		t.Errorf("of a silent origin: %q, %v", got, err)
	}
	all, err := io.ReadAll(half.br)
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 200 OK\r\n")) || bytes.Count(all, []byte("x")) >= 1000 || err != nil && !isReset(err) {
		t.Errorf("of an origin that stops: %.200q, %v", all, err)
	}
	// Half of it is nobody's object.
	o.hold("middle /half", false)
	if err := f.ask("slow.example", "/half", strings.Repeat("x", 1000)); err != nil {
		t.Error(err)
	}
}

// from dials the edge from an address of this machine, which makes it another client.
func from(address, edge string) (*viewer, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", edge)
	if err != nil {
		return nil, err
	}
	v := newViewer(c.(*net.TCPConn))
	return v, nil
}

// served tells whether a new connection from address is answered, and keeps it open.
func served(t *testing.T, f *field, address string) (*viewer, bool) {
	t.Helper()
	v, err := from(address, f.edge)
	if err != nil {
		t.Fatal(err)
	}
	v.send("GET /a HTTP/1.1\r\nHost: optimized.example\r\n\r\n", 1<<20)
	a, err := v.hear("GET")
	if errors.Is(err, io.EOF) { // closed without an answer
		return v, false
	}
	if err != nil {
		t.Fatal(err)
	}
	if a.status == 503 && !a.closes {
		t.Errorf("a refusal that keeps the connection: %q", a.text)
	}
	return v, a.status == 200
}

func TestBattery_Connections(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
		other bool // another client is served when one has what it may
	}{
		{"of one client", []string{"--max-connections-per-client", "5"}, true},
		{"in all", []string{"--max-connections", "5"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newField(t, []string{"optimized"}, c.flags...)
			if err := f.probe("optimized.example"); err != nil {
				t.Fatal(err)
			}
			var open []*viewer
			defer func() {
				for _, v := range open {
					v.close()
				}
			}()
			// A connection that has just been closed may count for a moment longer: the first five are tried for.
			deadline := time.Now().Add(patience)
			for len(open) < 5 && time.Now().Before(deadline) {
				if v, ok := served(t, f, "127.0.0.2"); ok {
					open = append(open, v)
				} else {
					v.close()
				}
			}
			if len(open) != 5 {
				t.Fatalf("%d connections", len(open))
			}
			for range 20 {
				v, ok := served(t, f, "127.0.0.2")
				v.close()
				if ok {
					t.Fatal("a sixth connection is served")
				}
			}
			v, ok := served(t, f, "127.0.0.3")
			v.close()
			if ok != c.other {
				t.Errorf("another client is served: %v", ok)
			}
			open[0].close()
			open = open[1:]
			for deadline := time.Now().Add(patience); ; {
				v, ok := served(t, f, "127.0.0.2")
				v.close()
				if ok {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("a connection that was closed still counts")
				}
			}
			f.sound(t)
		})
	}
}
