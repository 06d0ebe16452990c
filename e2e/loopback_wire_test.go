package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
)

// TestLoopback_IsCutOneWay: what a host is deaf to does not come, what it says does; when it hears again, nothing is missing.
func TestLoopback_IsCutOneWay(t *testing.T) {
	t.Setenv("CLUSTER_LOOPBACK", "1")
	w, err := newWire(t)
	if err != nil {
		t.Skipf("LEFT OUT, there are no addresses of the loopback interface here: %v", err)
	}
	a, _ := w.host("a")
	b, _ := w.host("b")
	w.loop.runs(a, os.Getpid())
	l, err := net.Listen("tcp", b.at(18999))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", b.found(18999))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	hears := func(c net.Conn, want string) error {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			return fmt.Errorf("%q, %v, not %q", got, err, want)
		}
		return nil
	}
	io.WriteString(out, "one")
	if err := hears(in, "one"); err != nil {
		t.Fatal(err)
	}
	hear, err := b.deafTo(a)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(out, "two")
	heard := make(chan error, 1)
	go func() { heard <- hears(in, "two") }() // ends with in, at the latest
	io.WriteString(in, "three")
	if err := hears(out, "three"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-heard:
		t.Fatalf("a host that is deaf has heard (%v)", err)
	default:
	}
	hear()
	if err := <-heard; err != nil {
		t.Error(err)
	}
}
