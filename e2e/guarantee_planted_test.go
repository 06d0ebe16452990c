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
	if len(names) < 36 {
		t.Fatalf("mistakes found: %q", names)
	}
	return names
}

// TestGuarantee_FindsMistakes proves that the checker is sharp: a build that leaves out one rule of the
// protocol is caught, within a bounded number of answers and invalidations. Without a mistake the same build passes, and its edges,
// which forget no rule then, have nothing to say of what was taken to be alive (edge/ever_planted.go).
func TestGuarantee_FindsMistakes(t *testing.T) {
	planted := filepath.Join(t.TempDir(), "warmfront-planted")
	build := exec.Command("go", "build", "-tags", "planted", "-o", planted, "./cmd/warmfront")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	some := append([]string{""}, mistakes(t)...)
	if !thorough() {
		some = []string{"", "hit-unchecked", "stamp-at-store", "slice-unchecked", "serves-early", "abroad-unchecked"}
	}
	for _, m := range some {
		t.Run("mistake="+m, func(t *testing.T) { catches(t, planted, m) })
	}
}

// What some mistakes need to show.
var (
	onDisk   = []string{"load-unchecked", "load-races-sweep", "restart-trusted", "serves-early", "mark-uncompared", "stored-anew", "age-anew"}
	restarts = []string{"restart-trusted", "serves-early"}
	restored = []string{"mark-uncompared", "mark-unkept"}
	tiered   = []string{"parent-behind", "parent-unchecked", "abroad-unchecked", "rest-forgotten"}
	stalling = []string{"", "load-joined"} // reads of the disk cache, now and then

	// What disks have to be like: one that memory hides nothing of, and one of a single segment.
	special = map[string]struct{ flags, args []string }{
		"load-joined": {[]string{"--cache-size", "256KiB", "--disk-cache", "256MiB"}, []string{"--large", "0"}},
		"mark-unkept": {[]string{"--cache-size", "2MiB", "--disk-cache", "4GiB"}, []string{"--large", "0"}},
	}

	// Of machines of their own.
	elsewhere = map[string]func(*testing.T) (*verdict, string){
		"trail-unchecked": belowAParent,
		"sweep-of-any":    putBackUnder,
		"missed-unheeded": func(t *testing.T) (*verdict, string) { return isolatedBy(t, "serve-stale") },
		"page-unleased":   func(t *testing.T) (*verdict, string) { return isolatedBy(t, "revalidate") },
	}
)

func isolatedBy(t *testing.T, policy string) (*verdict, string) {
	all, each := isolated(t, policy)
	return all[0], each[0]
}

// What is done before a mistake counts as not found: all of it, so that a fast machine, on which few invalidations come in so many
// answers, and a slow one, on which few answers come in so many invalidations, give it the same chances.
const (
	leastAnswers       = 400_000
	leastInvalidations = 4_000
	leastRuns          = 6 // of those on machines of their own, in which what matters happens once: page-unleased shows in about every other
)

func catches(t *testing.T, planted, mistake string) {
	t.Setenv("WARMFRONT", planted)
	t.Setenv("WARMFRONT_PLANT", mistake)
	if slices.Contains(stalling, mistake) {
		t.Setenv("WARMFRONT_DISK", "stalls")
	}
	var v *verdict
	var said string
	if run := elsewhere[mistake]; run != nil {
		for range leastRuns {
			if v, said = run(t); v == nil || len(v.Violations) > 0 {
				break
			}
		}
	} else {
		v, said = inOneProcess(t, mistake)
	}
	if v == nil {
		return // it has been said why
	}
	t.Log(v)
	switch found := len(v.Violations) > 0; {
	case mistake == "" && found:
		t.Errorf("nothing was planted\n%s", said)
	case mistake != "" && !found:
		t.Errorf("not found in %d answers and %d invalidations", v.Judged, v.Invalidations)
	case found && !strings.Contains(said, "VIOLATION"):
		t.Errorf("no counterexample was printed:\n%s", said)
	}
}

// inOneProcess runs the checker on three edges in a process, which is killed again and again if the mistake takes that.
func inOneProcess(t *testing.T, mistake string) (*verdict, string) {
	w := newWorld(t.TempDir())
	defer w.close()
	flags := fixedAddresses(false)
	if mistake == "" || slices.Contains(onDisk, mistake) {
		flags = append(flags, "--cache-size", "2MiB", "--disk-cache", "256MiB")
	}
	flags = append(flags, special[mistake].flags...)
	if err := w.start(flags); err != nil {
		t.Fatal(err)
	}
	answers, invalidations := leastAnswers, leastInvalidations
	if mistake == "" {
		if answers, invalidations = 15_000, 0; thorough() {
			answers = 100_000
		}
		defer func() {
			if log := w.proc.log.String(); strings.Contains(log, "BUG") {
				t.Errorf("an edge found something that it must not show:\n%s", log)
			}
		}()
	}
	env, args := against(w.proc)
	if mistake == "" || slices.Contains(tiered, mistake) {
		inTiers(t, env, w.proc)
	}
	again := func() {
		w.proc.kill()
		if err := w.start(w.args); err != nil {
			t.Error(err)
		}
	}
	var things []func() // happen one after another, each after perThing answers more
	objects := "110"
	switch {
	case slices.Contains(restored, mistake):
		args = append(args, "--restored")
		for range leastAnswers / perThing / 3 {
			journal := newBackup(t, w, w.start)
			things = append(things, journal.make, func() {}, func() {
				if mistake == "mark-unkept" {
					journal.inVain()
				}
				journal.putBack()
			})
		}
	case slices.Contains(restarts, mistake):
		if mistake == "restart-trusted" { // so many that most of what is dead when the process is killed has not been asked for since
			objects = "1100"
		}
		things = slices.Repeat([]func(){again}, leastAnswers/perThing)
	}
	args = append(args, special[mistake].args...)
	last := 0
	return checkGuarantee(t, env, append(args, "--objects", objects, "--answers", strconv.Itoa(answers), "--invalidations", strconv.Itoa(invalidations),
		"--seed", cmp.Or(os.Getenv("GUARANTEE_SEED"), "5")), func(now int) {
		if len(things) > 0 && now >= last+perThing {
			things[0]()
			things, last = things[1:], now
		}
	})
}

// perThing is how many answers come at least between two faults: what is said of them comes late on a slow machine, and then at once.
const perThing = 1_000
