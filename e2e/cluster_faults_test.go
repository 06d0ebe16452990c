package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestCluster checks the promise while the network between machines and the machines themselves fail: all that can, in another order each time, at
// other moments and on other machines, as chance has it. In make test each fault is
// short; make test-cluster names with CLUSTER_PAUSE one that is longer than the lease.
func TestCluster(t *testing.T) {
	c := startCluster(t, 3, 6)
	c.suffer(c.faults(clusterPause(), 500*time.Millisecond))
}

// clusterPause is how long faults last of which it matters that they are longer than a lease.
func clusterPause() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CLUSTER_PAUSE")); err == nil {
		return d
	}
	return 300 * time.Millisecond
}

// suffer lets faults happen, those that the environment picks, and fails if the promise is not kept meanwhile.
func (c *cluster) suffer(faults []fault) {
	c.t.Helper()
	which := regexp.MustCompile(os.Getenv("CLUSTER_FAULTS")) // all, if it is not set
	v, said := c.check(slices.DeleteFunc(faults, func(f fault) bool { return !which.MatchString(f.name) }))
	c.t.Log(v)
	if len(v.Violations) > 0 {
		c.t.Fatalf("%s", said)
	}
	if v.Judged < 1000 || v.Hits == 0 || v.Invalidations == 0 {
		c.t.Errorf("nothing has been shown: %v", v)
	}
}

// faults are all that happens. Each begins and ends; pause is how long those last of which it matters that they are longer
// than a lease, a quarter of it how long all others last, and rest what is between them, on average.
func (c *cluster) faults(pause, rest time.Duration) []fault {
	a := &troubles{chance: newChance(c.t)}
	lasting := func(undo func() error, err error) error { return during(pause, undo, err) }
	passing := func(undo func() error, err error) error { return during(pause/4, undo, err) }
	c.addEdgeFaults(a, lasting, passing)
	for _, n := range c.controls { // one of them leads
		c.addControlFaults(a, n, lasting, passing)
	}
	c.addRelayFaults(a, lasting)
	c.addDeaths(a, pause/9)
	c.addReplicaFaults(a)
	if c.controls[0].disk != nil {
		a.then("all control nodes lose their power", func() error { return c.cutPower(c.controls) }) // just after one of them has been mended: what it was mended with must be written through
		c.addDiskFaults(a, pause, lasting, passing)
	}
	nothing := fault{name: "nothing, for longer than a cluster may be without a leader", run: func() error {
		<-time.After(12 * time.Second)
		return c.allAnswer()
	}}
	return append([]fault{nothing}, a.mixed(rest)...)
}

// lasts lets something that has begun last for a while, and then ends it.
type lasts func(undo func() error, err error) error

// addEdgeFaults adds what comes between edges and all others. The first two edges are the parents of all others; the last two have a relay, and come to no control node.
func (c *cluster) addEdgeFaults(a *troubles, lasting, passing lasts) {
	controls, edges, parents := hosts(c.controls...), hosts(c.edges...), hosts(c.edges[:2]...)
	edge := func(what string, some []*node, run func(n *node) error) {
		n := a.one(some)
		a.add(n.name+" "+what, func() error { return run(n) })
	}
	direct, children, parent := c.edges[:4], c.edges[2:], c.edges[:2]
	edge("is cut off from all control nodes", direct, func(n *node) error { return lasting(cutOff(hosts(n), controls)) })
	edge("hears nothing from control nodes", direct, func(n *node) error { return lasting(n.host.deafTo(controls...)) })
	edge("loses its origin", c.edges, func(n *node) error { return passing(n.host.deafTo(c.desk)) })
	edge("loses a tenth of what control nodes send", direct, func(n *node) error { return passing(n.host.losing(0.1, controls...)) })
	edge("hears nothing from its parents", children, func(n *node) error { return passing(n.host.deafTo(parents...)) })
	edge("hears nothing from its children", parent, func(n *node) error { return passing(n.host.deafTo(edges[2:]...)) })
	edge("loses a tenth of what its parents send", children, func(n *node) error { return passing(n.host.losing(0.1, parents...)) })
	edge("stands still", c.edges, func(n *node) error { return lasting(stopped(n)) })
	a.add("control nodes are cut off from all edges", func() error { return lasting(cutOff(controls, edges)) })
	a.add("parents are cut off from all control nodes", func() error { return lasting(cutOff(parents, controls)) })
}

