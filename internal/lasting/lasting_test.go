package lasting

import (
	"net"
	"runtime"
	"strconv"
	"testing"
)

func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		address := Address()
		if seen[address] {
			t.Errorf("%s twice", address)
		}
		seen[address] = true
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

// No other process names it: its claim cannot be had twice.
func TestAddress_IsClaimed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("names of sockets that are no files are Linux's")
	}
	_, port, err := net.SplitHostPort(Address())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(port, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if claim(n) {
		t.Error("it can be claimed by another one")
	}
}
