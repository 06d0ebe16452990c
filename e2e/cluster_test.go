package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cluster is control nodes and edges, each on a host of its own, and a desk: the host of the checker and its origin.
type cluster struct {
	t        *testing.T
	dir      string
	wire     *wire
	desk     *host
	nats     []*node // that have the journal; none: control nodes have it
	controls []*node
	edges    []*node
	relay    *node // of the last location's edges; nil: they are too few
}

// node is one machine: a host, a directory and the process that runs there.
type node struct {
	name string
	host *host
	dir  string
	disk *volume  // on which dir is; nil: file systems cannot be mounted here
	args []string // of its next start
	nats bool     // it is a server of NATS, not of ours
	proc *process
}

const (
	originPort  = 18200
	originName  = "checker.test"
	controlPort = 19000
	journalPort = 14443
	clusterPort = 14444
	tierPort    = 14445
	slowPort    = 14446 // on the desk: the long way to an edge's tierPort
	relayPort   = 14447
	natsPort    = 14222
	routePort   = 14248
	viewerPort  = 18080
)

// longWay is how long anything takes on the long way to a parent, each way.
const longWay = 30 * time.Millisecond

// startCluster starts control nodes and edges. Locations are three, of two edges each; those of the first are parents of all others,
// and the way to the second of them is long.
func startCluster(t *testing.T, controls, edges int) *cluster {
	t.Helper()
	return startClusterOn(t, 0, controls, edges)
}

// startClusterOn starts so many servers of NATS before, which have the journal.
func startClusterOn(t *testing.T, servers, controls, edges int) *cluster {
	t.Helper()
	w, err := newWire(t)
	if err != nil {
		t.Skipf("LEFT OUT, there is no network of which anything could be cut: %v", err)
	}
	c := &cluster{t: t, dir: t.TempDir(), wire: w}
	c.desk = c.host("desk")
	for i := range servers {
		c.nats = append(c.nats, c.node(fmt.Sprintf("nats%d", i+1)))
	}
	for i := range controls {
		c.controls = append(c.controls, c.node(fmt.Sprintf("control%d", i+1)))
	}
	for i := range edges {
		c.edges = append(c.edges, c.node(fmt.Sprintf("%s-%d", []string{"FRA50", "IAD89", "GRU3"}[i/2%3], i+1)))
	}
	if edges > 4 {
		c.relay = c.node("relay1")
	}
	t.Cleanup(c.close) // before the volumes are unmounted
	if servers > 0 {
		c.startNATS()
		c.startControlsOnNATS()
	} else {
		c.startControls()
	}
	if c.relay != nil {
		c.startRelay()
	}
	for i, n := range c.edges {
		tier := n.host.found(tierPort)
		n.args = []string{"edge", "--http", n.host.at(viewerPort), "--https", "off", "--cache-size", "16MiB",
			"--origin", originName + "=" + c.desk.found(originPort), "--tier", n.host.at(tierPort)}
		if servers == 0 || i == 1 { // any may be killed: without a disk it would forget what viewers have changed through it, and be shown that by its neighbour
			n.args = append(n.args, "--disk-cache", "64MiB")
		}
		if i == 1 {
			tier = c.delay(slowPort, tier, longWay)
		}
		if i >= 4 {
			n.args = append(n.args, "--relays", c.relay.host.found(relayPort))
		}
		n.args = append(n.args, "--tier-advertise", tier)
		once := n.args
		n.args = append(once[:len(once):len(once)], "--token", c.token(n.name))
		c.mustStart(n)
		n.args = once
	}
	for _, child := range []string{"IAD89", "GRU3"} {
		c.setParent(child, "FRA50")
	}
	return c
}

// startRelay starts the relay.
func (c *cluster) startRelay() {
	c.t.Helper()
	n := c.relay
	once := []string{"relay", "--listen", n.host.at(relayPort)}
	n.args = append(once[:len(once):len(once)], "--token", c.tokenOf("relay", n.name))
	c.mustStart(n)
	n.args = once
}

// setParent makes a place the parent of another.
func (c *cluster) setParent(child, parent string) {
	c.t.Helper()
	c.await(child+" has the parent "+parent, func() bool { return c.putParent(c.controls[0], child, parent) == nil })
}

// putParent is the same by way of a control node, tried once. It always writes to the journal.
func (c *cluster) putParent(n *node, child, parent string) error {
	env, _ := against(c.controls[0].proc)
	cmd := c.desk.command(binary(), "place", "set", child, "--parent", parent)
	cmd.Env = append(append(os.Environ(), env...), "AWS_ENDPOINT_URL_CLOUDFRONT="+n.proc.ready.API)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", n.name, err, out)
	}
	return nil
}

// delay starts a small proxy on the desk, which takes its time, and returns where.
func (c *cluster) delay(port int, to string, by time.Duration) string {
	c.t.Helper()
	at := c.desk.at(port)
	cmd := c.desk.command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("E2E_DELAY=%s,%s,%s", at, to, by))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.desk.runs(cmd)
	c.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return at
}

