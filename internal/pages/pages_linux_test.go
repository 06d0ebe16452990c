package pages

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The law: what is on its way stays as it is, although its octets are freed and their address has others.
func TestLaw_APageNeverHoldsOtherOctets(t *testing.T) {
	p := pool(t)
	var fd [2]int
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(fd[0]), "r"), os.NewFile(uintptr(fd[1]), "w")
	defer r.Close()
	defer w.Close()
	o := p.Copy(pattern(Least))
	iov := unix.Iovec{Base: &o.Bytes()[0]}
	iov.SetLen(Least)
	if n, err := unix.Vmsplice(fd[1], []unix.Iovec{iov}, 0); n != Least || err != nil {
		t.Fatal(n, err)
	}
	iov.Base = nil
	o = nil
	collected(t, p, 0)
	other := p.Copy(bytes.Repeat([]byte{'y'}, Least))
	got := make([]byte, Least)
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, pattern(Least)) {
		t.Errorf("other octets arrived, %v", err)
	}
	runtime.KeepAlive(other)
}
