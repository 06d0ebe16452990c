package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// backup is a copy of the journal, which is made and put back while a guarantee run goes on: what edges have on disk is younger
// then than the journal.
type backup struct {
	t     *testing.T
	w     *world
	start func(args []string) error // of the process that has the journal
	copy  string
}

func newBackup(t *testing.T, w *world, start func(args []string) error) *backup {
	return &backup{t: t, w: w, start: start, copy: filepath.Join(t.TempDir(), "journal")}
}

// inVain has the process end once when the journal is put back, before it has read it.
func (b *backup) inVain() *backup {
	start := b.start
	b.start = func(args []string) error { return errors.Join(b.w.inVain(), start(args)) }
	return b
}

func (b *backup) make() {
	b.meanwhile(func(journal string) error { return os.CopyFS(b.copy, os.DirFS(journal)) })
}

func (b *backup) putBack() {
	b.meanwhile(func(journal string) error {
		if err := os.RemoveAll(journal); err != nil {
			return err
		}
		return os.CopyFS(journal, os.DirFS(b.copy))
	})
}

// meanwhile kills the process, and starts it again.
func (b *backup) meanwhile(do func(journal string) error) {
	b.w.proc.kill()
	if err := do(filepath.Join(b.w.dir, "data", "journal")); err != nil {
		b.t.Error(err)
	}
	if err := b.start(b.w.args); err != nil {
		b.t.Error(err)
	}
}

// TestGuarantee_JournalPutBack: an operator puts an older copy of the journal back. What it has forgotten has to be asked for again;
// nothing that was invalidated by what it has forgotten, or is after that, is shown from a disk, nor got from another edge.
func TestGuarantee_JournalPutBack(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start(append(fixedAddresses(false), "--cache-size", "2MiB", "--disk-cache", "256MiB")); err != nil {
		t.Fatal(err)
	}
	want := 10000
	if thorough() {
		want = 150000
	}
	first, second := newBackup(t, w, w.start), newBackup(t, w, w.start)
	env, args := against(w.proc)
	inTiers(t, env, w.proc)
	steps := []func(){first.make, func() {}, first.putBack, second.make, func() {}, func() { second.inVain().putBack() }}
	v, said := checkWhile(t, env, append(args, "--seed", "22", "--restored"), want, steps, func(int, int) bool { return true })
	t.Logf("%v; %d forgotten", v, v.Forgotten)
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
}

// TestGuarantee_JournalPutBackUnderEdges: the same under edges that go on, and the control node is restarted while it doubts its journal.
func TestGuarantee_JournalPutBackUnderEdges(t *testing.T) {
	if !thorough() {
		t.Skip("part of make test-guarantee: nothing is Completed for 32 s after a journal was put back")
	}
	v, said := putBackUnder(t)
	t.Logf("%v; %d forgotten", v, v.Forgotten)
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
	if v.CompletedMax < 30_000 {
		t.Error("nobody has doubted the journal: this has tested nothing")
	}
}

// putBackUnder makes it. The edges' disks are so small that a part of them is full again soon after. That the journal forgets some hundred entries is
// made sure of; how many of their invalidations were under way just then, which is what the verdict tells, is chance.
func putBackUnder(t *testing.T) (v *verdict, said string) {
	w := newWorld(t.TempDir())
	defer w.close()
	isolable(t, w, []string{"--cache-size", "256KiB", "--disk-cache", "16MiB"})
	env, args := against(w.proc)
	journal := newBackup(t, w, w.startControl)
	var copied, lost uint64
	var put time.Time
	end := func() uint64 { return applied(t, env, w.proc)["FRA50-1"] }
	steps := []func(){
		func() { journal.make(); copied = end() },
		func() { put, lost = time.Now(), end()-copied; journal.putBack() },
		func() { journal.meanwhile(func(string) error { return nil }) },
		func() {},
	}
	v, said = checkWhile(t, env, append(args, "--seed", "25", "--restored", "--objects", "110", "--large", "0"), 5000, steps, func(done, answers int) bool {
		switch done {
		case 0:
			return answers > 1000
		case 1:
			return end() > copied+300
		case 2:
			return time.Since(put) > inDoubt
		}
		return time.Since(put) > cutFor
	})
	if lost < 300 && len(v.Violations) == 0 { // with one it ends at once
		t.Errorf("the journal has forgotten %d entries", lost)
	}
	return v, said
}

// inDoubt is not for as long as a journal is doubted that was put back.
const inDoubt = 10 * time.Second