// startControls grows the control nodes from the first one.
func (c *cluster) startControls() {
	c.t.Helper()
	var peers []string
	for _, n := range c.controls {
		n.args = []string{"control", "--control", n.host.at(controlPort), "--journal", n.host.at(journalPort), "--advertise", n.host.found(journalPort)}
		peers = append(peers, n.name+"="+n.host.found(clusterPort))
	}
	first := c.controls[0]
	c.mustStart(first)
	if len(c.controls) == 1 {
		return
	}
	for _, n := range c.controls {
		n.args = append(n.args, "--name", n.name, "--peers", strings.Join(peers, ","), "--cluster-address", n.host.at(clusterPort))
	}
	for _, n := range c.controls[1:] {
		token, err := first.host.command(binary(), "control", "token", n.name, "--data", filepath.Join(first.dir, "data")).Output()
		if err != nil {
			c.t.Fatalf("control token: %v", err)
		}
		n.proc, err = n.host.begin(n.dir, append(n.args[:len(n.args):len(n.args)], "--token", strings.TrimSpace(string(token))))
		if err != nil {
			c.t.Fatal(err)
		}
		c.await(n.name+" has the authority", func() bool {
			_, err := os.Stat(filepath.Join(n.dir, "data", "authority", "authority.pem"))
			return err == nil
		})
	}
	if err := first.proc.stop(); err != nil {
		c.t.Fatal(err)
	}
	c.mustStart(first)
	for _, n := range c.controls[1:] {
		if err := n.proc.awaitReady(n.dir); err != nil {
			c.t.Fatalf("%s: %v", n.name, err)
		}
	}
}

// await waits until it is so, for as long as anything may take.
func (c *cluster) await(what string, so func() bool) {
	c.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !so(); <-tick.C {
		if time.Now().After(deadline) {
			c.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (c *cluster) host(name string) *host {
	c.t.Helper()
	h, err := c.wire.host(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

func (c *cluster) node(name string) *node {
	dir := filepath.Join(c.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	n := &node{name: name, host: c.host(name), dir: dir}
	disk, err := newVolume(c.t, dir, 256)
	if err != nil {
		c.t.Logf("no disk of %s gets full: %v", name, err)
		return n
	}
	n.dir, n.disk = disk.dir, disk
	return n
}

// start starts nodes, or starts them again, and waits until all serve.
func (c *cluster) start(all ...*node) (err error) {
	for _, n := range all {
		if n.proc, err = n.begin(); err != nil {
			return err
		}
	}
	for _, n := range all {
		if err := n.awaitReady(); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

// begin starts it, and does not wait.
func (n *node) begin() (*process, error) {
	if n.nats {
		return n.beginNATS()
	}
	return n.host.begin(n.dir, n.args)
}

// awaitReady waits until it serves.
func (n *node) awaitReady() error {
	if n.nats {
		return n.proc.awaitNATS()
	}
	return n.proc.awaitReady(n.dir)
}

func (c *cluster) mustStart(all ...*node) {
	c.t.Helper()
	if err := c.start(all...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) close() {
	for _, n := range append(slices.Concat(c.edges, c.controls, c.nats), c.relay) {
		if n == nil || n.proc == nil {
			continue
		}
		if c.t.Failed() {
			c.t.Logf("%s:\n%s", n.name, n.proc.log)
		}
		select {
		case <-n.proc.ended:
		default:
			n.proc.kill()
		}
	}
}

func (c *cluster) token(name string) string { return c.tokenOf("edge", name) }

func (c *cluster) tokenOf(role, name string) string {
	c.t.Helper()
	out, err := c.desk.command(binary(), role, "token", name, "--data", filepath.Join(c.controls[0].dir, "data")).Output()
	if err != nil {
		c.t.Fatalf("%s token: %v", role, err)
	}
	return strings.TrimSpace(string(out))
}

// fault is something that goes wrong and is mended again, both within run.
type fault struct {
	name string
	run  func() error
	rest time.Duration // before it
}

// check runs the checker against all edges while faults happen one after another.
func (c *cluster) check(faults []fault) (*verdict, string) {
	c.t.Helper()
	var urls, apis []string
	for _, n := range c.edges {
		urls = append(urls, "http://"+n.host.at(viewerPort))
	}
	for _, n := range c.controls {
		apis = append(apis, n.proc.ready.API)
	}
	env, _ := against(c.controls[0].proc)
	args := []string{"--api", strings.Join(apis, ","), "--edges", strings.Join(urls, ","), "--large", "0", "--seed", "22", "--duration", "1h", "--readers", "8", "--pause", "200ms",
		"--origin-listen", c.desk.at(originPort), "--origin-name", originName}
	var now atomic.Int64 // answers
	var all atomic.Bool  // has happened
	var happening sync.WaitGroup
	over := make(chan struct{})
	begin := sync.OnceFunc(func() {
		happening.Go(func() {
			for _, f := range faults {
				select {
				case <-over:
					return
				case <-time.After(f.rest):
				}
				began, answers := time.Now(), now.Load()
				if err := f.run(); err != nil {
					c.t.Errorf("%s: %v", f.name, err)
				}
				c.t.Logf("%s: %v, from %d answers on", f.name, time.Since(began).Round(time.Millisecond), answers)
			}
			<-time.After(500 * time.Millisecond)
			all.Store(true)
		})
	})
	defer func() { close(over); happening.Wait() }()
	return checkGuaranteeOn(c.t, c.desk, env, args, func(p *os.Process, answers int) {
		now.Store(int64(answers))
		begin()
		if all.Load() {
			p.Signal(os.Interrupt)
		}
	})
}
