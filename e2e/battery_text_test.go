package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// battle is one case of a file in testdata/battery; README.md there describes the language.
type battle struct {
	name   string
	file   string
	line   int
	plain  bool     // about HTTP without TLS
	frames bool     // about HTTP/2 alone
	old    bool     // about HTTP/1.1; so is what asks for the victim's objects, which HTTP/2 has connections of their own for
	on     []string // policy sets
	rules  []rule
	steps  []*move
}

// move is what one viewer sends and what must come of it.
type move struct {
	line    int
	again   bool     // on the connection of the move before
	send    string   // before {p}, {H} and {V} are replaced
	frames  bool     // send is "name: value | … || body ||| trailers" in frames of HTTP/2
	answers []string // one for each allowed outcome
	origin  []string // what comes to the origin, in order; nil: whatever it is; "none"
}

// readBattles reads a file of cases.
func readBattles(path string) (cases []*battle, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			cases = append(cases, &battle{name: line, file: path, line: i + 1, on: []string{"optimized"}})
			continue
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("%s:%d: before any case", path, i+1)
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := cases[len(cases)-1].add(i+1, verb, strings.TrimSpace(rest)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	return cases, nil
}

// inFrames tells whether HTTP/2 has words for all that the case's viewers send.
func (b *battle) inFrames() bool {
	for _, m := range b.steps {
		if m.frames {
			continue
		}
		if b.old || strings.Contains(m.send, "{V}") {
			return false
		}
		octets, err := expanded(strings.NewReplacer("{H}", `Host: h\r\n`, "{p}", "/p", "{d}", "/d").Replace(m.send))
		if _, ok := inFrames(octets); !ok || err != nil {
			return false
		}
	}
	return true
}

// add reads one line of a case.
func (b *battle) add(line int, verb, rest string) (err error) {
	last := func() (*move, error) {
		if len(b.steps) == 0 {
			return nil, fmt.Errorf("%q before anything is sent", verb)
		}
		return b.steps[len(b.steps)-1], nil
	}
	switch verb {
	case "on":
		b.on = strings.Fields(rest)
		for _, name := range b.on {
			if policySets[name] == nil {
				return fmt.Errorf("no policy set %q", name)
			}
		}
	case "old":
		b.old = true
	case "plain":
		b.plain = true
	case "origin":
		return b.program("", rest)
	case "when":
		text, answer, ok := strings.Cut(rest, " => ")
		if !ok {
			return fmt.Errorf("when TEXT => ANSWER")
		}
		if text, err = expanded(strings.Trim(text, `"`)); err != nil {
			return err
		}
		return b.program(text, answer)
	case "->", "=>":
		b.steps = append(b.steps, &move{line: line, again: verb == "=>", send: rest})
	case "~>":
		b.frames = true
		b.steps = append(b.steps, &move{line: line, send: rest, frames: true})
	case "<-":
		m, err := last()
		if err != nil {
			return err
		}
		m.answers = append(m.answers, rest)
	case ">>":
		m, err := last()
		if err != nil {
			return err
		}
		m.origin = append(m.origin, rest)
	case "unkeyed":
		b.unkeyed(line, rest)
	case "other":
		b.other(line, rest)
	case "refused":
		status, send, _ := strings.Cut(rest, " ")
		b.steps = append(b.steps, &move{line: line, send: send, answers: []string{status + " error"}, origin: []string{"none"}})
	default:
		return fmt.Errorf("no verb %q", verb)
	}
	return nil
}

// unkeyed: a viewer sends a field; it goes nowhere, and the next viewer gets the same object.
func (b *battle) unkeyed(line int, field string) {
	b.steps = append(b.steps,
		&move{line: line, send: `GET {p} HTTP/1.1\r\n{H}` + field + `\r\n\r\n`,
			answers: []string{"200 miss !evil !EVIL"}, origin: []string{`"GET {p} HTTP/1.1" !evil !EVIL`}},
		&move{line: line, send: `GET {p} HTTP/1.1\r\n{H}\r\n`, answers: []string{"200 hit !evil !EVIL"}, origin: []string{"none"}})
}

// other: a target that some program takes for {p} is an object of its own, told to the origin as it is, and
// neither is ever given for the other.
func (b *battle) other(line int, target string) {
	is := func(target, result string) *move {
		m := &move{line: line, send: `GET ` + target + ` HTTP/1.1\r\n{H}\r\n`, answers: []string{`200 ` + result + ` ~"GET ` + target + ` HTTP/1.1"`}, origin: []string{"none"}}
		if result == "miss" {
			m.origin = []string{`"GET ` + target + ` HTTP/1.1"`}
		}
		return m
	}
	b.steps = append(b.steps, is(target, "miss"), is("{p}", "miss"), is(target, "hit"), is("{p}", "hit"))
}

// program adds an answer "STATUS | Name: value | ... | body" of the origin.
func (b *battle) program(contains, text string) error {
	if text == "reflect" {
		b.rules = append(b.rules, rule{contains, func(q *recorded) string {
			return answerText(q, 200, []string{"Cache-Control: max-age=86400"}, q.octets+q.body)
		}})
		return nil
	}
	parts := strings.Split(text, " | ")
	status, err := strconv.Atoi(parts[0])
	if err != nil {
		return err
	}
	var fields []string
	body := ""
	for _, p := range parts[1:] {
		if p, err = expanded(p); err != nil {
			return err
		}
		if strings.Contains(p, ": ") {
			fields = append(fields, p)
		} else {
			body = p
		}
	}
	b.rules = append(b.rules, rule{contains, func(q *recorded) string {
		return answerText(q, status, fields, strings.ReplaceAll(body, "{line}", q.line))
	}})
	return nil
}

var wordOf = regexp.MustCompile(`([!~=+-]?)("(?:[^"\\]|\\.)*"|[^\s"]\S*)`)

// apart splits at "; " outside quotes.
func apart(s string) (parts []string) {
	quoted := false
	from := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(s[i:], "; "):
			parts, from = append(parts, s[from:i]), i+2
		}
	}
	return append(parts, s[from:])
}

// word is one thing that is asked of an answer or a request: a sign and a text.
type word struct{ sign, text string }

// words takes "200 miss !evil ~\"two words\" +Age" apart.
func words(s string) (all []word, err error) {
	for _, m := range wordOf.FindAllStringSubmatch(s, -1) {
		w := word{m[1], m[2]}
		if strings.HasPrefix(w.text, `"`) {
			if w.text, err = expanded(w.text[1 : len(w.text)-1]); err != nil {
				return nil, err
			}
		}
		all = append(all, w)
	}
	return all, nil
}
