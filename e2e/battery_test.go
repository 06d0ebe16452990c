package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Cache poisoning, cache deception, path and header confusion: the files of testdata/battery, each case
// fought on default policies against the real binary.
func TestBattery_Poisoning(t *testing.T) {
	cases := readAllBattles(t)
	f := newField(t, allSets())
	for _, m := range []struct {
		manner manner
		least  int
	}{{overTCP, 500}, {overTLS, 500}, {overHTTP2, 300}} {
		f.manner = m.manner
		t.Run(string(m.manner), func(t *testing.T) { f.war(t, cases, m.least) })
	}
	f.sound(t)
}

func readAllBattles(t *testing.T) (all []*battle) {
	t.Helper()
	files, err := filepath.Glob("testdata/battery/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		cases, err := readBattles(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
	}
	return all
}

func allSets() []string { return slices.Sorted(maps.Keys(policySets)) }

// war plays all cases, each on paths of its own.
func (f *field) war(t *testing.T, cases []*battle, least int) {
	fought := 0
	for _, b := range cases {
		for _, set := range b.on {
			if f.manner != overTCP && (set == "https" || b.plain || f.manner == overTLS && b.frames) || f.manner == overTCP && b.frames || f.manner == overHTTP2 && !b.inFrames() {
				continue
			}
			fought++
			f.fought++
			t.Run(b.name+"/"+set, func(t *testing.T) {
				if err := f.fight(b, set, fmt.Sprintf("/%d/a", f.fought)); err != nil {
					f.origin.take()
					t.Errorf("%s:%d: %v", b.file, b.line, err)
				}
			})
		}
	}
	if fought < least {
		t.Errorf("only %d cases", fought)
	}
	t.Logf("%d cases", fought)
}

// fight plays a case on a policy set; path is its own.
func (f *field) fight(b *battle, set, path string) error {
	f.origin.program(b.rules)
	host := set + ".example"
	fill := strings.NewReplacer("{p}", path, "{d}", strings.TrimSuffix(path, "/a"), "{h}", host, "{s}", "https://"+host+f.secure[strings.LastIndexByte(f.secure, ':'):], "{H}", `Host: `+host+`\r\n`, "{V}", `Host: victim.example\r\n`)
	var v *viewer
	defer func() {
		if v != nil {
			v.close()
		}
	}()
	for i, m := range b.steps {
		if !m.again {
			if v != nil {
				v.close()
			}
			var err error
			if v, err = f.dial(host); err != nil {
				return err
			}
		}
		goesOn := i+1 < len(b.steps) && b.steps[i+1].again
		if err := f.play(v, m, fill); err != nil {
			return fmt.Errorf("line %d: %w", m.line, err)
		}
		if !goesOn && set != "https" {
			if err := f.after(v, host); err != nil {
				return fmt.Errorf("line %d: %w", m.line, err)
			}
		}
	}
	f.origin.program(nil)
	if err := f.probe(host); err != nil && set != "https" {
		return err
	}
	if _, err := f.came(); err != nil {
		return err
	}
	return f.robbed()
}

// play makes one move and looks at both sides.
func (f *field) play(v *viewer, m *move, fill *strings.Replacer) error {
	octets := fill.Replace(m.send)
	if m.frames {
		if err := v.h2.say(octets); err != nil {
			return err
		}
	} else {
		var err error
		if octets, err = expanded(octets); err != nil {
			return err
		}
		v.send(octets, 1<<20)
	}
	var outcomes [][]string
	most := 0
	for _, o := range m.answers {
		all := apart(fill.Replace(o))
		outcomes, most = append(outcomes, all), max(most, len(all))
	}
	heard, err := v.answers(octets, most)
	if err != nil {
		return err
	}
	var against []error
	for _, o := range outcomes {
		err := fits(o, heard)
		if err == nil {
			against = nil
			break
		}
		against = append(against, err)
	}
	if len(against) > 0 {
		return errors.Join(against...)
	}
	return f.told(m.origin, fill)
}

// answers reads up to n answers.
func (v *viewer) answers(octets string, n int) (all []*heard, err error) {
	for len(all) < n {
		a, err := v.hear(methodOf(octets, len(all)))
		if err == io.EOF {
			break
		}
		if err != nil {
			return all, err
		}
		all = append(all, a)
		if v.closes = a.cut || a.closes; v.closes {
			break
		}
	}
	return all, nil
}

