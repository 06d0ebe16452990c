package e2e

import (
	"os"
	"strconv"
	"testing"
)

// experiment is one deployment of which the promise is checked: three edges in one process, which is killed, stopped
// and started again in the middle of it.
type experiment struct {
	name   string
	share  int      // of the answers, in percent
	brief  int      // how many there are otherwise than in make test-guarantee
	flags  []string // of warmfront dev
	args   []string // of the checker
	secure bool     // HTTP/2 and HTTP/3 too
	disk   bool     // what was stored survives
	tiers  bool     // the second edge fills through the first, the third through the second
}

var experiments = []experiment{
	{name: "memory", share: 30, brief: 20000, flags: []string{"--cache-size", "32MiB"}},
	// So little memory that most of what is a hit comes from the disk.
	{name: "disk", share: 30, brief: 20000, flags: []string{"--cache-size", "2MiB", "--disk-cache", "256MiB"}, disk: true},
	{name: "protocols", share: 15, brief: 8000, flags: []string{"--cache-size", "16MiB", "--disk-cache", "128MiB"}, secure: true, disk: true},
	{name: "tiers", share: 15, brief: 15000, flags: []string{"--cache-size", "8MiB", "--disk-cache", "128MiB"}, disk: true, tiers: true},
	{name: "rfc", share: 10, brief: 20000, flags: []string{"--cache-size", "8MiB", "--disk-cache", "128MiB"}, disk: true,
		args: []string{"--tag", "warmfront:semantics=rfc"}},
}

// TestGuarantee checks the promise: make test-guarantee names how many answers there shall be in all.
func TestGuarantee(t *testing.T) {
	for _, x := range experiments {
		t.Run(x.name, func(t *testing.T) { x.run(t, x.answers(t)) })
	}
}

func (x *experiment) answers(t *testing.T) int {
	s := os.Getenv("GUARANTEE_ANSWERS")
	if s == "" {
		return x.brief
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("GUARANTEE_ANSWERS: %v", err)
	}
	return n * x.share / 100
}

func (x *experiment) run(t *testing.T, want int) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start(append(fixedAddresses(x.secure), x.flags...)); err != nil {
		t.Fatal(err)
	}
	again := func(end func() error) func() {
		return func() {
			if err := end(); err != nil {
				t.Error(err)
			}
			if err := w.start(w.args); err != nil {
				t.Error(err)
			}
		}
	}
	kill := func() error { w.proc.kill(); return nil }
	stop := func() error { return w.proc.stop() }
	inVain := func() error { w.proc.kill(); return w.inVain() }
	restarts := []func(){again(kill), again(stop), again(inVain)}
	env, args := against(w.proc)
	if x.tiers {
		inTiers(t, env, w.proc)
	}
	v, said := checkWhile(t, env, append(append(args, "--seed", "20"), x.args...), want, restarts, func(done, answers int) bool {
		return answers >= want*(done+1)/(len(restarts)+1)
	})
	t.Logf("%v; %d restarts", v, len(restarts))
	if len(v.Violations) > 0 {
		t.Fatalf("the guarantee was violated\n%s", said)
	}
	if v.Judged < int64(want) || v.Failed == 0 {
		t.Errorf("%v", v)
	}
	// Where memory is larger, a brief run may be over before anything is found on the disk again.
	if x.disk && v.Survived == 0 && (x.name == "disk" || want > x.brief) {
		t.Error("nothing that was stored before a restart was served after it: this has not tested the disk")
	}
	x.hasShown(t, v)
}

// hasShown looks whether everything has happened that the experiment is for.
func (x *experiment) hasShown(t *testing.T, v *verdict) {
	t.Helper()
	for _, how := range []string{"plain", "range", "conditional", "HEAD", "POST"} {
		if v.Asked[how] == 0 {
			t.Errorf("no request was %s", how)
		}
	}
	protocols := []string{"HTTP/1.1"}
	if x.secure {
		protocols = append(protocols, "HTTP/2.0", "HTTP/3.0")
	}
	for _, p := range protocols {
		if v.Protocols[p] == 0 {
			t.Errorf("no answer came by %s", p)
		}
	}
	if !thorough() {
		return // there need not have been one of each
	}
	for _, shape := range []string{"exact", "prefix", "suffix", "wildcard", "tag", "tag of a version", "everything"} {
		if v.Items[shape] == 0 {
			t.Errorf("no item of shape %s", shape)
		}
	}
	if v.InTurns == 0 || v.Withdrawn == 0 || v.Paced == 0 || v.Raced == 0 {
		t.Errorf("%d invalidations came location by location, %d were withdrawn on the way, %d paced, %d came while an older answer was kept back", v.InTurns, v.Withdrawn, v.Paced, v.Raced)
	}
	for _, name := range []string{"status", "type", "host", "before"} {
		if v.Conditions[name] == 0 {
			t.Errorf("no invalidation was narrowed by %s", name)
		}
	}
}
