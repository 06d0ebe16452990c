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

// TestCluster checks the promise while the network between machines and the machines themselves fail. In make test each fault is
// short; make test-cluster names with CLUSTER_PAUSE one that is longer than the lease.
func TestCluster(t *testing.T) {
	c := startCluster(t, 3, 6)
	c.suffer(c.faults(clusterPause()), 500*time.Millisecond)
}

// clusterPause is how long faults last of which it matters that they are longer than a lease.
func clusterPause() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CLUSTER_PAUSE")); err == nil {
		return d
	}
	return 300 * time.Millisecond
}

// suffer lets faults happen, those that the environment picks, and fails if the promise is not kept meanwhile.
func (c *cluster) suffer(faults []fault, rest time.Duration) {
	c.t.Helper()
	which := regexp.MustCompile(os.Getenv("CLUSTER_FAULTS")) // all, if it is not set
	v, said := c.check(slices.DeleteFunc(faults, func(f fault) bool { return !which.MatchString(f.name) }), rest)
	c.t.Log(v)
	if len(v.Violations) > 0 {
		c.t.Fatalf("%s", said)
	}
	if v.Judged < 1000 || v.Hits == 0 || v.Invalidations == 0 {
		c.t.Errorf("nothing has been shown: %v", v)
	}
}

// faults are what happens, in this order. Each begins and ends; pause is how long those last of which it matters that they are longer
// than a lease, a quarter of it how long all others last.
func (c *cluster) faults(pause time.Duration) (all []fault) {
	add := func(name string, run func() error) { all = append(all, fault{name, run}) }
	lasting := func(undo func() error, err error) error { return during(pause, undo, err) }
	passing := func(undo func() error, err error) error { return during(pause/4, undo, err) }
	near, kept, far := c.edges[0], c.edges[1], c.edges[5] // the first two are the parents of all others
	controls, edges := hosts(c.controls...), hosts(c.edges...)

	add("nothing, for longer than a cluster may be without a leader", func() error {
		<-time.After(12 * time.Second)
		return c.allAnswer()
	})
	add("an edge is cut off from all control nodes", func() error { return lasting(cutOff(hosts(near), controls)) })
	add("an edge hears nothing from control nodes", func() error { return lasting(near.host.deafTo(controls...)) })
	add("control nodes are cut off from all edges", func() error { return lasting(cutOff(controls, edges)) })
	add("an edge loses its origin", func() error { return passing(far.host.deafTo(c.desk)) })
	add("a tenth of what control nodes send to an edge is lost", func() error { return passing(far.host.losing(0.1, controls...)) })
	add("an edge hears nothing from its parents", func() error { return passing(far.host.deafTo(near.host, kept.host)) })
	add("a parent hears nothing from its children", func() error { return passing(near.host.deafTo(edges[2:]...)) })
	add("parents are cut off from all control nodes", func() error { return lasting(cutOff(edges[:2], controls)) })
	add("a tenth of what parents send to an edge is lost", func() error { return passing(far.host.losing(0.1, near.host, kept.host)) })
	for i, n := range c.controls { // one of them leads
		rest := hosts(slices.Concat(c.controls[:i], c.controls[i+1:])...)
		other := rest[0]
		add(n.name+" hears nothing from an edge", func() error { return lasting(n.host.deafTo(near.host)) })
		add(n.name+" is cut off from the other control nodes, and has its clients", func() error { return lasting(cutOff(hosts(n), rest)) })
		add(n.name+" hears nothing from one other control node", func() error { return passing(n.host.deafTo(other)) })
		add(n.name+" loses a tenth of what the others send", func() error { return passing(n.host.losing(0.1, rest...)) })
		add(n.name+" stands still", func() error { return lasting(still(n)) })
		add(n.name+" is killed", func() error { n.proc.kill(); return c.start(n) })
	}
	relay := hosts(c.relay)
	add("a relay is cut off from all control nodes", func() error { return lasting(cutOff(relay, controls)) })
	add("a relay hears nothing from its edges", func() error { return lasting(c.relay.host.deafTo(edges...)) })
	add("an edge hears nothing from its relay", func() error { return lasting(far.host.deafTo(relay...)) })
	add("a relay stands still", func() error { return lasting(still(c.relay)) })
	add("a relay is killed", func() error { c.relay.proc.kill(); return c.start(c.relay) })
	add("an edge stands still", func() error { return lasting(still(near)) })
	add("an edge is killed", func() error { far.proc.kill(); return c.start(far) })
	add("an edge is killed, and comes back with flipped bits on its disk", func() error {
		kept.proc.kill()
		return errors.Join(flipBits(filepath.Join(kept.dir, "data"), 1000), c.start(kept))
	})
	c.addReplicaFaults(add)
	if c.controls[0].disk == nil {
		return all
	}
	add("all control nodes lose their power", func() error { return c.cutPower(c.controls) }) // just after one of them has been mended: what it was mended with must be written through
	for _, n := range []*node{c.controls[0], c.controls[1], kept} {
		add("the disk of "+n.name+" is slow", func() error { return passing(n.disk.slow(400*time.Millisecond, 20*time.Millisecond)) })
	}
	add("the disk of a control node stands still", func() error { return lasting(c.controls[1].disk.slow(pause, time.Millisecond)) })
	add("the disk of a control node is full", func() error { return passing(c.controls[0].disk.fill()) })
	add("the disk of an edge is full", func() error { return passing(kept.disk.fill()) })
	return all
}

// addReplicaFaults adds what may happen to the journal of one control node: the others mend it.
func (c *cluster) addReplicaFaults(add func(name string, run func() error)) {
	n := c.controls[2]
	replica := filepath.Join(n.dir, "data", "journal")
	add("a control node is killed, and comes back with flipped bits in its journal", func() error {
		n.proc.kill()
		return errors.Join(flipBits(replica, 3), c.start(n))
	})
	add("a control node is killed, and comes back with half of its journal's largest file", func() error {
		n.proc.kill()
		name, size, err := largest(replica)
		return errors.Join(err, os.Truncate(name, size/2), c.start(n))
	})
	add("a control node comes back with an old copy of its journal", func() error {
		old := filepath.Join(c.dir, "old")
		if err := errors.Join(n.proc.stop(), run("cp", "-a", replica, old), c.start(n)); err != nil {
			return err
		}
		<-time.After(time.Second) // in which the others go on
		n.proc.kill()
		return errors.Join(run("rm", "-r", replica), run("cp", "-a", old, replica), run("sync", "-f", replica), c.start(n))
	})
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

// still stops a process where it is.
func still(n *node) (on func() error, err error) {
	p := n.proc.cmd.Process
	return func() error { return p.Signal(syscall.SIGCONT) }, p.Signal(syscall.SIGSTOP)
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
