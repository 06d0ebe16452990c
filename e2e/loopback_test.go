package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// loopback is a wire where there may be no network namespaces: all hosts are on the loopback interface, each with addresses of its
// own, and what one sends to another goes through this process, which may keep it. Who has connected is told by who has the socket
// open. What differs from a real wire: a connection to a host that is cut off is accepted, and hears nothing; what is lost comes
// later, as after TCP has sent it again; and what never is cut, from the checker to edges and control nodes, goes straight.
type loopback struct {
	net string // of the hosts' addresses: three octets

	mu      sync.Mutex
	changed *sync.Cond
	rules   map[*keeping]bool
	pids    map[int]*host
	open    map[io.Closer]bool
	closed  bool
	all     sync.WaitGroup
}

// keeping is of what goes from one host to another.
type keeping struct {
	from, to *host
	part     float64 // of it that is lost; 1: all
}

// again is when TCP sends again what was lost, at the least.
const again = 200 * time.Millisecond

// newLoopback makes one. An error: there is no such network here.
func newLoopback(t *testing.T) (*loopback, error) {
	l := &loopback{net: fmt.Sprintf("127.%d.%d", 64+os.Getpid()/200%128, os.Getpid()%200), rules: map[*keeping]bool{}, pids: map[int]*host{}, open: map[io.Closer]bool{}}
	l.changed = sync.NewCond(&l.mu)
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		return nil, err
	}
	x, err := net.Listen("tcp", l.net+".1:0")
	if err != nil {
		return nil, err
	}
	x.Close()
	t.Cleanup(l.close)
	return l, nil
}

func (l *loopback) close() {
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		c.Close()
	}
	l.changed.Broadcast()
	l.mu.Unlock()
	l.all.Wait()
}

// keep notes what is closed at the end. It is false after that.
func (l *loopback) keep(c io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
	} else {
		l.open[c] = true
	}
	return !l.closed
}

func (l *loopback) forget(c io.Closer) {
	c.Close()
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
}

// door takes what others send to a port of a host, and returns where.
func (l *loopback) door(to *host, port int) (string, error) {
	at, err := net.Listen("tcp", l.net+".254:0")
	if err != nil {
		return "", err
	}
	l.keep(at)
	l.all.Go(func() {
		for {
			c, err := at.Accept()
			if err != nil {
				return
			}
			if l.keep(c) {
				l.all.Go(func() { l.connect(c.(*net.TCPConn), to, port); l.forget(c) })
			}
		}
	})
	return at.Addr().String(), nil
}

func (l *loopback) connect(in *net.TCPConn, to *host, port int) {
	from := l.whose(in)
	if from == nil || !l.pass(from, to) || !l.pass(to, from) {
		return
	}
	c, err := net.Dial("tcp", to.at(port))
	if err != nil || !l.keep(c) {
		return
	}
	defer l.forget(c)
	out := c.(*net.TCPConn)
	var both sync.WaitGroup
	both.Go(func() { l.carry(from, to, in, out) })
	both.Go(func() { l.carry(to, from, out, in) })
	both.Wait()
}

func (l *loopback) carry(from, to *host, in, out *net.TCPConn) {
	for b := make([]byte, 16<<10); ; {
		n, err := in.Read(b)
		if !l.pass(from, to) {
			return
		}
		if _, lost := out.Write(b[:n]); lost != nil {
			in.Close() // who still sends there learns it
			return
		}
		if err != nil {
			out.CloseWrite()
			return
		}
	}
}

// pass waits until what one host sends comes to the other. It is false at the end.
func (l *loopback) pass(from, to *host) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		lost := 0.0
		for r := range l.rules {
			if r.from == from && r.to == to {
				lost = max(lost, r.part)
			}
		}
		switch {
		case lost == 1:
			l.changed.Wait()
		case rand.Float64() < lost:
			l.mu.Unlock()
			<-time.After(again)
			l.mu.Lock()
		default:
			return true
		}
	}
	return false
}

// lose loses a part of what some send to one.
func (l *loopback) lose(part float64, to *host, some []*host) (undo func() error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var mine []*keeping
	for _, from := range some {
		r := &keeping{from, to, part}
		mine = append(mine, r)
		l.rules[r] = true
	}
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range mine {
			delete(l.rules, r)
		}
		l.changed.Broadcast()
		return nil
	}, nil
}

// runs notes a process of a host.
func (l *loopback) runs(h *host, pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pids[pid] = h
}

// whose finds the host of who has connected. It may have been started this moment; nil: it has gone.
func (l *loopback) whose(c net.Conn) *host {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		inode := inodeOf(c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr))
		if inode == "0" || inode == "" {
			return nil
		}
		l.mu.Lock()
		pids := make([]int, 0, len(l.pids))
		for pid := range l.pids {
			pids = append(pids, pid)
		}
		l.mu.Unlock()
		for _, pid := range pids {
			if hasOpen(pid, "socket:["+inode+"]") {
				l.mu.Lock()
				defer l.mu.Unlock()
				return l.pids[pid]
			}
		}
	}
	return nil
}

// inodeOf finds the other end's of a connection: what /proc/net/tcp says of the socket from one address to another.
func inodeOf(from, to *net.TCPAddr) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	hex := func(a *net.TCPAddr) string {
		ip := slices.Clone(a.IP.To4())
		slices.Reverse(ip)
		return fmt.Sprintf("%X:%04X", []byte(ip), a.Port)
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if of := strings.Fields(lines.Text()); len(of) > 9 && of[1] == hex(from) && of[2] == hex(to) {
			return of[9]
		}
	}
	return ""
}

func hasOpen(pid int, name string) bool {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(all, func(fd string) bool {
		is, err := os.Readlink(fd)
		return err == nil && is == name
	})
}