// TestGuarantee_JournalPutBackBelowAParent: the same, and an edge that others fill through does not hear of it for a while.
func TestGuarantee_JournalPutBackBelowAParent(t *testing.T) {
	if !thorough() {
		t.Skip("part of make test-guarantee: nothing is Completed for 32 s after a journal was put back")
	}
	v, said := belowAParent(t)
	t.Logf("%v; %d forgotten", v, v.Forgotten)
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
	if v.Forgotten == 0 {
		t.Error("the journal has forgotten nothing: this has tested nothing")
	}
}

// What the edge has to have asked its parent for between the two moments at which they hear of it, so that there is everything among it; and
// when that comes to no more, because the parent's lease is over.
const (
	askedInVain = 150
	leaseOver   = 28 * time.Second
	allHave     = 8 * time.Second // by then each writer has changed something
)

// belowAParent makes the experiment, again if the edge has come back too late to ask its parent often enough.
func belowAParent(t *testing.T) (v *verdict, said string) {
	for range 3 {
		w := newWorld(t.TempDir())
		asked := 0
		v, said, asked = putBackBelow(t, w)
		w.close()
		if asked >= askedInVain || len(v.Violations) > 0 {
			return v, said
		}
		t.Logf("the parent was asked %d times until its lease was over: this has tested nothing", asked)
	}
	t.Error("the parent was not asked in time")
	return v, said
}

// putBackBelow puts the journal back under an edge and its parent, which is cut off. What every writer has created since, the parent has
// never heard of: it has the old version, and a number that is far above those which the journal gives anew. It hears of it when the edge has
// asked it in vain, or, planted, has got that version; long before its lease ends. Writers rest so long that what they
// change then has been stored before.
// asked is how often the edge has asked: less than askedInVain shows nothing.
func putBackBelow(t *testing.T, w *world) (v *verdict, said string, asked int) {
	way := isolable(t, w, []string{"--tier", "127.0.0.1:0"})
	env, args := against(w.proc)
	place(t, env, w.proc, "FRA50", "IAD89")
	journal := newBackup(t, w, w.startControl)
	var cut, put time.Time
	answered := 0     // when the last step was taken
	before := 0       // the parent had been asked when the edge had heard of it
	var copied uint64 // the journal's end in the copy, at most
	end := func() uint64 { return applied(t, env, w.proc)["FRA50-1"] }
	follows := func(edge string) func() bool {
		return func() bool { return applied(t, env, w.proc)[edge] > copied }
	}
	inVain := func() bool {
		asked = questions(w.edges["IAD89-1"].proc) - before
		return asked >= askedInVain || time.Since(cut) > leaseOver
	}
	steps := []struct {
		after int         // so many answers
		when  func() bool // nil: at once
		do    func()
	}{
		{1000, nil, func() { journal.make(); copied = end() }},
		{1000, func() bool { return end() > copied+100 }, func() { cut = time.Now(); way.set(true) }}, // from here on nothing is Completed
		{1000, func() bool { return time.Since(cut) > allHave }, func() { put = time.Now(); journal.putBack(); copied = end() }},
		{0, follows("FRA50-1"), func() { before = questions(w.edges["IAD89-1"].proc) }},
		{2000, inVain, func() { way.set(false) }},
		{0, func() bool { return follows("IAD89-1")() && time.Since(put) > cutFor }, func() {}},
	}
	var things []func()
	for _, s := range steps {
		things = append(things, s.do)
	}
	v, said = checkWhile(t, env, append(args, "--seed", "23", "--restored", "--writers", "24", "--pause", "4s", "--objects", "110", "--large", "0"), 20000, things, func(done, answers int) bool {
		s := steps[done]
		if answers < answered+s.after || s.when != nil && !s.when() {
			return false
		}
		answered = answers
		return true
	})
	return v, said, asked
}

var ofQuestions = regexp.MustCompile(`(?m)^warmfront_tier_(?:served|denied)_total\{.*\} (\d+)$`)

// questions is how often other edges have asked one.
func questions(p *process) (n int) {
	resp, err := http.Get(p.ready.Telemetry + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, m := range ofQuestions.FindAllSubmatch(text, -1) {
		some, _ := strconv.Atoi(string(m[1]))
		n += some
	}
	return n
}

// applied is up to where edges have, of the journal that there is now, as far as the control plane has heard.
func applied(t *testing.T, env []string, p *process) map[string]uint64 {
	t.Helper()
	cmd := exec.Command(binary(), "status", "--json")
	cmd.Env = append(append(os.Environ(), env...), "AWS_ENDPOINT_URL_CLOUDFRONT="+p.ready.API)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Logf("status: %v: %s", err, said.String())
		return nil
	}
	var all struct {
		Edges []struct {
			Edge    string
			Applied uint64
		}
	}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("status says %s: %v", out, err)
	}
	of := map[string]uint64{}
	for _, e := range all.Edges {
		of[e.Edge] = e.Applied
	}
	return of
}
