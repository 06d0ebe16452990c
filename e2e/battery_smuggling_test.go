package e2e

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The cases of httpserver/testdata/battery.txt, sent to the real binary by way of a distribution that
// caches nothing and forwards everything: the setting in which an origin sees most. That file says what
// the engine makes of each; what the edge behind it makes of that, and the origin may see, follows.

type smuggling struct {
	name, send string
	allowed    []string
}

// readSmuggling reads the file with names that a distribution can have: "h" and "o" are single labels.
func readSmuggling(t *testing.T) (cases []smuggling) {
	t.Helper()
	text, err := os.ReadFile("../httpserver/testdata/battery.txt")
	if err != nil {
		t.Fatal(err)
	}
	const next = `GET /next HTTP/1.1\r\nHost: h\r\n\r\n`
	names := strings.NewReplacer("{H}", `Host: h\r\n`, "{T}", `Transfer-Encoding: chunked\r\n`, "{next}", next)
	for i, line := range strings.Split(string(text), "\n") {
		last := len(cases) - 1
		switch s, sending := strings.CutPrefix(line, "  ->"); {
		case line == "" || line[0] == '#':
		case sending:
			if cases[last].send, err = expanded(fullNames(names.Replace(strings.TrimPrefix(s, " ")))); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		case strings.HasPrefix(line, "  <-"):
			cases[last].allowed = append(cases[last].allowed, fullNames(strings.TrimSpace(line[4:])))
		default:
			cases = append(cases, smuggling{name: line})
		}
	}
	return cases
}

var shortName = regexp.MustCompile(`(?i)(Host: |@|http://|https://)([ho])(\.?(?::\d*)?(?:[/?; ]|\\r|$))`)

func fullNames(s string) string {
	// A request that is the body of another has grown too.
	s = strings.Replace(s, `Content-Length: 35\r\n`, `Content-Length: 43\r\n`, 1)
	return shortName.ReplaceAllString(s, "${1}${2}.example${3}")
}

// expectation is one answer of the edge and the request that the origin has seen for it.
type expectation struct {
	statuses []int
	line     string // "": it sees nothing
	host     string
	body     string
	broken   bool // the request breaks off: the origin must not get to its end
}

var seenWord = regexp.MustCompile(`^(\d+)(?: (\S+) (.+?)(?: @(\S*))?(?: (".*"))?( !)?)?$`)

// expect tells what the edge makes of what the engine makes of a request.
func expect(t *testing.T, word string) expectation {
	t.Helper()
	m := seenWord.FindStringSubmatch(word)
	if m == nil {
		t.Fatalf("outcome %q", word)
	}
	method, target, host, hasHost, body, broken := m[2], m[3], m[4], strings.Contains(word, " @"), m[5], m[6] != ""
	if !hasHost {
		host = "h.example"
	}
	name, _, _ := strings.Cut(host, ":")
	switch {
	case method == "":
		return expectation{statuses: []int{status(m[1])}}
	case !strings.HasSuffix(strings.TrimSuffix(name, "."), ".example"):
		return expectation{statuses: []int{403}} // no distribution's
	case !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method):
		return expectation{statuses: []int{403}}
	case (method == "GET" || method == "HEAD") && (body != "" || broken):
		return expectation{statuses: []int{403}} // a fat GET
	case target == "*":
		return expectation{statuses: []int{400}}
	}
	e := expectation{statuses: []int{200}, line: method + " " + target + " HTTP/1.1", host: host, broken: broken}
	if body != "" {
		var err error
		if e.body, err = expanded(body[1 : len(body)-1]); err != nil {
			t.Fatal(err)
		}
	}
	if broken && m[1] == "400" {
		e.statuses = []int{400}
	} else if broken {
		e.statuses = nil // the viewer has gone: no answer
	}
	return e
}

func status(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

// edgesOwn are the cases that the edge refuses, or answers in another way than a handler that knows nothing.
var edgesOwn = map[string]string{
	"connection: another Expect is the handler's": "417; 200 GET /next",
}

func TestBattery_Smuggling(t *testing.T) {
	cases := readSmuggling(t)
	if len(cases) < 400 {
		t.Errorf("only %d cases", len(cases))
	}
	f := newField(t, nil)
	options := map[string]string{"alias": "*.example"}
	for k, v := range policySets["disabled"] {
		options[k] = v
	}
	f.distribute(t, "disabled", f.origin, options)
	for _, manner := range []manner{overTCP, overTLS} {
		f.manner = manner
		t.Run(string(manner), func(t *testing.T) { f.smuggleAll(t, cases) })
	}
	f.sound(t)
}

func (f *field) smuggleAll(t *testing.T, cases []smuggling) {
	reached := 0
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if own := edgesOwn[c.name]; own != "" {
				c.allowed = []string{own}
			}
			for _, step := range []int{1 << 20, 7} {
				seen, err := f.smuggle(t, c, step)
				if err != nil {
					f.origin.take() // what came is not the next case's
					t.Errorf("%.500q in pieces of %d: %v", c.send, step, err)
				}
				reached += len(seen)
			}
		})
	}
	if reached < 100 {
		t.Errorf("only %d requests came to the origin: this has tested little", reached)
	}
	t.Logf("%d cases, %d requests came to the origin", len(cases), reached)
}

