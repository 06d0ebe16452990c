package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/internal/h1"
)

// battery is one case of testdata/battery.txt.
type battery struct {
	name, send string
	allowed    []string
}

var repeated = regexp.MustCompile(`(?s)\{([^{}]+)\*(\d+)\}`)

func readBattery(t *testing.T) (cases []battery) {
	t.Helper()
	text, err := os.ReadFile("testdata/battery.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		last := len(cases) - 1
		switch s, sending := strings.CutPrefix(line, "  ->"); {
		case line == "" || line[0] == '#':
		case sending:
			if s, err = strconv.Unquote(`"` + strings.TrimPrefix(s, " ") + `"`); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			s = repeated.ReplaceAllStringFunc(s, func(m string) string {
				g := repeated.FindStringSubmatch(m)
				n, _ := strconv.Atoi(g[2])
				return strings.Repeat(g[1], n)
			})
			cases[last].send = strings.NewReplacer("{H}", "Host: h\r\n", "{T}", "Transfer-Encoding: chunked\r\n", "{next}", "GET /next HTTP/1.1\r\nHost: h\r\n\r\n").Replace(s)
		case strings.HasPrefix(line, "  <-"):
			cases[last].allowed = append(cases[last].allowed, strings.TrimSpace(line[4:]))
		default:
			cases = append(cases, battery{name: line})
		}
	}
	return cases
}

// recorder is a Handler that writes down what it sees, and reads every body.
type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (rec *recorder) Serve(_ context.Context, w ResponseWriter, r *Request) {
	line := r.Method + " " + r.URI()
	host := r.Host
	if r.Port != "" {
		host += ":" + r.Port
	}
	if host != "h" {
		line += " @" + host
	}
	// Whoever reads the Host line instead of the parsed host must come to the same.
	if h, _, _ := h1.SplitHost(r.Fields.Get("Host")); h != r.Host {
		line += " BUT Host: " + r.Fields.Get("Host")
	}
	body, err := io.ReadAll(r.Body)
	if len(body) > 0 {
		line += fmt.Sprintf(" %q", body)
	}
	if err != nil {
		line += " !"
	}
	rec.mu.Lock()
	rec.seen = append(rec.seen, line)
	rec.mu.Unlock()
	w.Begin(200, nil, 2)
	io.WriteString(w, "ok")
}

// outcome puts answers and what was seen together, in the battery's words.
func (rec *recorder) outcome(t *testing.T, answers []*http.Response) string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var words []string
	for _, a := range answers {
		word := strconv.Itoa(a.StatusCode)
		// Only a request that has come to the handler gets 200; a malformed body turns that into 400.
		if len(rec.seen) > 0 && (a.StatusCode == 200 || a.StatusCode == 400 && strings.HasSuffix(rec.seen[0], "!")) {
			word, rec.seen = word+" "+rec.seen[0], rec.seen[1:]
		}
		if a.StatusCode >= 400 && !a.Close {
			t.Errorf("%d does not close the connection", a.StatusCode)
		}
		words = append(words, word)
	}
	for _, s := range rec.seen {
		words = append(words, "UNANSWERED "+s)
	}
	rec.seen = nil
	return strings.Join(words, "; ")
}

var requestMethod = regexp.MustCompile(`(?m)^HEAD /`)

// converse sends step octets at a time, closes its side, and parses everything that comes back.
func converse(t *testing.T, c net.Conn, send string, step int) (answers []*http.Response) {
	t.Helper()
	defer c.Close()
	go func() {
		for rest := send; len(rest) > 0; {
			n := min(step, len(rest))
			if _, err := io.WriteString(c, rest[:n]); err != nil {
				break // refused early
			}
			rest = rest[n:]
		}
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	all, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%v after %q", err, all)
	}
	br := bufio.NewReader(strings.NewReader(string(all)))
	for {
		method := "GET"
		if requestMethod.MatchString(send) && len(answers) == headAt(send) {
			method = "HEAD"
		}
		a, err := http.ReadResponse(br, &http.Request{Method: method})
		if err == io.EOF || err == io.ErrUnexpectedEOF && br.Buffered() == 0 {
			return answers
		}
		if err != nil {
			t.Fatalf("%v in %q", err, all)
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			t.Errorf("%v in %q", err, all)
		}
		answers = append(answers, a)
	}
}

// headAt is the number of the request that is a HEAD.
func headAt(send string) int {
	before, _, _ := strings.Cut(send, "HEAD /")
	return strings.Count(before, " HTTP/1.1\r\n")
}

// What is sent in one piece and what comes octet by octet must be read the same.
func TestBattery(t *testing.T) {
	cases := readBattery(t)
	if len(cases) < 200 {
		t.Errorf("only %d cases", len(cases))
	}
	rec := &recorder{}
	addr, _ := start(t, &Server{Handler: rec})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1 << 20, 1, 7} {
				if step == 1 && len(c.send) > 4096 {
					continue
				}
				got := rec.outcome(t, converse(t, dial(t, addr), c.send, step))
				if !slices.Contains(c.allowed, got) {
					t.Errorf("%q\n  in pieces of %d\n  got  %s\n  want %s", c.send, step, got, strings.Join(c.allowed, "\n    or "))
				}
			}
		})
	}
}
