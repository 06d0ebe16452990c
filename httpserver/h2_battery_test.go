package httpserver

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/warmfront/warmfront/internal/h1"
)

// battery2 is one case of testdata/battery2.txt.
type battery2 struct {
	name    string
	frames  []string
	allowed []string
}

func readBattery2(t *testing.T) (cases []battery2) {
	t.Helper()
	text, err := os.ReadFile("testdata/battery2.txt")
	if err != nil {
		t.Fatal(err)
	}
	long := func(s string) string {
		return repeated.ReplaceAllStringFunc(s, func(m string) string {
			g := repeated.FindStringSubmatch(m)
			n, _ := strconv.Atoi(g[2])
			return strings.Repeat(g[1], n)
		})
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		last := len(cases) - 1
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "  -> "):
			cases[last].frames = append(cases[last].frames, long(line[5:]))
		case strings.HasPrefix(line, "  <- "):
			cases[last].allowed = append(cases[last].allowed, long(line[5:]))
		default:
			cases = append(cases, battery2{name: line})
		}
	}
	return cases
}

// witness is a Handler that says what it has seen, and holds it against how HTTP/1.1 would read it.
type witness struct {
	t       *testing.T
	running sync.RWMutex // read-locked by every request
	mu      sync.Mutex
	seen    map[string][]string // complete requests, by the viewer's address: a handler may outlive its connection a little
}

func (o *witness) Serve(_ context.Context, w ResponseWriter, r *Request) {
	o.running.RLock()
	defer o.running.RUnlock()
	line := r.Method + " " + r.URI()
	host := strings.TrimSuffix(r.Host+":"+r.Port, ":")
	if host != "h" {
		line += " @" + host
	}
	body, err := io.ReadAll(r.Body)
	if len(body) > 0 {
		line += fmt.Sprintf(" %q", body)
	}
	if r.Path == "/cookie" {
		line += fmt.Sprint(" ", r.Fields.Values("Cookie"))
	}
	head := r.Method + " " + r.URI() + " HTTP/1.1\r\n"
	for _, f := range r.Fields {
		head += f.Name + ": " + f.Value + "\r\n"
	}
	head += "\r\n"
	var p parser
	if no := p.parse([]byte(head), 8192); no.status != 0 || h1.HeadEnd([]byte(head), 0) != len(head) || p.req.Host != r.Host || p.req.URI() != r.URI() {
		o.t.Errorf("%q would be read otherwise in HTTP/1.1", head)
	}
	o.mu.Lock()
	if err == nil {
		o.seen[r.Remote.String()] = append(o.seen[r.Remote.String()], line)
	}
	o.mu.Unlock()
	w.Begin(200, nil, int64(len(line)))
	io.WriteString(w, line)
}

var quoted = regexp.MustCompile(`\(\S+ \S+\)|"(?:[^"\\]|\\.)*"`)

// words are the quoted parts of a line; a pair in parentheses stands for four fields.
func words(t *testing.T, line string) (all []string) {
	t.Helper()
	for _, w := range quoted.FindAllString(line, -1) {
		if w[0] == '(' {
			method, path, _ := strings.Cut(w[1:len(w)-1], " ")
			all = append(all, ":method: "+method, ":scheme: http", ":authority: h", ":path: "+path)
			continue
		}
		s, err := strconv.Unquote(w)
		if err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		all = append(all, s)
	}
	return all
}

