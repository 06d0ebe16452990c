package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guaranteeAnswers is how many answers are checked: `make test-guarantee` asks for a million.
func guaranteeAnswers(t *testing.T, normally int) int {
	if s := os.Getenv("GUARANTEE_ANSWERS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("GUARANTEE_ANSWERS: %v", err)
		}
		return n
	}
	return normally
}

// thorough tells whether this is `make test-guarantee`.
func thorough() bool { return os.Getenv("GUARANTEE_ANSWERS") != "" }

// verdict is the part of the checker's JSON that tests look at.
type verdict struct {
	Answers, Judged, Hits, NotModified, Cut, Empty, Failed int64
	Invalidations                                          int
	Items                                                  map[string]int
	CompletedP50, CompletedP99, CompletedMax, Seconds      float64
	Violations, Where                                      map[string]int64
}

func (v *verdict) String() string {
	return fmt.Sprintf("%d answers judged in %.1f s, %d of them from a cache, %d times 304, %d cut, %d without content, %d failed; %d invalidations, Completed after %.1f ms (p50), %.1f ms (p99), %.1f ms (longest); violations: %v, of objects: %v",
		v.Judged, v.Seconds, v.Hits, v.NotModified, v.Cut, v.Empty, v.Failed, v.Invalidations, v.CompletedP50, v.CompletedP99, v.CompletedMax, v.Violations, v.Where)
}

