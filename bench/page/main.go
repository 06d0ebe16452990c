// Command page makes docs/performance.md and its plots from docs/performance.json, the results of one run of
// the bench. The same results give the same octets: a test compares what is committed.
//
// What was measured by other means (the index, the journal, the cache) stands as text in the template.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/warmfront/warmfront/bench/result"
)

func main() {
	docs := flag.String("docs", "docs", "folder of performance.json, and of what is made of it")
	from := flag.String("results", "", "results of a bench that become performance.json first")
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
		if err := r.Write(source); err != nil {
			return err
		}
	}
	files, err := render(source)
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
func render(source string) (map[string][]byte, error) {
	r, err := result.Read(source)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, p := range plots {
		if svg := p.draw(r); svg != nil {
			files[p.file] = svg
		}
	}
	files["performance.md"], err = page(r, files)
	return files, err
}
