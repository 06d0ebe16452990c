package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What connections and objects cost the real process (law L9). The bounds are generous, the figures are
// logged: go test -v -run TestBattery_Memory . BATTERY_KEYS=1000000 asks for a million objects.

// memory is what a process has.
type memory struct {
	resident, heap, stacks int64 // octets: of the process; of it, Go's heap in use and the stacks of goroutines
}

var gauge = regexp.MustCompile(`(?m)^go_memstats_(heap|stack)_inuse_bytes (\S+)$`)

// memory looks at the process after a garbage collection.
func (f *field) memory(t *testing.T) (m memory) {
	t.Helper()
	get := func(url string) []byte {
		resp, err := f.web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s, %v", url, resp.Status, err)
		}
		return b
	}
	for range 2 { // pools are emptied by the second
		get(f.proc.ready.Telemetry + "/debug/pprof/heap?gc=1")
	}
	for _, g := range gauge.FindAllStringSubmatch(string(get(f.proc.ready.Telemetry+"/metrics")), -1) {
		n, err := strconv.ParseFloat(g[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if g[1] == "heap" {
			m.heap = int64(n)
		} else {
			m.stacks = int64(n)
		}
	}
	m.resident = resident(t, f.proc.cmd.Process.Pid)
	if m.heap == 0 || m.stacks == 0 {
		t.Fatal("the metrics do not tell the heap")
	}
	return m
}

var residentLine = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)

func resident(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("no /proc here: ", err)
	}
	m := residentLine.FindSubmatch(b)
	if m == nil {
		t.Fatalf("no VmRSS in %s", b)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

var socketPages = regexp.MustCompile(`(?m)^TCP: .* mem (\d+)$`)

// inSockets is what the TCP sockets of this machine hold, 0 when it does not tell.
func inSockets() int64 {
	b, _ := os.ReadFile("/proc/net/sockstat")
	m := socketPages.FindSubmatch(b)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n * int64(os.Getpagesize())
}

// fewer is how many connections the descriptors of this process and the edge's allow, at most n.
func fewer(t *testing.T, n int) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return int(min(uint64(n), l.Cur/2))
}

func TestBattery_MemoryOfIdleConnections(t *testing.T) {
	f := newField(t, []string{"optimized"}, "--edges-https", "off", "--telemetry", "127.0.0.1:0")
	n := fewer(t, 10000)
	const request = "GET /idle HTTP/1.1\r\nHost: optimized.example\r\n\r\n"
	if err := f.ask("optimized.example", "/idle", "GET /idle "); err != nil {
		t.Fatal(err)
	}
	before := f.memory(t)
	conns := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	answer := make([]byte, 4096)
	for range n {
		c, err := net.Dial("tcp", f.edge)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		io.WriteString(c, request)
		if k, err := c.Read(answer); err != nil || !bytes.HasPrefix(answer[:k], []byte("HTTP/1.1 200 OK\r\n")) {
			t.Fatalf("connection %d: %q, %v", len(conns), answer[:k], err)
		}
	}
	after := f.memory(t)
	per := (after.heap + after.stacks - before.heap - before.stacks) / int64(n)
	t.Logf("%d idle connections: %d octets each of heap and stack, %d resident; %s, before %s", n, per, (after.resident-before.resident)/int64(n), after, before)
	if per > 8<<10 {
		t.Errorf("%d octets for each idle connection, want at most 8,192", per)
	}
	if err := f.probe("optimized.example"); err != nil {
		t.Error(err)
	}
}

// TLS costs more: its state, and what crypto/tls keeps of a handshake.
func TestBattery_MemoryOfIdleSecureConnections(t *testing.T) {
	f := newField(t, []string{"optimized"}, "--telemetry", "127.0.0.1:0")
	const host = "optimized.example"
	if err := f.ask(host, "/idle", "GET /idle "); err != nil {
		t.Fatal(err)
	}
	for _, f.manner = range []manner{overTLS, overHTTP2} {
		n := int64(fewer(t, 1000))
		before := f.memory(t)
		var idle []*viewer
		for range n {
			v, err := f.dial(host)
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, v)
			v.send("GET /idle HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
			if a, err := v.hear("GET"); err != nil || a.status != 200 {
				t.Fatal(a, err)
			}
		}
		after := f.memory(t)
		per := (after.heap + after.stacks - before.heap - before.stacks) / n
		t.Logf("%d idle connections of %s: %d octets each of heap and stack, %d resident; %s, before %s", n, f.manner, per, (after.resident-before.resident)/n, after, before)
		if per > 32<<10 {
			t.Errorf("%d octets for each idle connection of %s, want at most 32,768", per, f.manner)
		}
		for _, v := range idle {
			v.close()
		}
	}
}

