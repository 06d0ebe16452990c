package e2e

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mistakes are what a planted build can do wrong, as edge/mistake.go lists it.
func mistakes(t *testing.T) (names []string) {
	t.Helper()
	b, err := os.ReadFile("../edge/mistake.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`mistake = "([a-z-]+)"`).FindAllStringSubmatch(string(b), -1) {
		names = append(names, m[1])
	}
	if len(names) < 21 {
		t.Fatalf("mistakes found: %q", names)
	}
	return names
}

// TestGuarantee_FindsMistakes proves that the checker is sharp: a build that leaves out one rule of the
// protocol is caught, within a bounded number of answers. Without a mistake the same build passes.
func TestGuarantee_FindsMistakes(t *testing.T) {
	planted := filepath.Join(t.TempDir(), "warmfront-planted")
	build := exec.Command("go", "build", "-tags", "planted", "-o", planted, "./cmd/warmfront")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	some := append([]string{""}, mistakes(t)...)
	if !thorough() {
		some = []string{"hit-unchecked", "stamp-at-store", "slice-unchecked", "serves-early"}
	}
	for _, m := range some {
		t.Run("mistake="+m, func(t *testing.T) { catches(t, planted, m) })
	}
}

// What some mistakes need to show.
var (
	onDisk   = []string{"load-unchecked", "load-races-sweep", "restart-trusted", "serves-early", "mark-uncompared"}
	restarts = []string{"restart-trusted", "serves-early"}
	restored = []string{"mark-uncompared"}
	tiered   = []string{"parent-behind", "parent-unchecked"}
)

func catches(t *testing.T, planted, mistake string) {
	t.Setenv("WARMFRONT", planted)
	t.Setenv("WARMFRONT_PLANT", mistake)
	w := newWorld(t.TempDir())
	defer w.close()
	flags := fixedAddresses(false)
	if mistake == "" || slices.Contains(onDisk, mistake) {
		flags = append(flags, "--cache-size", "2MiB", "--disk-cache", "256MiB")
	}
	if err := w.start(flags); err != nil {
		t.Fatal(err)
	}
	bound := 400000
	if mistake == "" {
		bound = 50000
	}
	env, args := against(w.proc)
	if mistake == "" || slices.Contains(tiered, mistake) {
		inTiers(t, env, w.proc)
	}
	if slices.Contains(restored, mistake) {
		args = append(args, "--restored")
	}
	journal := newBackup(t, w)
	v, said := checkGuarantee(t, env, append(args, "--objects", "110", "--answers", strconv.Itoa(bound), "--seed", cmp.Or(os.Getenv("GUARANTEE_SEED"), "5")), func(int) {
		switch {
		case slices.Contains(restored, mistake):
			journal.next()
		case slices.Contains(restarts, mistake):
			w.proc.kill()
			if err := w.start(w.args); err != nil {
				t.Error(err)
			}
		}
	})
	t.Log(v)
	switch found := len(v.Violations) > 0; {
	case mistake == "" && found:
		t.Errorf("nothing was planted\n%s", said)
	case mistake != "" && !found:
		t.Errorf("not found in %d answers", v.Judged)
	case found && !strings.Contains(said, "VIOLATION"):
		t.Errorf("no counterexample was printed:\n%s", said)
	}
}
