package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestLimits_NonsenseIsRefusedByName(t *testing.T) {
	for _, args := range []string{
		"--max-connections 0", "--max-connections -1", "--max-connections 1048577", "--max-connections-per-client 0",
		"--max-connections-per-client -5", "--read-header-timeout 0", "--read-header-timeout -1s", "--read-header-timeout 9ms",
		"--read-body-timeout 0s", "--write-timeout 2h", "--idle-timeout 61m", "--drain-timeout 0",
		"--max-connections-per-client 11 --max-connections 10",
	} {
		_, err := limitsOf(t, args)
		name, _, _ := strings.Cut(args, " ")
		if err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestLimits_AreSet(t *testing.T) {
	l, err := limitsOf(t, "--max-connections 10 --max-connections-per-client 10 --idle-timeout 10ms --write-timeout 1h")
	if err != nil || l.limits.MaxConns != 10 || l.limits.MaxConnsPerClient != 10 || l.limits.IdleTimeout != 10*time.Millisecond || l.limits.WriteTimeout != time.Hour {
		t.Errorf("%+v, %v", l.limits, err)
	}
	if l, err := limitsOf(t, ""); err != nil || l.limits.IdleTimeout != 0 || l.limits.MaxConns != 0 {
		t.Errorf("what is not given is the engine's to choose: %+v, %v", l.limits, err)
	}
}

func TestLimits_AreInTheDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := limitsOf(t, "")
	for _, line := range strings.Split(strings.TrimSpace(f.cmd.Flags().FlagUsages()), "\n") {
		if name := strings.Fields(line)[0]; !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/http.md does not name %s", name)
		}
	}
}

func limitsOf(t *testing.T, args string) (*limitFlags, error) {
	t.Helper()
	cmd := &cobra.Command{}
	f := addLimits(cmd)
	if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	_, err := f.check()
	return f, err
}