// checkGuarantee runs the checker. meanwhile hears of the answers judged so far, now and then.
func checkGuarantee(t *testing.T, env, args []string, meanwhile func(answers int)) (*verdict, string) {
	t.Helper()
	cmd := exec.Command(binary(), append([]string{"check-guarantee", "--json"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout = &out
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		var seconds, answers int
		if n, _ := fmt.Sscanf(lines.Text(), "%d s %d answers", &seconds, &answers); n == 2 {
			meanwhile(answers)
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

// fixedAddresses are flags for addresses that survive a restart.
func fixedAddresses(t *testing.T) []string {
	t.Helper()
	var all [4]string
	for i := range all {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all[i] = l.Addr().String()
	}
	return []string{"--control", all[3], "--edges", strings.Join(all[:3], ","), "--demo", "off"}
}

// against gives the checker the addresses and the key of a running process.
func against(p *process) (env, args []string) {
	var edges []string
	for _, e := range p.ready.Edges {
		edges = append(edges, e.URL)
	}
	env = []string{"AWS_ACCESS_KEY_ID=" + p.ready.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + p.ready.SecretAccessKey, "AWS_SESSION_TOKEN="}
	return env, []string{"--api", p.ready.API, "--edges", strings.Join(edges, ",")}
}

// TestGuarantee checks the promise on three edges of one process, which is stopped and started again,
// and killed, in the middle of it: the caches are empty then, and all that was accepted must hold.
func TestGuarantee(t *testing.T) {
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start(fixedAddresses(t)); err != nil {
		t.Fatal(err)
	}
	want := guaranteeAnswers(t, 60000)
	restarts := []struct {
		at  int
		end func() error
	}{
		{want / 4, func() error { w.proc.kill(); return nil }},
		{want / 2, func() error { return w.proc.stop() }},
		{want * 3 / 4, func() error { w.proc.kill(); return nil }},
	}
	done := 0
	env, args := against(w.proc)
	v, said := checkGuarantee(t, env, append(args, "--answers", strconv.Itoa(want), "--seed", "20"), func(answers int) {
		if done == len(restarts) || answers < restarts[done].at {
			return
		}
		done++
		if err := restarts[done-1].end(); err != nil {
			t.Error(err)
		}
		if err := w.start(w.args); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%v; %d restarts", v, done)
	switch {
	case len(v.Violations) > 0:
		t.Fatalf("the guarantee was violated\n%s", said)
	case v.Judged < int64(want) || done == 0 || v.Failed == 0:
		t.Errorf("%d restarts; %v", done, v)
	}
	for _, shape := range []string{"exact", "prefix", "suffix", "wildcard", "tag", "everything"} {
		if v.Items[shape] == 0 {
			t.Errorf("no item of shape %s", shape)
		}
	}
}

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
	if len(names) < 7 {
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
		some = []string{"hit-unchecked", "stamp-at-store"}
	}
	for _, m := range some {
		t.Run("mistake="+m, func(t *testing.T) { catches(t, planted, m) })
	}
}

func catches(t *testing.T, planted, mistake string) {
	t.Setenv("WARMFRONT", planted)
	t.Setenv("WARMFRONT_PLANT", mistake)
	w := newWorld(t.TempDir())
	defer w.close()
	if err := w.start(fixedAddresses(t)); err != nil {
		t.Fatal(err)
	}
	bound := 200000
	if mistake == "" {
		bound = 100000
	}
	env, args := against(w.proc)
	v, said := checkGuarantee(t, env, append(args, "--answers", strconv.Itoa(bound), "--seed", "5"), func(int) {})
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

// TestGuarantee_OfOthers runs the same experiment against Varnish and nginx, as an operator would set
// them up, and logs what it shows. It fails only if nothing could be shown.
func TestGuarantee_OfOthers(t *testing.T) {
	if !thorough() {
		t.Skip("part of make test-guarantee")
	}
	for _, c := range []struct {
		adapter string
		start   func(dir, address, origin string) *exec.Cmd
	}{
		{"varnish-ban", varnish},
		{"varnish-purge", varnish},
		{"nginx-purge", nginx},
	} {
		t.Run(c.adapter, func(t *testing.T) {
			origin, address := freeAddress(t), freeAddress(t)
			cmd := c.start(t.TempDir(), address, origin)
			if cmd.Err != nil {
				t.Skipf("not installed: %v", cmd.Err)
			}
			log := &syncBuffer{}
			cmd.Stdout, cmd.Stderr = log, log
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
			if err := cmd.Start(); err != nil {
				t.Skip(err)
			}
			defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
			if err := newWorld("").until(20*time.Second, func() (bool, error) {
				conn, err := net.Dial("tcp", address)
				if err == nil {
					conn.Close()
				}
				return err == nil, nil
			}); err != nil {
				t.Skipf("it does not start; its packages are named in docs/guarantee.md\n%s", log)
			}
			v, said := checkGuarantee(t, nil, []string{"--adapter", c.adapter, "--edges", "http://" + address, "--origin-listen", origin,
				"--answers", "60000", "--seed", "20", "--keep-going"}, func(int) {})
			t.Logf("%v\n%s", v, said)
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const examples = "../docs/examples/guarantee/"

func varnish(dir, address, origin string) *exec.Cmd {
	vcl := filepath.Join(dir, "ban.vcl")
	adapt(filepath.Join(examples, "ban.vcl"), vcl, origin, address, dir)
	return exec.Command("varnishd", "-F", "-a", address, "-f", vcl, "-s", "malloc,256m", "-n", filepath.Join(dir, "work"), "-j", "none")
}

func nginx(dir, address, origin string) *exec.Cmd {
	conf := filepath.Join(dir, "nginx.conf")
	adapt(filepath.Join(examples, "nginx.conf"), conf, origin, address, dir)
	directives := "daemon off;"
	if os.Geteuid() == 0 {
		directives += " user root;" // or its workers cannot write where the test may
	}
	return exec.Command("nginx", "-c", conf, "-p", dir, "-g", directives)
}

// adapt copies an example with other addresses.
func adapt(from, to, origin, address, dir string) {
	b, err := os.ReadFile(from)
	if err != nil {
		panic(err)
	}
	_, port, _ := net.SplitHostPort(origin)
	s := strings.NewReplacer("127.0.0.1:8200", origin, `"8200"`, `"`+port+`"`, "127.0.0.1:6081", address, "/var/cache/nginx", dir).Replace(string(b))
	if err := os.WriteFile(to, []byte(s), 0o644); err != nil {
		panic(err)
	}
}
