package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warmfront/warmfront/node"
)

// settle runs a role's command up to the point where it would start, and returns what would count.
func settle(t *testing.T, name string, args ...string) (*cobra.Command, map[string]string, error) {
	t.Helper()
	var source map[string]string
	cmd := roles[name](func(_ *cobra.Command, s *settings, _ role, _ node.Config) error {
		source = s.source
		return nil
	})
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetOut(io.Discard)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	return cmd, source, err
}

// another is a value for a flag that is not its default, as text and as TOML.
func another(t *testing.T, dir string, f *pflag.Flag) (text, inTOML string) {
	quoted := func(s string) (string, string) { return s, `"` + s + `"` }
	switch f.Name {
	case "log-level":
		return quoted("debug")
	case "log-format", "access-log-format":
		return quoted("json")
	case "cache-size":
		return quoted("64MiB")
	case "disk-cache":
		return quoted("1GiB")
	case "history-keep":
		return quoted("30d")
	case "quota":
		return "paths-in-progress=7,distributions=8", `["paths-in-progress=7", "distributions=8"]`
	case "origin":
		return "a.example=127.0.0.1:1,*.b.example=127.0.0.1:2", `["a.example=127.0.0.1:1", "*.b.example=127.0.0.1:2"]`
	case "journal-entries":
		return "7000", "7000"
	case "http3":
		return "false", "false"
	}
	switch f.Value.Type() {
	case "string":
		return quoted(filepath.Join(dir, f.Name))
	case "bool":
		return "true", "true"
	case "int":
		return "7", "7"
	case "duration":
		return quoted("7s")
	case "stringSlice":
		return "127.0.0.1:1,127.0.0.1:2", `["127.0.0.1:1", "127.0.0.1:2"]`
	}
	t.Fatalf("--%s: no value for a %s", f.Name, f.Value.Type())
	return "", ""
}

// needs are settings without which another makes no sense.
var needs = map[string][]string{"acme-ca": {"acme-email"}, "access-log-format": {"access-log"}}

// Every flag of every process that stays can be set by the file and by the environment; a flag is above the environment,
// the environment above the file.
func TestSettings_EveryFlagByAllThreeWays(t *testing.T) {
	dir := t.TempDir()
	for name, make := range roles {
		walked := 0
		make(nil).Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "config" {
				return
			}
			walked++
			t.Run(name+"/"+f.Name, func(t *testing.T) { oneByAllThreeWays(t, dir, name, f) })
		})
		if walked < 7 {
			t.Errorf("%s has %d flags", name, walked)
		}
	}
}

