package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// ownNATS is a server of NATS that is nobody's but the operator's: a process of its own, with the configuration that docs/operate.md has.
type ownNATS struct {
	binary, conf, address string
	proc                  *process // nil: it is down
}

// build makes its binary, of the module that the engine is.
func (n *ownNATS) build() error {
	out, err := exec.Command("go", "build", "-C", "..", "-o", n.binary, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// nats [up|down]: starts it, kills it, starts it again on its data, and waits for the control node. $NATS is where it is, with the password.
func natsVerb(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	if w.nats == nil {
		n, err := newNATS(w.dir)
		ts.Check(err)
		w.nats = n
		ts.Defer(n.down)
		ts.Setenv("NATS", "nats://warmfront:s3cret@"+n.address)
	}
	if len(args) == 1 && args[0] == "down" {
		w.nats.down()
		return
	}
	check(ts, neg, w.nats.up())
	if w.proc != nil {
		ts.Check(w.until(patience, w.answers))
	}
}

// answers tells whether the control node serves: it answers 503 to everything while it is without NATS.
func (w *world) answers() (bool, error) {
	r, err := w.web.Get(w.proc.ready.API)
	if err != nil {
		return false, err
	}
	return r.StatusCode != http.StatusServiceUnavailable, r.Body.Close()
}

func newNATS(dir string) (*ownNATS, error) {
	n := &ownNATS{binary: filepath.Join(dir, "nats-server"), conf: filepath.Join(dir, "nats-server.conf"), address: fixedAddress()}
	if err := n.configure(filepath.Join(dir, "nats"), ""); err != nil {
		return nil, err
	}
	return n, n.build()
}

// configure writes the configuration that docs/operate.md has, with what else there is to say.
func (n *ownNATS) configure(store, more string) error {
	doc, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		return err
	}
	_, conf, _ := strings.Cut(string(doc), "```conf\n")
	conf, _, found := strings.Cut(conf, "```")
	if there := `"/var/lib/nats"`; !found || strings.Count(conf, there) != 1 {
		return fmt.Errorf("docs/operate.md has no configuration that can be used here:\n%s", conf)
	}
	return os.WriteFile(n.conf, []byte(strings.Replace(conf, "/var/lib/nats", store, 1)+more), 0o600)
}

// up starts it, and waits until it takes connections.
func (n *ownNATS) up() (err error) {
	host, port, _ := net.SplitHostPort(n.address)
	if n.proc, err = beginNATS(exec.Command(n.binary, "-c", n.conf, "-a", host, "-p", port)); err != nil {
		return err
	}
	return n.proc.awaitNATS()
}

func beginNATS(cmd *exec.Cmd) (*process, error) {
	p := &process{log: &syncBuffer{}, ended: make(chan struct{}), cmd: cmd}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	return p, nil
}

// awaitNATS waits until a server of NATS says that it takes connections.
func (p *process) awaitNATS() error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if strings.Contains(p.log.String(), "Server is ready") {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("nats-server ended: %v\n%s", p.err, p.log)
		}
	}
	return fmt.Errorf("nats-server takes no connections\n%s", p.log)
}

// down kills it.
func (n *ownNATS) down() {
	if n.proc != nil {
		n.proc.kill()
		n.proc = nil
	}
}
