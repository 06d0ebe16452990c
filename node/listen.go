package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// off is the address that switches a listener off.
const off = "off"

// listen opens one listener. What can go wrong here is the user's to mend, so the error names the
// flag and what to do.
func listen(flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("--%s %q is not an address: write host:port, for example 127.0.0.1:9000 (port 0 takes a free one)", flag, address)
	}
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use: stop what listens there, or choose another address with --%s", address, flag)
	}
	if errors.Is(err, syscall.EACCES) {
		return nil, fmt.Errorf("%s may not be opened by this user: choose a port from 1024 on with --%s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
	}
	return l, nil
}

// listeners are all sockets of one process, opened before anything starts: either everything can be
// had or nothing was begun.
type listeners struct {
	control, demo, telemetry net.Listener // demo and telemetry may be nil: off
	edges                    []net.Listener
	secure                   []net.Listener   // https, one for each of edges; or none
	packets                  []net.PacketConn // HTTP/3, on the ports of secure; or none
	tiers                    []net.Listener   // for other edges, one for each of edges; or none
	relay                    net.Listener     // for edges; nil: this is no relay

	given *sockets // what a supervisor has passed, and nobody has taken yet
	held  bool     // a supervisor holds sockets of viewers too
}

func openListeners(c Config) (*listeners, error) {
	given, err := passed(c.Getenv)
	if err != nil {
		return nil, err
	}
	ls := &listeners{given: given}
	if err := errors.Join(ls.open(c), given.unused()); err != nil {
		ls.close()
		return nil, err
	}
	return ls, nil
}

// listen takes the socket that was passed for an address, or opens one.
func (ls *listeners) listen(flag, address string) (net.Listener, error) {
	if l := ls.given.listener(address); l != nil {
		return l, nil
	}
	return listen(flag, address)
}

func (ls *listeners) open(c Config) (err error) {
	if c.Control != off {
		if ls.control, err = ls.listen("control", c.Control); err != nil {
			return err
		}
	}
	plain, secure := "edges", "edges-https"
	if c.Control == off {
		plain, secure = "http", "https" // an edge alone
	}
	for _, a := range c.Edges {
		l, err := ls.viewers(plain, a)
		if err != nil {
			return err
		}
		ls.edges = append(ls.edges, l)
	}
	if len(c.EdgesHTTPS) > 0 && len(c.EdgesHTTPS) != len(c.Edges) {
		return fmt.Errorf("--edges-https has %d addresses and --edges %d: give as many, or \"off\"", len(c.EdgesHTTPS), len(c.Edges))
	}
	for _, a := range c.EdgesHTTPS {
		l, packets, err := ls.listenSecure(secure, a, c.HTTP3)
		if err != nil {
			return err
		}
		ls.secure = append(ls.secure, l)
		if packets != nil {
			ls.packets = append(ls.packets, packets)
		}
	}
	for range c.Edges {
		if c.Tier == "" || c.Tier == off {
			break
		}
		l, err := ls.listen("tier", c.Tier)
		if err != nil {
			return err
		}
		ls.tiers = append(ls.tiers, l)
	}
	if c.Relay != "" {
		if ls.relay, err = ls.listen("listen", c.Relay); err != nil {
			return err
		}
	}
	if c.Demo != off {
		if ls.demo, err = ls.listen("demo", c.Demo); err != nil {
			return err
		}
	}
	if c.Telemetry != off {
		if ls.telemetry, err = ls.listen("telemetry", c.Telemetry); err != nil {
			return err
		}
	}
	return nil
}

// viewers is listen for an address of viewers.
func (ls *listeners) viewers(flag, address string) (net.Listener, error) {
	if l := ls.given.listener(address); l != nil {
		ls.held = true
		return l, nil
	}
	return listen(flag, address)
}

// listenSecure takes what was passed, or opens it.
func (ls *listeners) listenSecure(flag, address string, http3 bool) (net.Listener, net.PacketConn, error) {
	l := ls.given.listener(address)
	if l == nil {
		return listenSecure(flag, address, http3)
	}
	ls.held = true
	if !http3 {
		return l, nil, nil
	}
	if p := ls.given.packet(address); p != nil {
		return l, p, nil
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		l.Close()
		return nil, nil, fmt.Errorf("UDP port of --%s %s, for HTTP/3: %w; stop what uses it, or switch HTTP/3 off with --http3=false", flag, address, err)
	}
	return l, p, nil
}

// close is for the way out; a listener that a server has closed already does not mind.
func (ls *listeners) close() {
	for _, l := range slices.Concat([]net.Listener{ls.control, ls.demo, ls.telemetry, ls.relay}, ls.edges, ls.secure, ls.tiers) {
		if l != nil {
			l.Close()
		}
	}
	for _, p := range ls.packets {
		p.Close()
	}
	ls.given.close()
}

// listenSecure opens the address of an edge's https, and with http3 the UDP port of the same number. Where any
// port will do, one that is free for both is looked for.
func listenSecure(flag, address string, http3 bool) (net.Listener, net.PacketConn, error) {
	for attempt := 1; ; attempt++ {
		l, err := listen(flag, address)
		if err != nil || !http3 {
			return l, nil, err
		}
		p, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return l, p, nil
		}
		l.Close()
		if _, port, _ := net.SplitHostPort(address); port != "0" || attempt == 10 {
			return nil, nil, fmt.Errorf("UDP port of --%s %s, for HTTP/3: %w; stop what uses it, or switch HTTP/3 off with --http3=false", flag, address, err)
		}
	}
}

// url gives the address of a listener as a URL that works on this machine.
func url(l net.Listener) string { return "http://" + address(l) }

// secureURL is the same for a listener that speaks TLS.
func secureURL(l net.Listener) string { return "https://" + address(l) }

func address(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// foundAt is where other machines may find a listener: one on all addresses of this machine, by its name.
func foundAt(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return net.JoinHostPort(host, port)
}

// lockData makes sure that one process uses a data directory at a time.
func lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := os.ReadFile(f.Name())
		f.Close()
		return nil, fmt.Errorf("%s is in use by process %s: stop that one, or choose another directory with --data", dir, strings.TrimSpace(string(pid)))
	}
	f.Truncate(0)
	fmt.Fprintf(f, "%d\n", os.Getpid())
	return func() { f.Close() }, nil
}

// marked tells whether name was marked in dir by an earlier run.
func marked(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

func mark(dir, name string) error { return os.WriteFile(filepath.Join(dir, name), nil, 0o600) }