func (m memory) String() string {
	return fmt.Sprintf("%.1f MiB resident, heap %.1f, stacks %.1f", mib(m.resident), mib(m.heap), mib(m.stacks))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// A thousand viewers that read one octet a second of a megabyte each.
func TestBattery_MemoryOfSlowReaders(t *testing.T) {
	f := newField(t, []string{"optimized"}, "--edges-https", "off", "--telemetry", "127.0.0.1:0")
	body := strings.Repeat("0123456789abcdef", 1<<16)
	f.origin.program([]rule{{"/big", func(q *recorded) string { return answerText(q, 200, []string{"Cache-Control: max-age=600"}, body) }}})
	if err := f.ask("optimized.example", "/big", body); err != nil {
		t.Fatal(err)
	}
	before, kernel := f.memory(t), inSockets()
	var slow []*viewer
	for range fewer(t, 1000) {
		slow = append(slow, stalls(t, f, "optimized.example", "/big"))
	}
	defer func() {
		for _, v := range slow {
			v.close()
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	one := make([]byte, 1)
	for range 3 {
		<-tick.C
		for _, v := range slow {
			if _, err := v.c.Read(one); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := f.memory(t)
	n := int64(len(slow))
	per := (after.heap + after.stacks - before.heap - before.stacks) / n
	t.Logf("%d slow readers: %d octets each of heap and stack, %d resident, %d in the kernel's sockets of both ends; %s, before %s",
		n, per, (after.resident-before.resident)/n, (inSockets()-kernel)/n, after, before)
	if per > 64<<10 {
		t.Errorf("%d octets for each slow reader of a megabyte, want at most 65,536", per)
	}
	if err := f.probe("optimized.example"); err != nil {
		t.Error(err)
	}
}

// Many objects, each asked for once: what is kept and what the process has is bounded.
func TestBattery_MemoryOfManyKeys(t *testing.T) {
	keys := int64(40000)
	if s := os.Getenv("BATTERY_KEYS"); s != "" {
		var err error
		if keys, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	const cacheSize = 32 << 20 // what startProcess gives
	f := newField(t, []string{"optimized"}, "--edges-https", "off", "--telemetry", "127.0.0.1:0")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 1024)
	many := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		io.WriteString(w, body)
	})}
	go many.Serve(l)
	defer many.Close()
	f.origins["many"] = &origin{l: l}
	err = f.create("many", map[string]string{"origin": "many", "policy": "optimized", "alias": "many.example"})
	delete(f.origins, "many")
	if err != nil {
		t.Fatal(err)
	}
	before := f.memory(t)
	var next, most atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			c, err := net.Dial("tcp", f.edge)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			br := bufio.NewReader(c)
			for {
				i := next.Add(1)
				if i > keys {
					return
				}
				if i%10000 == 0 {
					if r := resident(t, f.proc.cmd.Process.Pid); r > most.Load() {
						most.Store(r)
					}
				}
				fmt.Fprintf(c, "GET /key/%d HTTP/1.1\r\nHost: many.example\r\n\r\n", i)
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if n, err := io.Copy(io.Discard, resp.Body); resp.StatusCode != 200 || n != int64(len(body)) || err != nil {
					t.Errorf("key %d: %s, %d octets, %v", i, resp.Status, n, err)
					return
				}
			}
		})
	}
	all.Wait()
	after := f.memory(t)
	t.Logf("%d keys of 1 KiB, cache of %d MiB: %s at the end, at most %.1f MiB resident; before %s", keys, cacheSize>>20, after, mib(most.Load()), before)
	if grown := after.heap - before.heap; grown > 2*cacheSize {
		t.Errorf("the heap has grown by %.1f MiB for a cache of %d MiB", mib(grown), cacheSize>>20)
	}
	if grown := most.Load() - before.resident; grown > 6*cacheSize {
		t.Errorf("the process has grown by %.1f MiB for a cache of %d MiB", mib(grown), cacheSize>>20)
	}
	if err := f.probe("optimized.example"); err != nil {
		t.Error(err)
	}
}
