package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

// controls are three control nodes, each in a process and a directory of its own.
type controls struct {
	t    *testing.T
	dirs []string
	args [][]string
	all  []*world // with nothing but their processes
}

// newControls grows three control nodes from one, which has an edge already.
func newControls(t *testing.T, first *world) *controls {
	t.Helper()
	c := &controls{t: t}
	var peers []string
	for i := range 3 {
		c.args = append(c.args, []string{"control", "--control", fixedAddress(), "--journal", fixedAddress(), "--name", fmt.Sprint("control", i+1)})
		peers = append(peers, fmt.Sprintf("control%d=%s", i+1, fixedAddress()))
		c.dirs = append(c.dirs, filepath.Join(first.dir, fmt.Sprint("control", i+1)))
		c.all = append(c.all, newWorld(c.dirs[i]))
		if err := os.MkdirAll(c.dirs[i], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c.dirs[0], c.all[0] = first.dir, first
	alone := c.args[0]
	if err := first.startControl(alone); err != nil {
		t.Fatal(err)
	}
	if err := first.startEdge("FRA50-1", nil); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 2)
	for i := range c.all {
		c.args[i] = append(c.args[i], "--peers", strings.Join(peers, ","))
		if i == 0 {
			continue
		}
		token, err := exec.Command(binary(), "control", "token", fmt.Sprint("control", i+1), "--data", filepath.Join(first.dir, "data")).Output()
		if err != nil {
			t.Fatal(err)
		}
		args := append(c.args[i], "--token", strings.TrimSpace(string(token)))
		go func() { started <- c.start(i, args) }()
	}
	for _, dir := range c.dirs[1:] {
		err := first.until(patience, func() (bool, error) {
			_, err := os.Stat(filepath.Join(dir, "data", "authority", "authority.pem"))
			return err == nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := first.proc.stop(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{c.start(0, c.args[0]), <-started, <-started} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// start starts a control node, and waits until it serves.
func (c *controls) start(i int, args []string) error {
	p, err := launch(c.dirs[i], args)
	if err == nil {
		if old := c.all[i].proc; old != nil {
			p.ready.Edges = old.ready.Edges
		}
		c.all[i].proc = p
	}
	return err
}

// replace is for a control node whose disk is lost: another machine takes its name.
func (c *controls) replace(i int) {
	c.t.Helper()
	c.all[i].proc.kill()
	if err := os.RemoveAll(filepath.Join(c.dirs[i], "data")); err != nil {
		c.t.Fatal(err)
	}
	if err := c.start(i, c.args[i]); err == nil || !strings.Contains(err.Error(), "holds no control node yet") {
		c.t.Errorf("with an empty disk and no token: %v", err)
	}
	token, err := exec.Command(binary(), "control", "token", fmt.Sprint("control", i+1), "--data", filepath.Join(c.dirs[0], "data")).Output()
	if err == nil {
		err = c.start(i, append(c.args[i], "--token", strings.TrimSpace(string(token))))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// inOrder stops a control node and looks at its replica.
func (c *controls) inOrder(t *testing.T, i int) {
	t.Helper()
	if err := c.all[i].proc.stop(); err != nil {
		t.Error(err)
	}
	out, err := exec.Command(binary(), "fsck", "--data", filepath.Join(c.dirs[i], "data")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), " in order") {
		t.Errorf("control%d: %v\n%s", i+1, err, out)
	}
}

// compact tells a control node to compact the journal that all have.
func (c *controls) compact(i int, flags ...string) (string, error) {
	cmd := exec.Command(binary(), append([]string{"compact", "--endpoint", c.all[i].proc.ready.API}, flags...)...)
	env, _ := against(c.all[i].proc)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *controls) close() {
	for _, w := range c.all {
		w.close()
	}
}

// TestControls invalidates by way of three control nodes in turn, of which one is killed in the middle. What was answered with 201 is
// known to all of them at once, once, and becomes Completed; and so is who may, whichever node it was made or taken away at.
func TestControls(t *testing.T) {
	w := newWorld(t.TempDir())
	c := newControls(t, w)
	defer c.close()
	o, err := newOrigin("o1", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.origins["o1"] = o
	var last error // they may be electing
	if err := w.until(patience, func() (bool, error) { last = w.create("d", map[string]string{"origin": "o1"}); return last == nil, nil }); err != nil {
		t.Fatal(errors.Join(err, last))
	}
	id := w.distributions["d"].id
	invalidate := func(i, n int) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := c.all[i].api().CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{DistributionId: &id, InvalidationBatch: &types.InvalidationBatch{
			CallerReference: aws.String(fmt.Sprint("ref-", n)), Paths: &types.Paths{Quantity: aws.Int32(1), Items: []string{fmt.Sprintf("/%d/*", n)}},
		}})
		if err != nil {
			return "", err
		}
		return *out.Invalidation.Id, nil
	}
	const many, killed, back, lost = 60, 15, 30, 45
	accepted := map[int]string{}
	alive := []int{0, 1, 2}
	c.whoMay("before", alive...)
	var meanwhile allowed
	for n := range many {
		switch n {
		case killed:
			w.proc.kill()
			alive = []int{1, 2}
			meanwhile = c.whoMay("meanwhile", alive...)
		case back:
			if err := c.start(0, c.args[0]); err != nil {
				t.Fatal(err)
			}
			c.stillSo(0, meanwhile, "meanwhile2")
			alive = []int{0, 1, 2}
		case lost:
			c.replace(2)
		}
		// A client that got no answer asks another one, with the same reference.
		err := w.until(patience, func() (bool, error) {
			for k := range alive {
				if got, err := invalidate(alive[(n+k)%len(alive)], n); err == nil {
					accepted[n] = got
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			t.Fatalf("invalidation %d: %v", n, err)
		}
		other := alive[(n+1)%len(alive)]
		if err := c.sees(other, id, accepted[n]); err != nil {
			t.Errorf("control%d does not know invalidation %d, which was accepted elsewhere: %v", other+1, n, err)
		}
	}
	for i := range c.all {
		for n, want := range accepted {
			var got string
			err := w.until(patience, func() (bool, error) {
				id, err := invalidate(i, n)
				got = id
				return err == nil, nil
			})
			if err != nil || got != want {
				t.Errorf("control%d knows invalidation %d as %q, %v; it was accepted as %q", i+1, n, got, err, want)
			}
			err = w.until(patience, func() (bool, error) {
				out, err := c.all[i].api().GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: &id, Id: &want})
				return err == nil && *out.Invalidation.Status == "Completed", nil
			})
			if err != nil {
				t.Errorf("control%d: invalidation %d is not Completed: %v", i+1, n, err)
			}
		}
		var out *cloudfront.ListInvalidationsOutput
		err := w.until(patience, func() (ok bool, _ error) { // they may be electing
			out, last = c.all[i].api().ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: &id, MaxItems: aws.Int32(1000)})
			return last == nil, nil
		})
		if err != nil {
			t.Errorf("control%d: %v", i+1, errors.Join(err, last))
		} else if n := len(out.InvalidationList.Items); n != many {
			t.Errorf("control%d lists %d invalidations, not %d", i+1, n, many)
		}
	}

	t.Log("told to compact their journal, which is short")
	for i := range c.all {
		if out, err := c.compact(i); err != nil || !strings.Contains(out, "it stays as it is") {
			t.Errorf("control%d: %v\n%s", i+1, err, out)
		}
	}

	t.Log("replicas")
	for i := range c.all {
		c.inOrder(t, i)
		if i == 0 {
			continue // two can go on
		}
		again := make(chan error, 1)
		if i == 1 { // now it takes two that start together
			go func() { again <- c.start(0, c.args[0]) }()
		} else {
			again <- nil
		}
		if err := errors.Join(c.start(i, c.args[i]), <-again); err != nil {
			t.Fatal(err)
		}
	}

	t.Log("one of three is left")
	c.all[1].proc.kill()
	c.all[2].proc.kill()
	err = w.until(patience, func() (bool, error) {
		r, err := http.Get(w.proc.ready.API)
		if err != nil {
			return false, err
		}
		r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable, nil
	})
	if err != nil {
		t.Errorf("it does not say that it is alone: %v", err)
	}
	err = w.until(patience, func() (bool, error) {
		_, last = invalidate(0, many)
		return last != nil && strings.Contains(last.Error(), "1 of 3 control nodes reached: control1"), nil
	})
	if err != nil {
		t.Errorf("alone: %v", last)
	}
}

// TestGuarantee_Controls checks the promise while two of three control nodes are killed and started again, one after the other, one stands still, and
// the journal is compacted in between. The checker asks the first; the edges are connected to any. In the end each has all of the journal that there is.
func TestGuarantee_Controls(t *testing.T) {
	w := newWorld(t.TempDir())
	c := newControls(t, w)
	defer c.close()
	if err := w.startEdge("IAD89-1", nil); err != nil {
		t.Fatal(err)
	}
	again := func(i int) func() {
		return func() {
			c.all[i].proc.kill()
			if err := c.start(i, c.args[i]); err != nil {
				t.Error(err)
			}
		}
	}
	compacts := func(i int) func() { // a probe is what goes, and there may not have been one yet
		return func() {
			var said string
			if err := w.until(patience, func() (bool, error) {
				said, _ = c.compact(i, "--keep", "0s") // they may be electing
				return strings.Contains(said, "; compacted, it has "), nil
			}); err != nil {
				t.Errorf("control%d does not compact: %v\n%s", i+1, err, said)
			}
		}
	}
	faults := []func(){again(1), compacts(1), again(2), func() {
		p := c.all[1].proc.cmd.Process
		p.Signal(syscall.SIGSTOP)
		defer p.Signal(syscall.SIGCONT)
		<-time.After(3 * time.Second)
	}, again(2)}
	env, args := against(w.proc)
	want := (&experiment{share: 20, brief: 40000}).answers(t)
	v, said := checkWhile(t, env, append(args, "--seed", "8"), want, faults, func(int, int) bool { return true })
	t.Logf("%v; %d faults", v, len(faults))
	if len(v.Violations) > 0 {
		t.Fatalf("%s", said)
	}
	for i := range c.all {
		c.inOrder(t, i)
	}
}
