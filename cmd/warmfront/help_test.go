package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var write = flag.Bool("write", false, "write the help of every command anew")

// Every command's help is a document: a change in it is seen in review.
func TestHelp_OfEveryCommand(t *testing.T) {
	t.Setenv("HOME", "/home/you")
	t.Setenv(envEndpoint, "")
	want := map[string]bool{}
	var visit func(args []string, c *cobra.Command)
	visit = func(args []string, c *cobra.Command) {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".txt"
		want[name] = true
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append(args, "--help"))
		if code := run(context.Background(), root, io.Discard); code != exitDone {
			t.Errorf("%s: exit code %d", c.CommandPath(), code)
		}
		compare(t, filepath.Join("testdata", "help", name), out.Bytes())
		if c.Example == "" && !c.HasSubCommands() {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(append(args[:len(args):len(args)], sub.Name()), sub)
		}
	}
	visit(nil, newRoot())
	files, err := os.ReadDir("testdata/help")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !want[f.Name()] {
			t.Errorf("testdata/help/%s is of no command", f.Name())
		}
	}
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *write {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: go test ./cmd/warmfront -run TestHelp -write, and look at the difference. It is now:\n%s", file, got)
	}
}

func TestMistakes_AreSaidAndEndWith2(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{envEndpoint, envKey, envSecret, envToken} {
		t.Setenv(name, "")
	}
	for _, k := range []struct{ line, says string }{
		{"nonsense", `there is no command "warmfront nonsense"; see warmfront --help`},
		{"demo nonsense", `there is no command "warmfront demo nonsense"; see warmfront demo --help`},
		{"status --nonsense", "unknown flag: --nonsense; see warmfront status --help"},
		{"dev --nonsense", "unknown flag: --nonsense; see warmfront dev --help"},
		{"dev --https off", "unknown flag: --https; there is --edges-https; see warmfront dev --help"},
		{"dev --http 127.0.0.1:0", "unknown flag: --http; there is --edges; see"},
		{"edge --edges-https off", "unknown flag: --edges-https; there is --https; see"},
		{"edge --edges 127.0.0.1:0", "unknown flag: --edges; there is --http; see"},
		{"histroy", `there is no command "warmfront histroy"; there is history; see warmfront --help`},
		{"inval x", "; there is invalidate; see"},
		{"place lst", "; there is list; see"},
		{"invalidate E1 /a --paec 3", "unknown flag: --paec; there is --pace; see"},
		{"invalidate E1 /a --waitt", "; there is --wait; see"},
		{"invalidate E1 /a --pevriew", "; there is --preview; see"},
		{"withdraw E1", "use warmfront withdraw <distribution> <invalidation>; see warmfront withdraw --help"},
		{"edge -x", "unknown shorthand flag: 'x' in -x; see"},
		{"status x", "see warmfront status --help"},
		{"invalidate", "name a distribution"},
		{"invalidate E1", "a tag must be quoted"},
		{"invalidate E1 /a --preview --wait", "--preview invalidates nothing"},
		{"invalidate E1 /a --timeout 1s", "--timeout is for --wait"},
		{"invalidate E1 /a --wait --timeout -1s", "in the past"},
		{"invalidate E1 /a --reference=", "--reference is empty"},
		{"invalidate E1 - -", "give - once"},
		{"explain", "give a URL"},
		{"explain www.example.com", "is no URL"},
		{"explain www.example.com path", "does not begin with a slash"},
		{"explain http://x/ -H nonsense", "'Name: value'"},
		{"explain http://x/ -H a:1 -H a:2", "given twice"},
		{"history a b", "see warmfront history --help"},
		{"history --max 0", "at least one"},
		{"status", "it is not known where Warmfront is"},
		{"check-guarantee", "--edges: at least one URL is needed"},
		{"check-guarantee --edges 127.0.0.1:8081", `"127.0.0.1:8081" is not like http://host:port`},
		{"check-guarantee --edges http://e1:8081,e2:8081", `"e2:8081" is not like`},
		{"check-guarantee --edges ftp://e1", `"ftp://e1" is not like`},
		{"check-guarantee --edges http://e1/path", `"http://e1/path" is not like`},
		{"check-guarantee --edges http://e1", "--api: the URL of the API is needed"},
		{"check-guarantee --edges http://e1 --api c1:9000", `--api: "c1:9000" is not like`},
		{"check-guarantee --edges http://e1 --api http://c1", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set"},
		{"check-guarantee --edges http://e1 --adapter squid", `--adapter "squid": use one of`},
		{"check-guarantee --edges http://e1 --origin-listen nonsense", "--origin-listen: address nonsense"},
		{"status --data /nonexistent", "there is no /nonexistent/aws.env"},
	} {
		var stderr bytes.Buffer
		root := newRoot()
		root.SetArgs(strings.Fields(k.line))
		root.SetOut(&stderr)
		root.SetIn(strings.NewReader(""))
		if code := run(context.Background(), root, &stderr); code != exitUsage || !strings.Contains(stderr.String(), k.says) {
			t.Errorf("%s: exit code %d, %s", k.line, code, &stderr)
		}
	}
}
