package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// thorough tells whether this is `make test-guarantee`.
func thorough() bool { return os.Getenv("GUARANTEE_ANSWERS") != "" }

// verdict is the part of the checker's JSON that tests look at.
type verdict struct {
	Answers, Judged, Hits, NotModified, Cut, Empty, Failed, Survived, Excused, Bound int64
	Forgotten                                                                        int64
	Invalidations, InTurns, Withdrawn, Paced                                         int
	Raced                                                                            int64
	Items, Conditions                                                                map[string]int
	CompletedP50, CompletedP99, CompletedMax, Seconds                                float64
	Violations, Where, Protocols, Asked                                              map[string]int64
}

func (v *verdict) String() string {
	return fmt.Sprintf("%d answers judged in %.1f s, %d of them from a cache, %d times 304, %d cut, %d without content, %d failed, %d of before an absence; %v; %d invalidations, Completed after %.1f ms (p50), %.1f ms (p99), %.1f ms (longest); violations: %v, of objects: %v",
		v.Judged, v.Seconds, v.Hits, v.NotModified, v.Cut, v.Empty, v.Failed, v.Survived, v.Protocols, v.Invalidations, v.CompletedP50, v.CompletedP99, v.CompletedMax, v.Violations, v.Where)
}

// checkGuarantee runs the checker. meanwhile hears of the answers judged so far, now and then.
func checkGuarantee(t *testing.T, env, args []string, meanwhile func(answers int)) (*verdict, string) {
	t.Helper()
	return checkGuaranteeOn(t, nil, env, args, func(_ *os.Process, answers int) { meanwhile(answers) })
}

// checkGuaranteeOn runs it on a host, and gives its process to meanwhile, which may interrupt it.
func checkGuaranteeOn(t *testing.T, h *host, env, args []string, meanwhile func(p *os.Process, answers int)) (*verdict, string) {
	t.Helper()
	return checkGuaranteeSaying(t, h, env, args, func(p *os.Process, now progress) { meanwhile(p, now.answers) })
}

// progress is what the checker says of itself now and then.
type progress struct{ answers, excused, bound int }

// progressIn reads a line of it; false: it is something else.
func progressIn(line string) (now progress, ok bool) {
	var seconds int
	if n, _ := fmt.Sscanf(line, "%d s %d answers", &seconds, &now.answers); n != 2 {
		return now, false
	}
	if _, more, ok := strings.Cut(line, "violations"); ok { // said when there are some
		fmt.Sscanf(more, "%d excused %d bound", &now.excused, &now.bound)
	}
	return now, true
}

// checkGuaranteeSaying is checkGuaranteeOn for who wants to hear more.
func checkGuaranteeSaying(t *testing.T, h *host, env, args []string, meanwhile func(p *os.Process, now progress)) (*verdict, string) {
	t.Helper()
	cmd := h.command(binary(), append([]string{"check-guarantee", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if now, ok := progressIn(lines.Text()); ok {
			meanwhile(cmd.Process, now)
			continue
		}
		fmt.Fprintln(&said, lines.Text())
	}
	err = cmd.Wait()
	v := &verdict{}
	if json.Unmarshal(out.Bytes(), v) != nil {
		t.Fatalf("the checker says %q and ends with %v\n%s", out.String(), err, said.String())
	}
	if kept := len(v.Violations) == 0; kept != (err == nil) {
		t.Fatalf("the checker ends with %v; %v\n%s", err, v, said.String())
	}
	return v, said.String()
}

// checkWhile runs the checker until things have happened, each when may says so, with rest after it, and so many answers have been
// judged: a fast machine gives more than that, none less.
func checkWhile(t *testing.T, env, args []string, want int, things []func(), may func(done, answers int) bool) (*verdict, string) {
	t.Helper()
	done, since := 0, time.Now()
	return checkGuaranteeOn(t, nil, env, append(args[:len(args):len(args)], "--duration", "12h"), func(p *os.Process, answers int) {
		switch {
		case time.Since(since) < time.Second: // what has been said while the last thing happened
		case done < len(things):
			if may(done, answers) {
				things[done]()
				done, since = done+1, time.Now()
			}
		case answers >= want:
			p.Signal(os.Interrupt)
		}
	})
}

// fixedAddresses are flags for addresses that survive a restart; secure: also of https.
func fixedAddresses(secure bool) []string {
	var all [7]string
	for i := range all {
		all[i] = fixedAddress()
	}
	https := "off"
	if secure {
		https = strings.Join(all[4:], ",")
	}
	return []string{"--control", all[3], "--edges", strings.Join(all[:3], ","), "--edges-https", https, "--demo", "off"}
}

// against gives the checker the addresses and the key of a running process.
func against(p *process) (env, args []string) {
	var edges []string
	secure := false
	for _, e := range p.ready.Edges {
		edges = append(edges, e.URL)
		if e.HTTPS != "" {
			edges, secure = append(edges, e.HTTPS), true
		}
	}
	env = []string{"AWS_ACCESS_KEY_ID=" + p.ready.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + p.ready.SecretAccessKey, "AWS_SESSION_TOKEN="}
	args = []string{"--api", p.ready.API, "--edges", strings.Join(edges, ",")}
	if secure {
		args = append(args, "--ca", p.ready.CA, "--http3")
	}
	return env, args
}

// inTiers has the second edge of a process fill through the first, and the third through the second.
func inTiers(t *testing.T, env []string, p *process) {
	t.Helper()
	for i := 1; i < len(p.ready.Edges); i++ {
		place(t, env, p, p.ready.Edges[i].Name, p.ready.Edges[i-1].Name)
	}
}

// place has the edges of one place fill through those of another.
func place(t *testing.T, env []string, p *process, name, parent string) {
	t.Helper()
	cmd := exec.Command(binary(), "place", "set", name, "--parent", parent)
	cmd.Env = append(append(os.Environ(), env...), "AWS_ENDPOINT_URL_CLOUDFRONT="+p.ready.API)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
