// Package warmfront holds no code: these tests check the repository itself. floors_test.go checks
// that imports point down the floors of ARCHITECTURE.md; house_test.go checks the house rules.
package warmfront

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/warmfront/warmfront"

// floors lists each package tree with its floor. A tree may import trees on lower floors and itself.
// The leaf floor is -1. Longest prefix wins.
var floors = map[string]int{
	"internal":        -1,
	"cloudfront/wire": -1,

	"invalidation": 0,
	"distribution": 0,
	"httpcache":    0,
	"auth/sigv4":   0,

	"httpserver":  1,
	"certificate": 1,
	"cache":       1,
	"origin":      1,
	"journal":     1,
	"auth":        1,
	"admission":   1,
	"tier":        1,
	"demosite":    1,

	"edge":    2,
	"control": 2,

	"cloudfront": 3,
	"console":    3,
	"ownapi":     3,
	"guarantee":  3,
	"telemetry":  3,
	"simulation": 3,

	"node": 4,
	"cmd":  5,
}

// outside are folders that are not part of the binary: they may import anything.
var outside = []string{"e2e", "bench", "tools"}

func TestFloors_ImportsPointDown(t *testing.T) {
	forEachGoFile(t, func(file, dir string) {
		tree, floor, ok := floorOf(dir)
		if !ok {
			if dir != "." && !isOutside(dir) {
				t.Errorf("%s: folder %s is on no floor: add it to floors_test.go and ARCHITECTURE.md", file, dir)
			}
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range parsed.Imports {
			target, _ := strconv.Unquote(imp.Path.Value)
			rel, in := strings.CutPrefix(target, module+"/")
			if !in {
				continue
			}
			to, toFloor, ok := floorOf(rel)
			if !ok {
				t.Errorf("%s imports %s, which is on no floor", file, rel)
				continue
			}
			// Tests may reach sideways and up for real implementations to test against.
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			if to != tree && toFloor >= floor && floor >= 0 {
				t.Errorf("%s imports %s: floor %d may import lower floors only, %s is on floor %d", file, rel, floor, to, toFloor)
			}
			if floor < 0 && toFloor >= 0 {
				t.Errorf("%s imports %s: a leaf imports leaves only", file, rel)
			}
		}
	})
}

func floorOf(dir string) (tree string, floor int, ok bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if f, found := floors[d]; found {
			return d, f, true
		}
	}
	return "", 0, false
}

func isOutside(dir string) bool {
	first, _, _ := strings.Cut(dir, "/")
	for _, o := range outside {
		if first == o {
			return true
		}
	}
	return false
}

func forEachGoFile(t *testing.T, visit func(file, dir string)) {
	t.Helper()
	n := 0
	walk(t, func(file string) {
		if strings.HasSuffix(file, ".go") {
			n++
			visit(file, filepath.ToSlash(filepath.Dir(file)))
		}
	})
	if n < 10 {
		t.Fatalf("found %d Go files only: the walk is broken", n)
	}
}

// walk visits the repository's own files, not what builds leave behind.
func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "bin", "build", "dist":
				return filepath.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
