package node

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// pass makes a socket as a supervisor would have passed it.
func pass(t *testing.T, tcp string) *sockets {
	t.Helper()
	s := &sockets{}
	l, err := net.Listen("tcp", tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	take(t, s, l.(*net.TCPListener))
	t.Cleanup(s.close)
	return s
}

func take(t *testing.T, s *sockets, of interface{ File() (*os.File, error) }) {
	t.Helper()
	f, err := of.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.take(another(t, f)); err != nil {
		t.Fatal(err)
	}
}

// another is a descriptor of a file that its taker may close.
func another(t *testing.T, f *os.File) uintptr {
	t.Helper()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(fd)
}

func TestSockets_AreTakenByTheirAddress(t *testing.T) {
	s := pass(t, "127.0.0.1:0")
	address := s.listeners[0].Addr().String()
	_, port, _ := net.SplitHostPort(address)
	ls := &listeners{given: s}
	if err := s.unused(); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("before anybody takes it: %v", err)
	}
	for _, other := range []string{"127.0.0.1:0", "127.0.0.2:" + port, "127.0.0.1", "127.0.0.1:http"} {
		if s.listener(other) != nil {
			t.Errorf("%s takes it", other)
		}
	}
	l, err := ls.viewers("http", "0.0.0.0:"+port)
	if err != nil || l.Addr().String() != address || !ls.held {
		t.Errorf("%v, %v", l, err)
	}
	defer l.Close()
	if err := s.unused(); err != nil {
		t.Error(err)
	}
}

func TestSockets_HTTPSWithItsUDPPort(t *testing.T) {
	tcp, udp, err := listenSecure("https", "127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	address := tcp.Addr().String()
	both := &sockets{}
	take(t, both, tcp.(*net.TCPListener))
	take(t, both, udp.(*net.UDPConn))
	tcp.Close()
	udp.Close()
	ls := &listeners{given: both}
	l, packets, err := ls.listenSecure("https", address, true)
	if err != nil || packets == nil || packets.LocalAddr().String() != address {
		t.Fatalf("%v, %v", packets, err)
	}
	packets.Close()
	l.Close()
	alone := &listeners{given: pass(t, address)} // the UDP port is opened beside
	l, packets, err = alone.listenSecure("https", address, true)
	if err != nil || packets == nil {
		t.Fatal(err)
	}
	packets.Close()
	l.Close()
}

func TestPassed_WhatIsRefused(t *testing.T) {
	env := map[string]string{}
	get := func(name string) string { return env[name] }
	expect := func(says string) {
		t.Helper()
		s, err := passed(get)
		if err != nil && says == "" || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%v: %v, want %q", env, err, says)
		}
		if s != nil {
			s.close()
		}
	}
	expect("")
	env["LISTEN_FDS"], env["LISTEN_PID"] = "1", "1" // another process's
	expect("")
	env["LISTEN_PID"] = strconv.Itoa(os.Getpid())
	for _, n := range []string{"x", "-1", "1000"} {
		env["LISTEN_FDS"] = n
		expect("no number of sockets")
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := (&sockets{}).take(another(t, f)); err == nil || !strings.Contains(err.Error(), "no listening TCP socket") {
		t.Errorf("a file: %v", err)
	}
}
