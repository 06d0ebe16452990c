package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whichever way a URL with a password is given, and whatever is wrong with it: nothing of the password is said.
func TestNATS_PasswordIsNotSaid(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "w.toml")
	for _, url := range []string{"nats://user:geh,eim@a:4222", `nats://user:geh"eim@a:4222`, `"nats://user:geh`, "nats://user:geh\neim@a:4222", "nats://user:geh#eim@a:4222"} {
		for way, args := range map[string][]string{
			"flag":        {"control", "--nats-sync-always", "--data", dir, "--nats", url},
			"environment": {"control", "--nats-sync-always", "--data", dir},
			"file":        {"config", "check", file},
			"shown":       {"config", "show", "control", "--nats", url},
		} {
			t.Run(way, func(t *testing.T) {
				if way == "environment" {
					t.Setenv("WARMFRONT_CONTROL_NATS", url)
				}
				text := "[control]\nnats-sync-always = true\nnats = [" + strconv.Quote(url) + "]\n"
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				var said, out strings.Builder
				root := newRoot()
				root.SetArgs(args)
				root.SetOut(&out)
				if code := run(t.Context(), root, &said); code == exitDone && (way == "flag" || way == "environment") {
					t.Errorf("%s: not refused", url)
				}
				for _, part := range []string{"geh", "eim"} {
					if all := out.String() + said.String(); strings.Contains(all, part) {
						t.Errorf("%s: %s", url, all)
					}
				}
			})
		}
	}
}

// What says how to come to a NATS says nothing when there is none: as of warmfront control, it is a mistake.
func TestFsck_NATSFlagsAreForNATS(t *testing.T) {
	for _, flag := range []string{"--nats-creds", "--nats-ca", "--nats-cert", "--nats-key", "--nats-prefix"} {
		var said strings.Builder
		root := newRoot()
		root.SetArgs([]string{"fsck", "--data", t.TempDir(), flag, "x"})
		if code := run(t.Context(), root, &said); code != exitUsage || !strings.Contains(said.String(), "are for --nats") {
			t.Errorf("%s: exit code %d\n%s", flag, code, &said)
		}
	}
}