// addControlFaults adds what comes between a control node and all others.
func (c *cluster) addControlFaults(a *troubles, n *node, lasting, passing lasts) {
	others := without(n, c.controls)
	rest, other := hosts(others...), a.one(others)
	a.add(n.name+" is cut off from the other control nodes, and has its clients", func() error { return lasting(cutOff(hosts(n), rest)) })
	a.add(n.name+" hears nothing from "+other.name, func() error { return passing(n.host.deafTo(other.host)) })
	a.add(n.name+" loses a tenth of what the others send", func() error { return passing(n.host.losing(0.1, rest...)) })
	a.add(n.name+" stands still", func() error { return lasting(stopped(n)) })
}

// addRelayFaults adds what comes between the relay and all others, and what a control node does not hear of an edge.
func (c *cluster) addRelayFaults(a *troubles, lasting lasts) {
	relay, far, near, control := hosts(c.relay), a.one(c.edges[4:]), a.one(c.edges[:4]), a.one(c.controls)
	a.add("the relay is cut off from all control nodes", func() error { return lasting(cutOff(relay, hosts(c.controls...))) })
	a.add("the relay hears nothing from its edges", func() error { return lasting(c.relay.host.deafTo(hosts(c.edges...)...)) })
	a.add(far.name+" hears nothing from its relay", func() error { return lasting(far.host.deafTo(relay...)) })
	a.add("the relay stands still", func() error { return lasting(stopped(c.relay)) })
	a.add(control.name+" hears nothing from "+near.name, func() error { return lasting(control.host.deafTo(near.host)) })
}

// addDeaths adds kill -9 for each control node, the relay, an edge, and one of each role at the same moment. They are started again within a while.
func (c *cluster) addDeaths(a *troubles, while time.Duration) {
	killed := func(what string, some ...*node) {
		for i, n := range some {
			what = n.name + []string{" ", " and "}[min(i, 1)] + what
		}
		away := a.within(while)
		a.add(what, func() error { return c.killed(away, some...) })
	}
	for _, n := range c.controls {
		killed("is killed", n)
	}
	killed("is killed", c.relay)
	killed("is killed", a.one(c.edges))
	killed("are killed at the same moment", a.one(c.controls), c.relay, a.one(c.edges))
	n := a.one(c.edges)
	a.add(n.name+" is killed, and comes back with flipped bits on its disk", func() error {
		n.proc.kill()
		return errors.Join(flipBits(filepath.Join(n.dir, "data"), 1000), c.start(n))
	})
}

// killed kills machines at the same moment, and starts them again when they have been away for a while.
func (c *cluster) killed(away time.Duration, some ...*node) error {
	for _, n := range some {
		n.proc.kill()
	}
	<-time.After(away)
	return c.start(some...)
}

// addReplicaFaults adds what may happen to the journal of a control node: the others mend it.
func (c *cluster) addReplicaFaults(a *troubles) {
	replica := func(n *node) string { return filepath.Join(n.dir, "data", "journal") }
	flipped, cut, old := a.one(c.controls), a.one(c.controls), a.one(c.controls)
	a.add(flipped.name+" is killed, and comes back with flipped bits in its journal", func() error {
		flipped.proc.kill()
		return errors.Join(flipBits(replica(flipped), 3), c.start(flipped))
	})
	a.add(cut.name+" is killed, and comes back with half of its journal's largest file", func() error {
		cut.proc.kill()
		name, size, err := largest(replica(cut))
		return errors.Join(err, os.Truncate(name, size/2), c.start(cut))
	})
	a.add(old.name+" comes back with an old copy of its journal", func() error {
		was := filepath.Join(c.dir, "old")
		if err := errors.Join(old.proc.stop(), run("cp", "-a", replica(old), was), c.start(old)); err != nil {
			return err
		}
		<-time.After(time.Second) // in which the others go on
		old.proc.kill()
		return errors.Join(run("rm", "-r", replica(old)), run("cp", "-a", was, replica(old)), run("sync", "-f", replica(old)), c.start(old))
	})
}

