package cloudfront

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/distribution"
)

var update = flag.Bool("update", false, "write the answers of this run into testdata/*.txt")

// The files in testdata are conversations: a request, "---", the answer, "===", the next request.
//
//	PUT /2020-05-31/distribution/{E1}/config       signed by the administrator
//	If-Match: {E2}
//	---
//	200
//	ETag: {E3}
//
//	<?xml version="1.0"?> …                        with line ends between elements
//
// A request has its body after an empty line. These fields are not sent:
//
//	As: viewer                                     another key of testKeys signs
//	Body: legacy.xml                               the body is that file of testdata
//	Replace: <Enabled>true => <Enabled>false       in the body
//	Show: Status Comment                           of the answer's body keep these elements only
//
// In place of a request, "join FRA50-1" makes an edge a member, "acknowledge FRA50-1" lets it say that
// it has applied all, and "wait 5m" lets time pass. Lines that begin with "# " are comments. Ids are
// random: each is written as {E1}, {I1}, {d1} or {uuid1} by its first appearance in the file.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	succeeded := map[string]bool{}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, d *door) {
				converse(t, d, file)
				for _, c := range d.calls {
					if c.Status < 300 {
						succeeded[c.Operation] = true
					}
				}
			})
		})
	}
	for name := range operations {
		if !succeeded[name] {
			t.Errorf("no conversation has a success of %s", name)
		}
	}
}

const (
	answerMark = "---"
	nextMark   = "==="
)

func converse(t *testing.T, d *door, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := newNames()
	var out []string
	for _, block := range strings.Split(string(text), "\n"+nextMark+"\n") {
		asked, want, _ := strings.Cut(strings.TrimRight(block, "\n")+"\n", "\n"+answerMark+"\n")
		asked = strings.TrimRight(asked, "\n")
		got, ok := ask(t, d, names, asked)
		if !ok { // nothing was asked
			out = append(out, asked)
			continue
		}
		out = append(out, asked+"\n"+answerMark+"\n"+got)
		if want = strings.TrimRight(want, "\n"); got != want && !*update {
			t.Errorf("%s\n--- got\n%s\n--- want\n%s", asked, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n"+nextMark+"\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends one request and renders the answer.
func ask(t *testing.T, d *door, names *names, asked string) (answer string, ok bool) {
	var lines []string
	for line := range strings.SplitSeq(asked, "\n") {
		if !strings.HasPrefix(line, "# ") {
			lines = append(lines, names.resolve(line))
		}
	}
	head, body, _ := strings.Cut(strings.Join(lines, "\n"), "\n\n")
	first, fields, _ := strings.Cut(head, "\n")
	method, target, _ := strings.Cut(first, " ")
	switch method {
	case "join":
		d.join(target)
		return "", false
	case "acknowledge":
		d.acknowledge(target)
		return "", false
	case "wait":
		pause, err := time.ParseDuration(target)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(pause)
		return "", false
	}
	header, as, show := http.Header{}, "administrator", ""
	for field := range strings.SplitSeq(fields, "\n") {
		name, value, _ := strings.Cut(field, ": ")
		switch name {
		case "":
		case "As":
			as = value
		case "Show":
			show = value
		case "Body":
			file, err := os.ReadFile("testdata/" + value)
			if err != nil {
				t.Fatal(err)
			}
			body = string(file)
		case "Replace":
			before, after, _ := strings.Cut(value, " => ")
			if !strings.Contains(body, before) {
				t.Fatalf("%s: the body has no %q", first, before)
			}
			body = strings.Replace(body, before, after, 1)
		default:
			header.Set(name, value)
		}
	}
	r := request(method, target, body)
	r.Header = header
	if as != "nobody" {
		sign(r, testKeys[as], body)
	}
	synctest.Wait() // what the last call set in motion has come to rest
	return names.hide(render(d.answer(r), show)), true
}

func render(w *httptest.ResponseRecorder, show string) string {
	lines := []string{fmt.Sprint(w.Code)}
	for name, values := range w.Result().Header {
		if name != "x-amzn-RequestId" && name != "Content-Length" { // other tests look at them
			lines = append(lines, name+": "+strings.Join(values, " | "))
		}
	}
	slices.Sort(lines[1:])
	if w.Body.Len() == 0 {
		return strings.Join(lines, "\n")
	}
	lines = append(lines, "")
	elements := strings.Split(strings.ReplaceAll(w.Body.String(), "><", ">\n<"), "\n")
	for i, e := range elements {
		name := strings.Trim(e[:strings.IndexAny(e, "> ")], "</")
		switch {
		case strings.HasPrefix(e, "<RequestId>"):
			lines = append(lines, "<RequestId>{request}</RequestId>")
		case e == "</"+name+">" && elements[i-1] == "<"+name+">": // an empty element stays in one line
			if show == "" || slices.Contains(strings.Fields(show), name) {
				lines[len(lines)-1] += e
			}
		case show == "" || slices.Contains(strings.Fields(show), name) || w.Code >= 300:
			lines = append(lines, e)
		}
	}
	return strings.Join(lines, "\n")
}

// names gives the random ids of a conversation names that stay.
type names struct {
	byID  map[string]string
	count map[string]int
	toID  []string        // pairs for strings.NewReplacer
	keep  map[string]bool // ids that are the same everywhere
}

func newNames() *names {
	n := &names{byID: map[string]string{}, count: map[string]int{}, keep: map[string]bool{}}
	n.keep["E2QWRUHAPOMQZL"] = true // what files use for an ETag of long ago
	for _, p := range distribution.ManagedCachePolicies() {
		n.keep[p.ID] = true
	}
	for _, p := range distribution.ManagedOriginRequestPolicies() {
		n.keep[p.ID] = true
	}
	return n
}

var randomID = regexp.MustCompile(`\b(?:[EI][A-Z0-9]{13}|d[a-z0-9]{13}|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\b`)

func (n *names) hide(text string) string {
	return randomID.ReplaceAllStringFunc(text, func(id string) string {
		if n.keep[id] || strings.Contains(id, "NOSUCH") {
			return id
		}
		if name, ok := n.byID[id]; ok {
			return name
		}
		kind := id[:1]
		if len(id) == 36 {
			kind = "uuid"
		}
		n.count[kind]++
		name := fmt.Sprintf("{%s%d}", kind, n.count[kind])
		n.byID[id] = name
		n.toID = append(n.toID, name, id)
		return name
	})
}

func (n *names) resolve(text string) string { return strings.NewReplacer(n.toID...).Replace(text) }