// say sends one line of a case.
func (c *h2client) say(t *testing.T, line string) {
	verb, rest, _ := strings.Cut(line, " ")
	if verb[0] >= '0' && verb[0] <= '9' {
		var pairs []string
		for _, f := range words(t, rest) {
			i := strings.Index(f[min(1, len(f)):], ": ") + min(1, len(f))
			if strings.HasPrefix(f, ": ") {
				i = 0
			}
			pairs = append(pairs, f[:i], f[i+2:])
		}
		id, end := streamOf(verb)
		if strings.HasSuffix(verb, "+") {
			c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, BlockFragment: c.block(pairs...)})
		} else {
			c.headers(id, end, pairs...)
		}
		return
	}
	at := strings.Fields(rest)
	id, end := streamOf(at[0])
	number := func(i int) uint32 {
		n, err := strconv.ParseUint(at[i], 10, 32)
		if err != nil {
			t.Fatal(line)
		}
		return uint32(n)
	}
	octets := func() []byte { return []byte(strings.Join(words(t, rest), "")) }
	switch verb {
	case "data":
		c.fr.WriteData(id, end, octets())
	case "cont":
		c.fr.WriteContinuation(id, end, octets())
	case "block":
		c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: octets()})
	case "reset":
		c.fr.WriteRSTStream(id, http2.ErrCode(number(1)))
	case "window":
		c.fr.WriteWindowUpdate(id, number(1))
	case "settings":
		c.fr.WriteSettings(http2.Setting{ID: http2.SettingID(number(0)), Val: number(1)})
	case "raw":
		c.fr.WriteRawFrame(http2.FrameType(number(0)), http2.Flags(number(1)), number(2), octets())
	default:
		t.Fatalf("no such frame: %s", line)
	}
}

func streamOf(s string) (id uint32, end bool) {
	n, _ := strconv.ParseUint(strings.TrimRight(s, "$+"), 10, 32)
	return uint32(n), strings.Contains(s, "$")
}

// outcome is what has come of a case, in the battery's words, once the connection has ended or all streams have.
func (c *h2client) outcome(t *testing.T, o *witness, streams []uint32) string {
	const next = 1<<31 - 3
	if !slices.Contains(streams, 1<<31-1) {
		c.get(next, "/next")
	}
	settled := func() bool {
		if c.closed || len(c.goaway) > 0 {
			return true
		}
		for _, id := range streams {
			if c.ends[id] == "" {
				return false
			}
		}
		return c.ends[next] != "" || slices.Contains(streams, 1<<31-1)
	}
	c.until("an outcome", settled)
	c.c.Close()
	c.over()
	o.running.Lock() // whoever was there has left
	defer o.running.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	answered := map[string]int{"GET /next": 1}
	for _, id := range streams {
		switch end := c.ends[id]; {
		case end == "end" && c.status[id] == "200":
			answered[string(c.bodies[id])]++
			parts = append(parts, fmt.Sprintf("%d 200 %s", id, c.bodies[id]))
		case end == "end":
			parts = append(parts, fmt.Sprintf("%d %s", id, c.status[id]))
		case end != "":
			parts = append(parts, fmt.Sprintf("%d %s", id, end))
		}
	}
	if len(c.goaway) > 0 {
		_, code, _ := strings.Cut(c.goaway[0], " ")
		parts = append(parts, "GOAWAY "+code)
	} else if next := c.status[next]; next != "200" && !slices.Contains(streams, 1<<31-1) {
		parts = append(parts, "and then "+next)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seen[c.c.LocalAddr().String()] {
		if answered[s]--; answered[s] < 0 && len(c.goaway) == 0 {
			parts = append(parts, "UNANSWERED "+s)
		}
		if strings.Contains(s, "admin") && !strings.HasPrefix(s, "POST ") {
			t.Errorf("the Handler got %s", s)
		}
	}
	return strings.Join(parts, "; ")
}

func TestH2Battery(t *testing.T) {
	cases := readBattery2(t)
	if len(cases) < 80 {
		t.Errorf("only %d cases", len(cases))
	}
	o := &witness{t: t, seen: map[string][]string{}}
	addr := h2server(t, &Server{Handler: o})
	for _, b := range cases {
		t.Run(b.name, func(t *testing.T) {
			c := viewer2(t, addr)
			var streams []uint32
			for _, line := range b.frames {
				c.say(t, line)
				if id, _ := streamOf(strings.Fields(strings.TrimPrefix(strings.TrimPrefix(line, "block "), "raw 1 37 "))[0]); id > 0 && !slices.Contains(streams, id) {
					streams = append(streams, id)
				}
			}
			if got := c.outcome(t, o, streams); !slices.Contains(b.allowed, got) {
				t.Errorf("%s\n  got  %s\n  want %s", strings.Join(b.frames, "\n"), got, strings.Join(b.allowed, "\n    or "))
			}
		})
	}
}