// addDiskFaults adds what may be wrong with the file systems of two control nodes and of an edge.
func (c *cluster) addDiskFaults(a *troubles, pause time.Duration, lasting, passing lasts) {
	for _, n := range append(a.some(2, c.controls), a.one(c.edges)) {
		a.add("the disk of "+n.name+" is slow", func() error { return passing(n.disk.slow(400*time.Millisecond, 20*time.Millisecond)) })
	}
	still := a.one(c.controls)
	a.add("the disk of "+still.name+" stands still", func() error { return lasting(still.disk.slow(pause, time.Millisecond)) })
	edge, full := a.one(c.edges), a.one(c.controls)
	a.add("the disk of "+edge.name+" is full", func() error { return passing(edge.disk.fill()) })
	a.add("the disk of "+full.name+" is full", func() error { return errors.Join(passing(full.disk.fill()), c.again(full)) })
}

// again starts a control node again that ends now that its disk is not full any more, as its unit does. If nothing was to be written meanwhile, it does not end.
func (c *cluster) again(n *node) error {
	select {
	case <-n.proc.ended:
		return c.start(n)
	case <-time.After(5 * time.Second):
		return nil
	}
}

// during lets something last that has begun.
func during(d time.Duration, undo func() error, err error) error {
	if err != nil {
		return err
	}
	<-time.After(d)
	return undo()
}

// allAnswer reports a control node that does not.
func (c *cluster) allAnswer() error {
	for _, n := range c.controls {
		out, err := c.desk.command("curl", "-sS", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}", n.proc.ready.Console).CombinedOutput()
		if err != nil || string(out) != "200" {
			return fmt.Errorf("%s: %s, %v", n.name, out, err)
		}
	}
	return nil
}

// cutPower cuts that of several machines at the same moment.
func (c *cluster) cutPower(machines []*node) error {
	var all []error
	for _, n := range machines {
		n.proc.cmd.Process.Signal(syscall.SIGSTOP)
	}
	for _, n := range machines {
		all = append(all, n.disk.cutPower())
		n.proc.kill()
		all = append(all, n.disk.powerOn())
	}
	return errors.Join(errors.Join(all...), c.start(machines...))
}

// stopped stops a process where it is.
func stopped(n *node) (on func() error, err error) {
	p := n.proc.cmd.Process
	return func() error { return p.Signal(syscall.SIGCONT) }, p.Signal(syscall.SIGSTOP)
}

// without are all but one.
func without(n *node, all []*node) []*node {
	return slices.DeleteFunc(slices.Clone(all), func(o *node) bool { return o == n })
}

func hosts(all ...*node) (h []*host) {
	for _, n := range all {
		h = append(h, n.host)
	}
	return h
}

// largest finds the largest file below dir.
func largest(dir string) (name string, size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if i, err := d.Info(); err == nil && i.Size() > size {
			name, size = path, i.Size()
		}
		return nil
	})
	if err == nil && size == 0 {
		err = fmt.Errorf("no file with content below %s", dir)
	}
	return name, size, err
}

// flipBits flips so many bits in the largest file below dir.
func flipBits(dir string, n int) error {
	name, size, err := largest(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for b := make([]byte, 1); n > 0; n-- {
		at := r.Int64N(size)
		if _, err := f.ReadAt(b, at); err != nil {
			return err
		}
		b[0] ^= 1 << r.IntN(8)
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return f.Sync()
}