// after is the connection's next request, which must get its own answer, and then nothing else. An answer
// that says that it is the last one must be.
func (f *field) after(v *viewer, host string) error {
	if v.closes && v.h2 == nil {
		if rest, err := io.ReadAll(v.br); len(rest) > 0 || err != nil && !isReset(err) {
			return fmt.Errorf("after the last answer comes %.300q %v", rest, err)
		}
	} else {
		f.probes++
		target := fmt.Sprintf("/after/%d", f.probes)
		v.send("GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n", 1<<20)
		a, err := v.hear("GET")
		if err != nil {
			return fmt.Errorf("the connection's next request: %w", err)
		}
		if a.status != 200 || !strings.HasPrefix(a.body, "GET "+target+" HTTP/1.1\r\n") {
			return fmt.Errorf("the connection's next request gets %.300q", a.text)
		}
	}
	rest, err := v.rest()
	if rest != "" {
		err = fmt.Errorf("after all answers comes %.300q", rest)
	}
	return err
}

// fits tells what is against an outcome.
func fits(outcome []string, all []*heard) error {
	if len(all) != len(outcome) {
		return fmt.Errorf("%d answers, not %d", len(all), len(outcome))
	}
	for i, o := range outcome {
		want, err := words(o)
		if err != nil {
			return err
		}
		for _, w := range want {
			if !all[i].has(w) {
				return fmt.Errorf("answer %d is not %q of %q: %.1500q", i+1, w.sign+w.text, o, all[i].text)
			}
		}
	}
	return nil
}

var ownID = regexp.MustCompile(`(?i)(x-amz-cf-id: )[0-9A-Za-z_-]{54}==`)

// unnumbered is s without the random ids of edges, in which any short word turns up sooner or later.
func unnumbered(s string) string { return ownID.ReplaceAllString(s, "$1") }

// lower is s with small letters, for HTTP/2 has no others in names. Other octets stay as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] |= 0x20
		}
	}
	return string(b)
}

func (a *heard) has(w word) bool {
	switch n, err := strconv.Atoi(w.text); {
	case w.sign == "!":
		return !strings.Contains(unnumbered(a.text), w.text)
	case w.sign == "~":
		return strings.Contains(lower(a.text), lower(w.text))
	case w.sign == "=":
		return a.body == w.text
	case w.sign == "+":
		return a.header[http.CanonicalHeaderKey(w.text)] != nil
	case w.sign == "-":
		return a.header[http.CanonicalHeaderKey(w.text)] == nil
	case err == nil:
		return a.status == n
	case w.text == "cut":
		return a.cut
	case w.text == "capacity":
		return a.header.Get("X-Cache") == "CapacityExceeded from cloudfront"
	}
	return results[w.text] != "" && a.header.Get("X-Cache") == results[w.text] && len(a.header["X-Cache"]) == 1
}

// told compares what has come to the origin with what may.
func (f *field) told(want []string, fill *strings.Replacer) error {
	seen, err := f.came()
	if err != nil || len(want) == 0 {
		return err
	}
	seen = slices.DeleteFunc(seen, func(q *recorded) bool { return isProbe(q) })
	if want[0] == "none" {
		want = nil
	}
	if len(seen) != len(want) {
		text := ""
		for _, q := range seen {
			text += q.octets + q.body
		}
		return fmt.Errorf("the origin got %d requests, not %d: %.1500q", len(seen), len(want), text)
	}
	for i, q := range seen {
		all, err := words(fill.Replace(want[i]))
		if err != nil {
			return err
		}
		for _, w := range all {
			text := q.octets + q.body
			ok := strings.HasPrefix(lower(text), lower(w.text))
			switch w.sign {
			case "!":
				ok = !strings.Contains(unnumbered(text), w.text)
			case "~":
				ok = strings.Contains(lower(text), lower(w.text)) // HTTP/2 has no upper case in names
			case "-":
				ok = len(q.values(w.text)) == 0
			case "+":
				ok = len(q.values(w.text)) == 1
			case "=":
				ok = q.body == w.text
			}
			if !ok {
				return fmt.Errorf("the origin got what is not %q: %.1500q", w.sign+w.text, text)
			}
		}
	}
	return nil
}
