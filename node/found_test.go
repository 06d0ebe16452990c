package node

import (
	"net"
	"os"
	"testing"
)

// What others are told of a listener on all addresses is not what only this machine understands.
func TestFoundAt(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"0.0.0.0:0": name, "[::]:0": name, "127.0.0.1:0": "127.0.0.1"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		if got := foundAt(l); got != net.JoinHostPort(want, port) {
			t.Errorf("%s is found at %s", at, got)
		}
		l.Close()
	}
}
