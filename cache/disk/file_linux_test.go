package disk

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onFile is a store in a real file.
func onFile(t *testing.T) *running {
	t.Helper()
	f, err := OpenFile(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{File: f, Capacity: slotsAt + 4<<20, slot: 1 << 20, Queue: 4 << 20})
	t.Cleanup(func() { s.stop(); s.Close() })
	if !s.sends {
		t.Fatal("files have no holes here")
	}
	s.Use(testLife)
	return s
}

// accepted are the two ends of a connection.
func accepted(t *testing.T) (from, to *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); c.Close() })
	return a.(*net.TCPConn), c.(*net.TCPConn)
}

// What the kernel has taken and the viewer has not arrives as it was, although its place has been written over since, once and
// again: also when a part of it lies in one page with what another segment's end or beginning is.
func TestPunch_WhatIsOnItsWayStaysAsItWas(t *testing.T) {
	s := onFile(t)
	type sent struct {
		from, to *net.TCPConn
		is       []byte
	}
	var all []sent
	for i := range 40 { // a segment and a half
		o := object(fmt.Sprint("sent", i), 1, 40_000+i)
		mustPut(t, s, o)
		s.settle(t)
		_, ref := s.Find([]byte(o.Key))
		var proved atomic.Int64
		p, ok := s.lend(ref, o.Key, len(o.Body), &proved, noon)
		if !ok || !p.Hold() {
			t.Fatalf("%s is not lent", o.Key)
		}
		from, to := accepted(t)
		fd, off, _ := p.Descriptor()
		raw, _ := from.SyscallConn()
		var n int
		raw.Control(func(socket uintptr) { n, _ = syscall.Sendfile(int(socket), int(fd), &off, len(o.Body)) })
		if n != len(o.Body) {
			t.Fatalf("the socket took %d of %d octets", n, len(o.Body))
		}
		p.Release()
		p.Return()
		all = append(all, sent{from, to, o.Body})
	}
	for i, to := 0, s.number()+10; s.number() < to; i++ {
		key := fmt.Sprint("over", i)
		s.Earns([]byte(key))
		mustPut(t, s, object(key, 1, 50_000))
	}
	for i, x := range all {
		x.from.CloseWrite()
		if got, err := io.ReadAll(x.to); err != nil || !bytes.Equal(got, x.is) {
			t.Errorf("%d: %d octets of %d, and others, or %v", i, len(got), len(x.is), err)
		}
	}
}

// What is in the kernel's memory as a whole is told from what is not.
func TestResident_IsOfAllPages(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	q := f.(Quick)
	const size = 200_000
	if q.Resident(100, size) {
		t.Error("an empty file is resident")
	}
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	for _, x := range [][2]int64{{0, 1}, {0, size}, {4095, 2}, {4096, 4096}, {100, 100_000}, {size - 1, 1}} {
		if !q.Resident(x[0], x[1]) {
			t.Errorf("%d octets at %d were just written, and are not resident", x[1], x[0])
		}
	}
	if _, err := f.WriteAt(make([]byte, size), 4<<20); err != nil { // and nothing between
		t.Fatal(err)
	}
	if q.Resident(0, 5<<20) || q.Resident(size-1, 4<<20) && tellsOfAll() {
		t.Error("resident, with a hole")
	}
}

// Nobody is sent to promptly who could have to wait for a page that is being read, or for who writes. That the file was read
// is not noted: the note would be waited for.
func TestPrompt_WaitsForNobody(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	q := f.(*quickFile)
	if flags, err := unix.FcntlInt(q.fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NOATIME == 0 {
		t.Errorf("flags %x, %v", flags, err)
	}
	if lockless(procFile(t)) {
		t.Error("of a file system that nobody knows nothing is promised")
	}
	q.free = true
	if _, err := f.ReadAt(make([]byte, 1), 0); err != io.EOF || !q.Prompt() {
		t.Error(err, q.reading.Load())
	}
	q.reading.Add(1)
	if q.Prompt() {
		t.Error("somebody reads")
	}
}

func procFile(t *testing.T) (fd int) {
	t.Helper()
	f, err := os.Open("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// tellsOfAll tells whether this kernel tells of all pages.
func tellsOfAll() bool {
	_, _, errno := syscall.RawSyscall(451, ^uintptr(0), 0, 0)
	return errno != syscall.ENOSYS
}

// Where slots are not aligned to what holes are made of nothing is sent: zeros would be written under who sends.
func TestPunch_OnlyWhole(t *testing.T) {
	f, err := OpenFile(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	q := f.(*quickFile)
	q.grain = 64 << 10
	s := start(t, Config{File: f, Capacity: MinCapacity})
	defer s.Close()
	defer s.stop()
	if s.sends {
		t.Error("it sends from pages that are a part of two slots")
	}
	b := bytes.Repeat([]byte("x"), 1<<20)
	if _, err := f.WriteAt(b, slotsAt); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	err = q.Punch(slotsAt, 1<<20)
	if n, _ := f.ReadAt(got, slotsAt); n != len(b) || !bytes.Equal(got, b) || err == nil {
		t.Errorf("octets are overwritten: %v", err)
	}
}
