// Command page makes docs/performance.md and its plots from docs/performance.json, the results of one run of
// the bench; and from docs/invalidation.json the figures in docs/invalidation.md and their plots. The same results give
// the same octets: a test compares what is committed.
//
// What was measured by other means (the index, the journal, the cache) stands as text in the template.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/warmfront/warmfront/bench/result"
)

func main() {
	docs := flag.String("docs", "docs", "folder of performance.json and invalidation.json, and of what is made of them")
	from := flag.String("results", "", "results of a bench that become performance.json, or invalidation.json, first")
	flag.Parse()
	if err := run(*docs, *from); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func run(docs, from string) error {
	source := filepath.Join(docs, "performance.json")
	if from != "" {
		r, err := result.Read(from)
		if err != nil {
			return err
		}
		to := source
		if r.Form == "invalidation" {
			to = filepath.Join(docs, "invalidation.json")
		}
		if err := r.Write(to); err != nil {
			return err
		}
	}
	files, err := render(docs)
	if err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(docs, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render returns the files by name.
func render(docs string) (map[string][]byte, error) {
	r, err := result.Read(filepath.Join(docs, "performance.json"))
	if err != nil {
		return nil, err
	}
	files := draw(plots, r)
	if files["performance.md"], err = page(text, r, files); err != nil {
		return nil, err
	}
	more, err := renderInvalidation(docs)
	maps.Copy(files, more)
	return files, err
}

// draw returns the pictures of what was measured, by name.
func draw(plots []plot, r *result.Results) map[string][]byte {
	files := map[string][]byte{}
	for _, p := range plots {
		if svg := p.draw(r); svg != nil {
			files[p.file] = svg
		}
	}
	return files
}