func oneByAllThreeWays(t *testing.T, dir, name string, f *pflag.Flag) {
	text, inTOML := another(t, dir, f)
	lines := "[" + name + "]\n" + f.Name + " = " + inTOML + "\n"
	for _, n := range needs[f.Name] {
		t.Setenv(variable(name, n), "x@example.com")
	}
	file := filepath.Join(dir, name+"-"+f.Name+".toml")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	expect := func(way, source, want string, args ...string) {
		t.Helper()
		cmd, from, err := settle(t, name, args...)
		if err != nil {
			t.Fatalf("by %s: %v", way, err)
		}
		if got := value(cmd.Flags().Lookup(f.Name)); from[f.Name] != source || got != want && want != "(not shown)" {
			t.Errorf("by %s: %q of %q, want %q of %q", way, got, from[f.Name], want, source)
		}
	}
	shown := text
	if f.Name == "token" {
		shown = "(not shown)"
	}
	expect("file", file, shown, "--config", file)
	if f.Name != "http3" && f.Value.Type() == "bool" { // the environment says what the default is, against the file
		t.Setenv(variable(name, f.Name), "false")
		expect("environment", variable(name, f.Name), "false", "--config", file)
	}
	t.Setenv(variable(name, f.Name), text)
	expect("environment", variable(name, f.Name), shown)
	if err := os.WriteFile(file, []byte("["+name+"]\n"+f.Name+" = []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("environment above a file that makes no sense", variable(name, f.Name), shown, "--config", file)
	t.Setenv(variable(name, f.Name), "nonsense")
	var args []string
	if _, many := f.Value.(pflag.SliceValue); many {
		for one := range strings.SplitSeq(text, ",") {
			args = append(args, "--"+f.Name+"="+one)
		}
	} else {
		args = append(args, "--"+f.Name+"="+text)
	}
	expect("flag", "flag", shown, args...)
}

func TestSettings_WhatIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "w.toml")
	for _, r := range []struct{ text, says string }{
		{"[edge]\nhtpp = \"127.0.0.1:0\"", "[edge] htpp: there is no such setting: is it http?"},
		{"[edge]\ndisk_cache = \"1GiB\"", "is it disk-cache?"},
		{"[edge]\nzzzzzzzzzzz = 1", "there is no such setting; warmfront edge --help lists them"},
		{"[edge]\nhelp = true", "no such setting"},
		{"[edge]\nconfig = \"x\"", "one file does not name another"},
		{"[edge]\nhttp = 1.5", "write a text in quotes"},
		{"[edge]\nhttp = [\"a\"]", "one value, not a list"},
		{"[edge]\nhttp3 = \"perhaps\"", "use true or false"},
		{"[edge]\nmax-origin-requests = \"many\"", "use a whole number"},
		{"[edge]\nidle-timeout = 10", "use a time as in 10s"},
		{"[edge]\norigin = [1.5]", "write a text in quotes"},
		{"[edge]\ncache-size = \"much\"", "is not a size"},
		{"[control]\n", "has no table [edge]; it has [control]"},
		{"", "has no table [edge]; it has none"},
		{"http = \"x\"", "http stands in no table"},
		{"[egde]\nhttp = \"x\"", "there is no table [egde]"},
		{"[edge", "line 1"},
		{"[edge]\nhttp = \"a\"\nhttp = \"b\"", "line 3"},
	} {
		if err := os.WriteFile(file, []byte(r.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := settle(t, "edge", "--config", file); err == nil || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%q: %v, want %q", r.text, err, r.says)
		}
	}
	if _, _, err := settle(t, "edge", "--config", filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	if _, err := readTables("/dev/zero"); err == nil || !strings.Contains(err.Error(), "longer than 1.0 MiB") { // it has no end
		t.Errorf("a file without end: %v", err)
	}
	t.Setenv("WARMFRONT_EDGE_HTTP3", "perhaps")
	if _, _, err := settle(t, "edge"); err == nil || !strings.Contains(err.Error(), "WARMFRONT_EDGE_HTTP3: \"perhaps\": use true or false") {
		t.Errorf("environment: %v", err)
	}
}

// An error about a flag says where that has its value from.
func TestSettings_ErrorsSayWhere(t *testing.T) {
	t.Setenv("WARMFRONT_EDGE_CACHE_SIZE", "much")
	root := newRoot()
	root.SetArgs([]string{"edge"})
	var stderr bytes.Buffer
	if code := run(context.Background(), root, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "hint: --cache-size is set by WARMFRONT_EDGE_CACHE_SIZE.") {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
}

func FuzzParseTables(f *testing.F) {
	for _, s := range []string{"", "[edge]\nhttp = \"x\"", "[control]\nadvertise = [\"a:1\"]\n[dev]", "x = 1", "[edge]\n[edge.http]\nx=1", "[[edge]]", "edge = 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := parseTables("w.toml", s)
		if err != nil {
			return
		}
		for name, table := range all {
			cmd := roles[name](nil)
			for k, v := range table {
				if flag := cmd.Flags().Lookup(k); flag != nil {
					set(flag, v) // must not panic
				}
			}
		}
	})
}

func TestConfigCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "w.toml")
	base := "data = \"" + filepath.Join(dir, "data") + "\"\ntelemetry = \"off\"\n"
	check := func(text string, args ...string) (code int, out string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		root := newRoot()
		var b bytes.Buffer
		root.SetOut(&b)
		root.SetArgs(append([]string{"config", "check", file}, args...))
		code = run(context.Background(), root, &b)
		return code, b.String()
	}
	for _, r := range []struct {
		text string
		code int
		says []string
	}{
		{"[control]\n" + base + "journal = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n", exitDone, []string{"control: in order", "is not there yet"}},
		{"[control]\n" + base + "journal = \"127.0.0.1\"\nadvertise = [\"c1\"]\n", exitRefused, []string{`--journal "127.0.0.1" is not an address`, `--advertise "c1" is not`}},
		{"[edge]\n" + base + "http = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\n", exitRefused, []string{"holds no edge yet", "has 1 fault"}},
		{"[edge]\n" + base + "htpp = \"127.0.0.1:0\"\nmax-connection = 3\n", exitRefused, []string{"is it http?", "is it max-connections?", "has 2 faults"}},
		{"[dev]\n" + base + "control = \"127.0.0.1:0\"\ndemo = \"off\"\nedges = [\"127.0.0.1:39871\", \"127.0.0.1:39871\"]\ncache-size = \"100000GiB\"\ndisk-cache = \"1000000GiB\"\ncertificates = \"/nonexistent\"\n", exitRefused,
			[]string{"is the address of --edges too", "--cache-size", "--disk-cache", "--certificates", "no such file"}},
		{"[control]\ndata = \"" + filepath.Join(file, "x") + "\"\ntelemetry=\"off\"\ncontrol = \"127.0.0.1:0\"\njournal = \"127.0.0.1:0\"", exitRefused, []string{"is no directory"}},
		{"[relay]\ndata = \"" + filepath.Join(dir, "relay") + "\"\ntelemetry = \"off\"\nlisten = \"127.0.0.1:0\"\n", exitRefused, []string{"holds no relay yet", "warmfront relay token"}},
		{"[edge]\n" + base + "relays = [\"somewhere\"]\n", exitRefused, []string{"--relays \"somewhere\" is not an address"}},
		{"", exitRefused, []string{"has no table"}},
	} {
		code, out := check(r.text)
		for _, s := range r.says {
			if code != r.code || !strings.Contains(out, s) {
				t.Errorf("%s\nexit code %d, want %q:\n%s", r.text, code, s, out)
			}
		}
	}
	if code, out := check("[edge]\n", "origin"); code != exitUsage {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("the check has made the data directory")
	}
}

func TestConfigShow(t *testing.T) {
	t.Setenv("WARMFRONT_EDGE_TOKEN", "wfe1.secret")
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"config", "show", "edge", "--json", "--http", "127.0.0.1:1"})
	if code := run(context.Background(), root, &out); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &out)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the token is shown: %s", &out)
	}
	var all map[string]shown
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]shown{
		"http": {"127.0.0.1:1", "flag"}, "token": {"(not shown)", "WARMFRONT_EDGE_TOKEN"},
		"idle-timeout": {"1m", "default"}, "cache-size": {"256MiB", "default"}, "origin": {"", "default"},
	} {
		if all[name] != want {
			t.Errorf("%s: %+v, want %+v", name, all[name], want)
		}
	}
}
