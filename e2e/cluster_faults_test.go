package e2e

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestCluster checks the promise while the network between machines and the machines themselves fail. In make test each fault is
// short; make test-cluster names with CLUSTER_PAUSE one that is longer than the lease.
func TestCluster(t *testing.T) {
	pause := 300 * time.Millisecond
	if d, err := time.ParseDuration(os.Getenv("CLUSTER_PAUSE")); err == nil {
		pause = d
	}
	c := startCluster(t, 1, 6)
	v, said := c.check(c.faults(pause), 500*time.Millisecond)
	t.Log(v)
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
	if v.Judged < 1000 || v.Hits == 0 || v.Invalidations == 0 {
		t.Errorf("nothing has been shown: %v", v)
	}
}

func (c *cluster) faults(pause time.Duration) []fault {
	lasting := func(undo func() error, err error) error {
		if err != nil {
			return err
		}
		<-time.After(pause)
		return undo()
	}
	control, near, kept, far := c.controls[0], c.edges[0], c.edges[1], c.edges[5]
	all := []*host{}
	for _, n := range c.edges {
		all = append(all, n.host)
	}
	faults := []fault{
		{"an edge and the control node are cut off from each other", func() error {
			return lasting(cutOff([]*host{near.host}, []*host{control.host}))
		}},
		{"an edge hears nothing from the control node", func() error { return lasting(near.host.deafTo(control.host)) }},
		{"the control node hears nothing from an edge", func() error { return lasting(control.host.deafTo(near.host)) }},
		{"the control node is cut off from all edges", func() error { return lasting(cutOff([]*host{control.host}, all)) }},
		{"a tenth of what the control node sends to an edge is lost", func() error { return lasting(far.host.losing(0.1, control.host)) }},
		{"a tenth of what edges send to the control node is lost", func() error { return lasting(control.host.losing(0.1, all...)) }},
		{"an edge loses its origin", func() error { return lasting(far.host.deafTo(c.desk)) }},
		{"an edge is killed", func() error { far.proc.kill(); c.start(far); return nil }},
		{"the control node is killed", func() error { control.proc.kill(); c.start(control); return nil }},
		{"an edge is killed, and comes back with flipped bits on its disk", func() error {
			kept.proc.kill()
			if err := flipBits(filepath.Join(kept.dir, "data"), 1000); err != nil {
				return err
			}
			c.start(kept)
			return nil
		}},
		{"an edge stands still", func() error { return lasting(still(near)) }},
		{"the control node stands still", func() error { return lasting(still(control)) }},
	}
	if control.disk == nil {
		return faults
	}
	return append(faults,
		fault{"the disk of the control node is full", func() error { return lasting(control.disk.fill()) }},
		fault{"the disk of an edge is full", func() error { return lasting(kept.disk.fill()) }},
	)
}

// still stops a process where it is.
func still(n *node) (on func() error, err error) {
	p := n.proc.cmd.Process
	return func() error { return p.Signal(syscall.SIGCONT) }, p.Signal(syscall.SIGSTOP)
}

// flipBits flips so many bits in the largest file below dir.
func flipBits(dir string, n int) error {
	name, size := "", int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if i, err := d.Info(); err == nil && i.Size() > size {
			name, size = path, i.Size()
		}
		return nil
	})
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
