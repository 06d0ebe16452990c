package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCluster_YourNATS checks the promise with the journal in three servers of NATS, each a process on a host of its own, while these and the control
// nodes fail, and the ways between them. At the end all control nodes write, and the journal is in order for each of them.
func TestCluster_YourNATS(t *testing.T) {
	c := startClusterOn(t, 3, 3, 4)
	pause := clusterPause()
	c.suffer(c.natsFaults(pause, 200*time.Millisecond, pause > 10*time.Second))
	for _, n := range c.controls {
		out, err := c.desk.command(binary(), "fsck", "--data", filepath.Join(n.dir, "data"), "--nats", c.natsURLs((*host).at)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "the journal is in order") {
			t.Errorf("fsck of %s: %v\n%s", n.name, err, out)
		}
	}
}

// natsFaults are all that happens: pause is how long those last of which it matters that they are longer than a lease, and rest what is between them, on average.
// With all, each server is cut off from others and killed, each control node is killed, and one whose server is cut off from the others must go to another.
func (c *cluster) natsFaults(pause, rest time.Duration, all bool) []fault {
	a := &troubles{chance: newChance(c.t)}
	lasting := func(undo func() error, err error) error { return during(pause, undo, err) }
	passing := func(undo func() error, err error) error { return during(pause/4, undo, err) }
	short := func(undo func() error, err error) error { return during(pause/9, undo, err) }
	killed := func(what string, some ...*node) {
		away := a.within(pause / 9)
		a.add(what, func() error { return c.killed(away, some...) })
	}
	many := 1
	if all {
		many = len(c.nats)
	}
	servers, controls := hosts(c.nats...), hosts(c.controls...)
	for _, n := range a.some(many, c.nats) { // one of them leads
		next := a.one(without(n, c.nats))
		a.add(n.name+" and "+next.name+" are cut off from each other", func() error { return short(cutOff(hosts(n), hosts(next))) })
		a.add(n.name+" hears nothing from "+next.name, func() error { return short(n.host.deafTo(next.host)) })
		a.add(n.name+" is cut off from the other servers, and has its clients", func() error {
			together, err := cutOff(hosts(n), hosts(without(n, c.nats)...))
			if err != nil || !all {
				return lasting(together, err)
			}
			return errors.Join(c.allWrite(), together())
		})
		killed(n.name+" is killed", n)
	}
	lossy, away, still := a.one(c.nats), a.one(c.nats), a.one(c.nats)
	a.add(lossy.name+" loses a tenth of what the others send", func() error { return short(lossy.host.losing(0.1, hosts(without(lossy, c.nats)...)...)) })
	a.add(away.name+" is cut off from all control nodes", func() error { return passing(cutOff(hosts(away), controls)) })
	a.add(still.name+" stands still", func() error { return passing(stopped(still)) })
	for _, n := range a.some(many, c.controls) {
		killed(n.name+" is killed", n)
	}
	one, other := a.one(c.controls), a.one(c.controls)
	a.add(one.name+" is cut off from all servers", func() error { return short(cutOff(hosts(one), servers)) })
	a.add(other.name+" stands still", func() error { return lasting(stopped(other)) })
	a.add("all control nodes are cut off from all servers", func() error { return lasting(cutOff(controls, servers)) })
	if all {
		killed("most servers are killed", a.some(2, c.nats)...)
	}
	if c.nats[0].disk != nil {
		a.add("all servers lose their power", func() error { return c.cutPower(c.nats) })
	} else {
		killed("all servers are killed", c.nats...)
	}
	return append(a.mixed(rest), fault{name: "nothing, until all control nodes write", run: c.allWrite})
}

// allWrite waits until each control node writes to the journal.
func (c *cluster) allWrite() error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, n := range c.controls {
		for deadline := time.Now().Add(2 * time.Minute); ; <-tick.C {
			err := c.putParent(n, "IAD89", "FRA50")
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("not within two minutes: %w", err)
			}
		}
	}
	return nil
}

// natsURLs are where the servers are, with the password: straight, or by ways that can be cut.
func (c *cluster) natsURLs(where func(h *host, port int) string) string {
	var all []string
	for _, n := range c.nats {
		all = append(all, "nats://warmfront:s3cret@"+where(n.host, natsPort))
	}
	return strings.Join(all, ",")
}

// startNATS starts the servers, as one cluster.
func (c *cluster) startNATS() {
	c.t.Helper()
	for _, n := range c.nats {
		var routes []string
		for _, o := range c.nats {
			if o != n {
				routes = append(routes, "nats-route://"+o.host.found(routePort))
			}
		}
		own := &ownNATS{binary: filepath.Join(c.dir, "nats-server"), conf: filepath.Join(c.dir, n.name+".conf")}
		err := own.configure(filepath.Join(n.dir, "data"), fmt.Sprintf("server_name: %s\nlisten: %q\nclient_advertise: %q\ncluster { name: yours, listen: %q, cluster_advertise: %q, routes: [%s] }\n",
			n.name, n.host.at(natsPort), n.host.found(natsPort), n.host.at(routePort), n.host.found(routePort), strings.Join(routes, ", ")))
		if err == nil && n == c.nats[0] {
			err = own.build()
		}
		if err != nil {
			c.t.Fatal(err)
		}
		n.nats, n.args = true, []string{own.binary, "-c", own.conf}
	}
	c.mustStart(c.nats...)
}

func (n *node) beginNATS() (*process, error) {
	p, err := beginNATS(n.host.command(n.args[0], n.args[1:]...))
	if err == nil {
		n.host.runs(p.cmd)
	}
	return p, err
}

// startControlsOnNATS starts the first control node, and lets the others join.
func (c *cluster) startControlsOnNATS() {
	c.t.Helper()
	for _, n := range c.controls {
		once := []string{"control", "--control", n.host.at(controlPort), "--journal", n.host.at(journalPort), "--advertise", n.host.found(journalPort),
			"--name", n.name, "--nats", c.natsURLs((*host).found), "--nats-sync-always"}
		n.args = once
		if n != c.controls[0] {
			n.args = append(once[:len(once):len(once)], "--token", c.tokenOf("control", n.name))
		}
		c.mustStart(n)
		n.args = once
	}
}
