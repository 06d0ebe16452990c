package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// wire is a network of hosts that only exist here: a network namespace for each, and one with the bridge between them, or else the
// loopback interface. What one host sends to another can be lost, all of it or a part.
type wire struct {
	prefix string // of the namespaces' names, with this process's number
	hosts  map[string]*host
	loop   *loopback // nil: there are namespaces
}

// host is one namespace with one address. The nil host is this machine as it is.
type host struct {
	ns      string
	address string
	loop    *loopback
	doors   map[int]string
}

const bridge = "switch"

// newWire makes a network without hosts: where there may be no namespaces, or the environment wants it, on the loopback interface. An
// error says why that cannot be done here.
func newWire(t *testing.T) (*wire, error) {
	t.Helper()
	err := errors.New("CLUSTER_LOOPBACK is set")
	if os.Getenv("CLUSTER_LOOPBACK") == "" {
		var w *wire
		if w, err = newNamespaces(t); err == nil {
			return w, nil
		}
	}
	t.Logf("NOT IN NAMESPACES, on the loopback interface, where ways are cut by this process: %v", err)
	l, err := newLoopback(t)
	if err != nil {
		return nil, err
	}
	return &wire{hosts: map[string]*host{}, loop: l}, nil
}

func newNamespaces(t *testing.T) (*wire, error) {
	t.Helper()
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, err
		}
	}
	removeLeftWires()
	w := &wire{prefix: fmt.Sprintf("wf%d-", os.Getpid()), hosts: map[string]*host{}}
	if err := run("ip", "netns", "add", w.prefix+bridge); err != nil {
		return nil, err
	}
	t.Cleanup(w.close)
	for _, line := range []string{"link add br0 type bridge", "link set br0 up"} {
		if err := run("ip", append([]string{"-n", w.prefix + bridge}, strings.Fields(line)...)...); err != nil {
			return nil, err
		}
	}
	// Whoever may make namespaces may not be able to lose anything there.
	if err := run("ip", strings.Fields("netns exec "+w.prefix+bridge+" iptables -w -L INPUT")...); err != nil {
		return nil, err
	}
	return w, nil
}

// removeLeftWires removes those of test processes that were killed.
func removeLeftWires() {
	out, _ := exec.Command("ip", "netns", "list").Output()
	for _, line := range strings.Split(string(out), "\n") {
		name, _, _ := strings.Cut(line, " ")
		number, _, ok := strings.Cut(strings.TrimPrefix(name, "wf"), "-")
		pid, err := strconv.Atoi(number)
		if ok && err == nil && strings.HasPrefix(name, "wf") && syscall.Kill(pid, 0) == syscall.ESRCH {
			run("ip", "netns", "del", name)
		}
	}
}

func (w *wire) close() {
	for _, h := range w.hosts {
		run("ip", "netns", "del", h.ns)
	}
	run("ip", "netns", "del", w.prefix+bridge)
}

// host adds one.
func (w *wire) host(name string) (*host, error) {
	n := len(w.hosts) + 1
	if l := w.loop; l != nil {
		h := &host{address: fmt.Sprintf("%s.%d", l.net, n), loop: l, doors: map[int]string{}}
		w.hosts[name] = h
		return h, nil
	}
	h := &host{ns: w.prefix + name, address: fmt.Sprintf("10.83.0.%d", n)}
	port := fmt.Sprintf("port%d", n)
	if err := run("ip", "netns", "add", h.ns); err != nil {
		return nil, err
	}
	w.hosts[name] = h
	for _, line := range []string{
		"-n " + h.ns + " link add wire0 type veth peer name " + port + " netns " + w.prefix + bridge,
		"-n " + w.prefix + bridge + " link set " + port + " master br0 up",
		"-n " + h.ns + " addr add " + h.address + "/24 dev wire0",
		"-n " + h.ns + " link set wire0 up",
		"-n " + h.ns + " link set lo up",
	} {
		if err := run("ip", strings.Fields(line)...); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// command runs there.
func (h *host) command(name string, args ...string) *exec.Cmd {
	if h == nil || h.loop != nil {
		return exec.Command(name, args...)
	}
	return exec.Command("ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
}

// at is an address there.
func (h *host) at(port int) string {
	if h == nil {
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	return fmt.Sprintf("%s:%d", h.address, port)
}

// found is where others find what is at that address.
func (h *host) found(port int) string {
	if h == nil || h.loop == nil {
		return h.at(port)
	}
	if h.doors[port] == "" {
		door, err := h.loop.door(h, port)
		if err != nil {
			panic(err)
		}
		h.doors[port] = door
	}
	return h.doors[port]
}

// begin starts a role there, and does not wait.
func (h *host) begin(dir string, args []string) (*process, error) {
	p, err := begin(h.command, dir, args)
	if err == nil {
		h.runs(p.cmd)
	}
	return p, err
}

// runs says that a process is there.
func (h *host) runs(cmd *exec.Cmd) {
	if h != nil && h.loop != nil {
		h.loop.runs(h, cmd.Process.Pid)
	}
}

// deafTo lets nothing in any more that comes from others, until the returned function is called.
func (h *host) deafTo(others ...*host) (hear func() error, err error) {
	if h.loop != nil {
		return h.loop.lose(1, h, others)
	}
	return h.drop("", others)
}

// losing loses a part of what comes from others.
func (h *host) losing(part float64, others ...*host) (hear func() error, err error) {
	if h.loop != nil {
		return h.loop.lose(part, h, others)
	}
	return h.drop(fmt.Sprintf("-m statistic --mode random --probability %g", part), others)
}

func (h *host) drop(which string, others []*host) (undo func() error, err error) {
	rule := func(action string, from *host) error {
		args := strings.Fields(fmt.Sprintf("netns exec %s iptables -w %s INPUT -s %s %s -j DROP", h.ns, action, from.address, which))
		return run("ip", args...)
	}
	for _, o := range others {
		if err := rule("-A", o); err != nil {
			return nil, err
		}
	}
	return func() error {
		for _, o := range others {
			if err := rule("-D", o); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// cutOff cuts two groups of hosts off from each other.
func cutOff(some, others []*host) (together func() error, err error) {
	var undo []func() error
	for _, pair := range [][2][]*host{{some, others}, {others, some}} {
		for _, h := range pair[0] {
			u, err := h.deafTo(pair[1]...)
			if err != nil {
				return nil, err
			}
			undo = append(undo, u)
		}
	}
	return func() error {
		for _, u := range undo {
			if err := u(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func run(name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return nil
}
