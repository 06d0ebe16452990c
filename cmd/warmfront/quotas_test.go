package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/control"
)

func quotasOf(t *testing.T, args string) (control.Limits, error) {
	t.Helper()
	cmd := &cobra.Command{}
	q := addQuotas(cmd)
	if err := cmd.ParseFlags(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	return q.check()
}

func TestQuotas_AreSet(t *testing.T) {
	for args, want := range map[string]control.Limits{
		"":             {HistoryAge: 90 * 24 * time.Hour},
		"--aws-quotas": {InvalidationsInProgress: 3000, WildcardsInProgress: 15, HistoryAge: 90 * 24 * time.Hour},
		"--aws-quotas --quota wildcards-in-progress=20 --history-keep 36h": {InvalidationsInProgress: 3000, WildcardsInProgress: 20, HistoryAge: 36 * time.Hour},
		"--quota distributions=7 --quota paths-per-invalidation=8":         {Distributions: 7, ItemsPerInvalidation: 8, HistoryAge: 90 * 24 * time.Hour},
	} {
		if got, err := quotasOf(t, args); err != nil || got != want {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
}

func TestQuotas_NonsenseIsRefusedByName(t *testing.T) {
	for _, args := range []string{
		"--quota paths", "--quota distributions", "--quota distributions=0", "--quota distributions=-1", "--quota distributions=x", "--quota =5",
		"--quota distributions=99999999", "--rate-per-key 0", "--journal-entries -1", "--journal-entries 999", "--journal-entries 9999999999", "--rate-per-key 99999999",
		"--history-keep 0d", "--history-keep 59m", "--history-keep d", "--history-keep -3d", "--history-keep 99999d", "--history-keep forever",
	} {
		_, err := quotasOf(t, args)
		name, _, _ := strings.Cut(args, " ")
		if err == nil || !strings.HasPrefix(err.Error(), name+" ") {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestQuotas_AreInTheDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/invalidation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range quotaNames(new(control.Limits)) {
		if !strings.Contains(string(doc), "`"+k.name+"`") {
			t.Errorf("docs/invalidation.md does not name the quota %s", k.name)
		}
	}
}
