package pages

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"unsafe"
)

func pool(t *testing.T) *Pool {
	t.Helper()
	p := New(1 << 20)
	if p == nil {
		t.Skip("none on this system")
	}
	return p
}

// collected waits until what nobody refers to has been given back.
func collected(t *testing.T, p *Pool, left int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.Held() != left; {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d octets are held, want %d", p.Held(), left)
		}
		runtime.Gosched()
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	r.Read(b)
	return b
}

func TestCopy_HoldsTheOctets(t *testing.T) {
	p := pool(t)
	var kept []*Octets
	sizes := []int{Least, Least + 1, 2*Least - 1, 2 * Least, 2*Least + 1, 100_000, 1 << 20, 1<<20 + 4097}
	for range 3 {
		for _, n := range sizes {
			kept = append(kept, p.Copy(pattern(n)))
		}
	}
	held := int64(0)
	for i, o := range kept {
		n := sizes[i%len(sizes)]
		held += Rounded(n)
		if !bytes.Equal(o.Bytes(), pattern(n)) || cap(o.Bytes()) != n {
			t.Errorf("%d octets: got others, or room for %d", n, cap(o.Bytes()))
		}
	}
	if p.Held() != held {
		t.Errorf("holds %d, want %d", p.Held(), held)
	}
	for _, n := range []int{0, 1, Least - 1, most + 1} {
		if p.Copy(make([]byte, n)) != nil {
			t.Errorf("%d octets were taken", n)
		}
	}
	if (*Pool)(nil).Copy(pattern(Least)) != nil || (*Pool)(nil).Held() != 0 {
		t.Error("no pool has room")
	}
	runtime.KeepAlive(kept)
}

func TestCopy_AddressesAreUsedAgainAndPagesAreNot(t *testing.T) {
	p := pool(t)
	o := p.Copy(bytes.Repeat([]byte{'x'}, 2*Least))
	at := unsafe.SliceData(o.Bytes())
	o = nil
	collected(t, p, 0)
	o = p.Copy(bytes.Repeat([]byte{'y'}, Least+1))
	if unsafe.SliceData(o.Bytes()) != at {
		t.Fatal("another address")
	}
	if rest := unsafe.Slice(at, 2*Least)[Rounded(Least+1):]; bytes.Count(rest, []byte{0}) != len(rest) {
		t.Error("pages of the one before are still there")
	}
	runtime.KeepAlive(o)
}

func TestCopy_NoRoom(t *testing.T) {
	p := pool(t)
	b, kept := make([]byte, most), []*Octets{}
	for {
		o := p.Copy(b[:most/2+1])
		if o == nil {
			break
		}
		kept = append(kept, o)
	}
	if len(kept) != 4 {
		t.Errorf("room for %d of the largest", len(kept))
	}
	if p.Copy(b[:Least]) == nil {
		t.Error("a size is short of addresses because of another")
	}
	kept = nil
	collected(t, p, 0)
	if p.Copy(b) == nil {
		t.Error("no room after all has gone")
	}
}

// What was not written is zero, whoever had it before, and populating it changes nothing.
func TestBlank_IsZeroUntilItIsWritten(t *testing.T) {
	p := pool(t)
	for range 3 {
		for _, n := range []int{Least, 100_000, 300_001} {
			o := p.Blank(n)
			b := o.Bytes()
			if len(b) != n || cap(b) != n || p.Held() != Rounded(n) {
				t.Fatalf("%d octets: room for %d, %d held", n, cap(b), p.Held())
			}
			copy(b, pattern(n)[:n/3])
			o.Populate(n/3, n)
			o.Populate(0, n)
			o.Populate(n, n)
			if !bytes.Equal(b[:n/3], pattern(n)[:n/3]) || bytes.ContainsFunc(b[n/3:], func(r rune) bool { return r != 0 }) {
				t.Fatalf("%d octets: what was written has changed, or is elsewhere too", n)
			}
			copy(b, pattern(n))
			runtime.KeepAlive(o)
			collected(t, p, 0)
		}
	}
	for _, n := range []int{0, Least - 1, most + 1, -1} {
		if p.Blank(n) != nil {
			t.Errorf("%d octets are had", n)
		}
	}
	if (*Pool)(nil).Blank(Least) != nil {
		t.Error("from no pool")
	}
}