// smuggle has one conversation and looks at it from all sides.
func (f *field) smuggle(t *testing.T, c smuggling, step int) ([]*recorded, error) {
	t.Helper()
	v, err := f.dial("h.example")
	if err != nil {
		return nil, err
	}
	defer v.close()
	v.send(c.send, step)
	statuses, err := v.converse(c)
	if err != nil {
		return nil, err
	}
	seen, err := f.came()
	if err != nil {
		return seen, err
	}
	var first error
	for _, outcome := range c.allowed {
		err := compare(t, outcome, statuses, seen)
		if err == nil {
			first = nil
			break
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return seen, first
	}
	if err := f.probe("probe.example"); err != nil {
		return seen, err
	}
	after, err := f.came()
	if err == nil && len(after) != 1 {
		err = fmt.Errorf("the origin got %d requests for one probe: %.300q", len(after), after[0].octets)
	}
	if err == nil {
		err = f.robbed()
	}
	return seen, err
}

// converse reads as many answers as any outcome has, then ends the viewer's side. Where an outcome needs a
// viewer that breaks off, its side is ended at once.
func (v *viewer) converse(c smuggling) (statuses []int, err error) {
	most := 0
	for _, o := range c.allowed {
		if strings.HasSuffix(o, "!") && !strings.HasPrefix(o, "4") {
			v.c.CloseWrite()
		}
		most = max(most, strings.Count(o, ";")+1)
		if o == "" {
			most = 0
		}
	}
	continued := 0
	for len(statuses) < most {
		a, err := v.hear(methodOf(c.send, len(statuses)-continued))
		if err == io.EOF {
			return statuses, nil
		}
		if err != nil {
			return statuses, fmt.Errorf("after the answers %v: %w", statuses, err)
		}
		if a.status == 100 {
			continued++
		}
		statuses = append(statuses, a.status)
	}
	rest, err := v.rest()
	if rest != "" {
		err = fmt.Errorf("after the answers %v comes %.300q", statuses, rest)
	}
	return statuses, err
}

// compare tells what is against an outcome.
func compare(t *testing.T, outcome string, statuses []int, seen []*recorded) error {
	t.Helper()
	var words []string
	if outcome != "" {
		words = strings.Split(outcome, "; ")
	}
	for i, word := range words {
		e := expect(t, word)
		if len(e.statuses) > 0 {
			if len(statuses) == 0 {
				// A body that nobody read ends its connection.
				if i > 0 && expect(t, words[i-1]).line == "" && len(seen) == 0 {
					return nil
				}
				return fmt.Errorf("no answer %d; want %s", i+1, outcome)
			}
			if statuses[0] != e.statuses[0] {
				return fmt.Errorf("answer %d is %d; want %v for %s", i+1, statuses[0], e.statuses, outcome)
			}
			statuses = statuses[1:]
		}
		if e.line == "" {
			continue
		}
		if e.broken {
			continue // half a request is nothing; a whole one would be one too many
		}
		if len(seen) == 0 {
			return fmt.Errorf("the origin has not got %s", e.line)
		}
		if err := e.reached(seen[0]); err != nil {
			return err
		}
		seen = seen[1:]
	}
	if len(statuses) > 0 || len(seen) > 0 {
		return fmt.Errorf("more than %s: answers %v, requests to the origin %d", outcome, statuses, len(seen))
	}
	return nil
}

// reached compares what the origin got.
func (e *expectation) reached(q *recorded) error {
	switch {
	case q.line != e.line:
		return fmt.Errorf("the origin got %.300q, not %q", q.line, e.line)
	case q.values("Host")[0] != e.host:
		return fmt.Errorf("the origin got Host %q, not %q", q.values("Host"), e.host)
	case q.body != e.body:
		return fmt.Errorf("the origin got the body %.100q, not %.100q", q.body, e.body)
	}
	return nil
}
