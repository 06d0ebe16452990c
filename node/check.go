package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/certificate"
	"github.com/warmfront/warmfront/internal/units"
)

// Findings are what a look at a config has found, in sentences for the operator. Faults would stop the process; notes might
// surprise.
type Findings struct{ Faults, Notes []string }

func (f *Findings) fault(format string, args ...any) {
	f.Faults = append(f.Faults, fmt.Sprintf(format, args...))
}

func (f *Findings) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

func (f *Findings) err(err error) {
	if err != nil {
		f.Faults = append(f.Faults, err.Error())
	}
}

// CheckDev, CheckControl, CheckEdge and CheckRelay look at a config as Dev, Control, Edge and Relay take it, without starting anything and
// without changing anything.
func CheckDev(c Config) (f Findings) {
	running := f.common(&c)
	if len(c.EdgesHTTPS) > 0 && len(c.EdgesHTTPS) != len(c.Edges) {
		f.fault("--edges-https has %d addresses and --edges %d: give as many, or \"off\"", len(c.EdgesHTTPS), len(c.Edges))
	}
	f.addresses(running, append(append([]wanted{{"control", c.Control, false}, {"demo", c.Demo, false}, {"telemetry", c.Telemetry, false}},
		several("edges", c.Edges, false)...), several("edges-https", c.EdgesHTTPS, c.HTTP3)...))
	f.environment(&c)
	f.viewers(&c, len(c.Edges))
	return f
}

// CheckControl: see CheckDev.
func CheckControl(c Config) (f Findings) {
	running := f.common(&c)
	addresses := []wanted{{"control", c.Control, false}, {"telemetry", c.Telemetry, false}, {"journal", c.Journal, false}}
	if x, err := c.peers(); err != nil {
		f.err(err)
	} else if x != nil {
		addresses = append(addresses, wanted{"cluster-address", x.Address, false})
	}
	x, err := c.external()
	f.err(err)
	f.addresses(running, addresses)
	f.environment(&c)
	_, err = advertised(c.Advertise, c.Journal)
	f.err(err)
	dir := filepath.Join(c.Data, "authority")
	if expires, err := admission.LookAtAuthority(dir); err != nil {
		f.err(err)
	} else if !expires.IsZero() {
		f.lasts("the authority in "+dir, expires)
	}
	if n, err := freeSpace(c.Data); err == nil && x == nil && n < leastSpace {
		f.fault("%s has %s free: the journal takes nothing with less than %s", c.Data, units.Size(n), units.Size(leastSpace))
	}
	return f
}

// leastSpace is jetstream.Config.Reserve.
const leastSpace = 64 << 20

// CheckEdge: see CheckDev.
func CheckEdge(c Config) (f Findings) {
	running := f.common(&c)
	f.addresses(running, append(append([]wanted{{"telemetry", c.Telemetry, false}, {"tier", c.Tier, false}},
		several("http", c.Edges, false)...), several("https", c.EdgesHTTPS, c.HTTP3)...))
	f.err(c.checkTier())
	f.viewers(&c, 1)
	f.err(c.checkRelays())
	f.identity(&c, anEdge)
	return f
}

// CheckRelay: see CheckDev.
func CheckRelay(c Config) (f Findings) {
	running := f.common(&c)
	f.addresses(running, []wanted{{"telemetry", c.Telemetry, false}, {"listen", c.Relay, false}})
	if n := descriptors(); n < fewDescriptors {
		f.note("this user may have %d descriptors open, which is enough for some %d edges: raise the limit (ulimit -n)", n, n/perRelayed)
	}
	f.identity(&c, aRelay)
	return f
}

// identity looks at who the machine is, or would become.
func (f *Findings) identity(c *Config, m machine) {
	have, err := m.of(c.Data)
	switch {
	case err != nil:
		f.err(err)
	case have != nil:
		if f.lasts("the certificate of "+m.noun+" "+m.name(have), have.Expires()); c.Token != "" {
			f.note("%s is %s %s already: the token is left unused", c.Data, m.noun, m.name(have))
		}
	case c.Token == "":
		f.fault("%s holds no %s yet, and no token is given: %s, where the control plane runs, makes one", c.Data, m.noun, m.command)
	default:
		if t, err := admission.ParseToken(c.Token); err != nil {
			f.fault("--token: %v", err)
		} else if t.Relay != m.relay {
			f.fault("--token is not for %s: %s makes one", article(m.noun), m.command)
		}
	}
}

