package warmfront

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestHouse_EveryPackageSaysWhatItKnows(t *testing.T) {
	type pkg struct{ documented, code bool }
	seen := map[string]*pkg{}
	forEachGoFile(t, func(file, dir string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if seen[dir] == nil {
			seen[dir] = &pkg{}
		}
		seen[dir].code = true
		if f.Doc != nil && len(f.Doc.Text()) > 40 {
			seen[dir].documented = true
		}
	})
	for dir, p := range seen {
		if p.code && !p.documented {
			t.Errorf("package in %s has no package comment that says what it knows", dir)
		}
	}
}

// What docs/operate.md says of faults is shown by tests that there are.
func TestHouse_FaultsAreShownByTestsThatThereAre(t *testing.T) {
	doc, err := os.ReadFile("docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	walk(t, func(file string) {
		if strings.HasSuffix(file, ".txtar") {
			there[path.Base(file)] = true
		}
		if !strings.HasSuffix(file, "_test.go") {
			return
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllSubmatch(b, -1) {
			there[string(m[1])] = true
		}
	})
	named := regexp.MustCompile("`(Test\\w+|\\w+\\.txtar)`").FindAllSubmatch(doc, -1)
	if len(named) < 30 {
		t.Errorf("it names %d tests", len(named))
	}
	for _, m := range named {
		if !there[string(m[1])] {
			t.Errorf("docs/operate.md names %s, which there is not", m[1])
		}
	}
}

// A test that sleeps is a bug: it is slow when it passes and flaky when it fails.
func TestHouse_NoSleepingTests(t *testing.T) {
	forEachGoFile(t, func(file, dir string) {
		if !strings.HasSuffix(file, "_test.go") {
			return
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Inside testing/synctest time is virtual and a sleep is exact.
		for _, imp := range f.Imports {
			if imp.Path.Value == `"testing/synctest"` {
				return
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s sleeps", fset.Position(s.Pos()))
				}
			}
			return true
		})
	})
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestHouse_NothingIsLeftForLater(t *testing.T) {
	walk(t, func(file string) {
		switch path.Ext(file) {
		case ".go", ".ts", ".tsx", ".mjs", ".sh", ".md":
		default:
			return
		}
		if file == "house_test.go" || strings.HasSuffix(file, ".gen.go") {
			return
		}
		for i, line := range strings.Split(read(t, file), "\n") {
			if unfinished.MatchString(line) {
				t.Errorf("%s:%d: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	})
}

// Every direct dependency of every module has its line of reason.
func TestHouse_DependenciesHaveReasons(t *testing.T) {
	reasons := read(t, "docs/dependencies.md")
	walk(t, func(file string) {
		if path.Base(file) != "go.mod" {
			return
		}
		for _, line := range strings.Split(read(t, file), "\n") {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "require "))
			name, rest, ok := strings.Cut(line, " ")
			if !ok || !strings.Contains(name, ".") || !strings.HasPrefix(rest, "v") || strings.Contains(line, "// indirect") {
				continue
			}
			if !strings.Contains(reasons, "`"+name+"`") {
				t.Errorf("%s needs %s, which has no line in docs/dependencies.md", file, name)
			}
		}
	})
}

var mdLink = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)

// The file is there, and so is the heading.
func TestHouse_LinksInDocumentsResolve(t *testing.T) {
	n := 0
	walk(t, func(file string) {
		if path.Ext(file) != ".md" {
			return
		}
		for _, m := range mdLink.FindAllStringSubmatch(withoutCode(read(t, file)), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			to := file
			if m[1] != "" {
				to = path.Join(path.Dir(file), m[1])
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if m[2] != "" && !slices.Contains(headings(read(t, to)), m[2]) {
				t.Errorf("%s links to %s%s: %s has no such heading", file, m[1], m[2], to)
			}
			n++
		}
	})
	if n < 100 {
		t.Errorf("only %d links were found", n)
	}
}

func TestHouse_Headings(t *testing.T) {
	got := headings("# A `b`: c, [d](e.md)\n\n```sh\n# no heading\n```\n## X-Cache (1)\n## X-Cache (1)\n")
	if want := []string{"#a-b-c-d", "#x-cache-1", "#x-cache-1-1"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

var fenced = regexp.MustCompile("(?ms)^```.*?^```$")

func withoutCode(markdown string) string { return fenced.ReplaceAllString(markdown, "") }

var (
	mdHeading = regexp.MustCompile(`(?m)^#+ +(.+?)\s*$`)
	mdAddress = regexp.MustCompile(`\]\([^)]*\)`)
	inAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// headings are the anchors of a document's headings, as GitHub makes them.
func headings(markdown string) []string {
	var all []string
	seen := map[string]int{}
	for _, m := range mdHeading.FindAllStringSubmatch(withoutCode(markdown), -1) {
		a := strings.ToLower(mdAddress.ReplaceAllString(m[1], "]"))
		a = "#" + strings.ReplaceAll(inAnchor.ReplaceAllString(a, ""), " ", "-")
		if seen[a]++; seen[a] > 1 {
			a += "-" + strconv.Itoa(seen[a]-1)
		}
		all = append(all, a)
	}
	return all
}

// A proof that names the test that would fail is worth something as long as that test is there.
func TestHouse_TestsThatDocumentsNameExist(t *testing.T) {
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	there := map[string]bool{}
	forEachGoFile(t, func(file, dir string) {
		if strings.HasSuffix(file, "_test.go") {
			for _, m := range function.FindAllStringSubmatch(read(t, file), -1) {
				there[m[1]] = true
			}
		}
	})
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".md") {
			return
		}
		for _, m := range named.FindAllStringSubmatch(read(t, file), -1) {
			if !there[m[1]] {
				t.Errorf("%s names %s, which no file has", file, m[1])
			}
		}
	})
}

// A mistake that can be planted is made somewhere: one that is not would be looked for in hundreds of thousands of answers, in vain.
func TestHouse_MistakesAreMade(t *testing.T) {
	listed, made := regexp.MustCompile(`(?m)^\t(\w+) +mistake(?:\.Name)? = "([a-z-]+)"`), regexp.MustCompile(`\b(?:planted|mistake\.Made)\((\w+)\)`)
	type name struct{ dir, word string }
	value, is, asked := map[name]string{}, map[string]bool{}, map[name]bool{}
	forEachGoFile(t, func(file, dir string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		code := read(t, file)
		if strings.Contains(code, `"github.com/warmfront/warmfront/internal/mistake"`) {
			for _, m := range listed.FindAllStringSubmatch(code, -1) {
				value[name{dir, m[1]}] = m[2]
			}
		}
		for _, m := range made.FindAllStringSubmatch(code, -1) {
			asked[name{dir, m[1]}] = true
		}
	})
	for n := range asked {
		is[value[n]] = true
	}
	if len(value) < 40 {
		t.Errorf("only %d are listed", len(value))
	}
	for n, m := range value {
		if !is[m] {
			t.Errorf("%s lists %s, and nothing makes it", n.dir, m)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