// common looks at what all roles have. running: a process has the data directory.
func (f *Findings) common(c *Config) (running bool) {
	_, err := origins(*c)
	f.err(err)
	f.directory("data", c.Data)
	if pid, held := lockedBy(c.Data); held {
		running = true
		f.note("a process, %s, runs with %s: its ports are not tried", pid, c.Data)
	}
	if c.ReadyFile != "" {
		f.directory("ready-file", filepath.Dir(c.ReadyFile))
	}
	return running
}

// directory must be one that can be written to, or could be made.
func (f *Findings) directory(flag, dir string) {
	at := dir
	for !exists(at) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
	}
	switch s, err := os.Stat(at); {
	case err != nil:
		f.fault("--%s: %v", flag, err)
	case !s.IsDir():
		f.fault("--%s %s: %s is no directory", flag, dir, at)
	case unix.Access(at, unix.W_OK|unix.X_OK) != nil:
		f.fault("--%s %s: this user may not write to %s", flag, dir, at)
	case at != dir:
		f.note("--%s %s is not there yet: it is made at the start", flag, dir)
	}
	if at != dir {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() == "lost+found" {
			continue // where dir is a file system, that is root's, and nobody else's business
		}
		if path := filepath.Join(dir, e.Name()); flag == "data" && errors.Is(unix.Access(path, unix.R_OK|unix.W_OK), unix.EACCES) {
			f.fault("--data: this user may not read and write %s: whose process has made it?", path)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lockedBy tells whether a process has a data directory, and its number.
func lockedBy(dir string) (pid string, held bool) {
	path := filepath.Join(dir, "lock")
	l, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", false
	}
	defer l.Close()
	if err := syscall.Flock(int(l.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return "", false
	}
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b)), true
}

// wanted is an address that a flag wants.
type wanted struct {
	flag, address string
	udp           bool // the UDP port of the same number too
}

func several(flag string, addresses []string, udp bool) (all []wanted) {
	for _, a := range addresses {
		all = append(all, wanted{flag, a, udp})
	}
	return all
}

// addresses must make sense, be different, and, where nobody runs, be free.
func (f *Findings) addresses(running bool, all []wanted) {
	by := map[string]string{}
	for _, w := range all {
		if w.address == off || w.address == "" {
			continue
		}
		_, port, err := net.SplitHostPort(w.address)
		if err == nil && port != "0" {
			if other, taken := by[w.address]; taken {
				f.fault("--%s %s is the address of --%s too: choose another", w.flag, w.address, other)
				continue
			}
			by[w.address] = w.flag
		}
		if running && err == nil {
			continue
		}
		l, packets, err := listenSecure(w.flag, w.address, w.udp)
		if err != nil {
			f.err(err)
			continue
		}
		l.Close()
		if packets != nil {
			packets.Close()
		}
	}
}

// environment looks at keys that it may give.
func (f *Findings) environment(c *Config) {
	_, _, err := auth.FromEnv(c.Getenv, time.Now())
	f.err(err)
}

// viewers looks at what a process with edges has.
func (f *Findings) viewers(c *Config, edges int) {
	if len(c.EdgesHTTPS) == 0 && (c.Certificates != "" || c.ACME) {
		f.fault("--certificates and --acme-email are for https, which is off")
	}
	if c.Certificates != "" {
		all, err := certificate.List(c.Certificates)
		if err != nil {
			f.fault("--certificates: %v", err)
		}
		for _, x := range all {
			f.lasts(x.File+", for "+strings.Join(x.Names, ", ")+",", x.Expires)
		}
		if err == nil && len(all) == 0 {
			f.note("--certificates %s holds none yet", c.Certificates)
		}
	}
	if c.AccessLog != "" && c.AccessLog != "-" {
		f.directory("access-log", filepath.Dir(c.AccessLog))
	}
	f.sizes(c, edges)
	limits, servers := c.Limits, len(c.Edges)+len(c.EdgesHTTPS)
	if room := roomFor(servers, descriptors()); limits.MaxConns > room {
		f.note("--max-connections %d is more than this user's %d descriptors allow, which is %d: raise the limit (ulimit -n)", limits.MaxConns, descriptors(), room)
	}
}

// soon is when the end of a certificate is worth a word.
const soon = 14 * 24 * time.Hour

func (f *Findings) lasts(what string, until time.Time) {
	switch left := time.Until(until); {
	case left <= 0:
		f.fault("%s has expired, at %s", what, until.UTC().Format(time.RFC3339))
	case left < soon:
		f.note("%s expires at %s", what, until.UTC().Format(time.RFC3339))
	}
}
