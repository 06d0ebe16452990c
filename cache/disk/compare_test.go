package disk

import (
	"math/rand/v2"
	"testing"

	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// However the pieces lie in which it is read: it is what Find finds, all but the body.
func TestFindHead_IsAllButTheBody(t *testing.T) {
	overhead := frameSize + len("a") + 56
	for _, size := range []int{1, 500, piece - overhead - 200, piece - overhead - 1, piece - overhead, piece - overhead + 1, piece, 2*piece - overhead, 2*piece + 1} {
		c := small(new(disktest.File))
		c.slot, c.Capacity = 128<<10, slotsAt+4*(128<<10)
		s := start(t, c)
		s.Use(testLife)
		a := object("a", 1, size)
		mustPut(t, s, a)
		if _, _, ok := s.FindHead([]byte("a"), 1, 1<<20); ok && s.waitingItems() > 0 {
			t.Error("found what has no place yet")
		}
		s.settle(t)
		full, where := s.Find([]byte("a"))
		o, ref, ok := s.FindHead([]byte("a"), 1, 1<<20)
		full.Body = nil
		if !ok || !equal(o, full) || o.Length != int64(size) || o.Body != nil || ref.Far() != where.Far() || o.Serial != full.Serial {
			t.Fatalf("%d octets: %v, %+v", size, ok, o)
		}
		for _, x := range []struct {
			key         string
			least, most int64
		}{{"b", 1, 1 << 20}, {"a", int64(size) + 1, 1 << 20}, {"a", 0, int64(size) - 1}} {
			if _, _, ok := s.FindHead([]byte(x.key), x.least, x.most); ok {
				t.Errorf("%q of %d to %d octets is found", x.key, x.least, x.most)
			}
		}
		s.file.Suffer(disktest.Faults{Cold: true})
		if _, _, ok := s.FindHead([]byte("a"), 1, 1<<20); ok {
			t.Error("found on a disk that has to be waited for")
		}
		s.file.Suffer(disktest.Faults{})
		s.Clear()
		if _, _, ok := s.FindHead([]byte("a"), 1, 1<<20); ok || s.Stats().Damaged != 0 {
			t.Error("found after Clear")
		}
		s.stop()
	}
}

// A record in which anything has changed since it was written is not found, and gone as soon as somebody has looked who reads
// all of it.
func TestFindHead_FindsDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for i := range 200 {
		s := start(t, small(new(disktest.File)))
		s.Use(testLife)
		ref := put1(t, s, object("a", 1, 50_000))
		from, size := s.base(ref.at.slot())+ref.at.off(), len("a")+50_000
		at := from + int64(r.IntN(size))
		if i%2 == 0 {
			at = from + []int64{int64(r.IntN(frameSize + 60)), frameSize + 56 + 50_001 + int64(r.IntN(20))}[i/2%2]
		}
		s.file.Octets()[at] ^= 1 << r.IntN(8)
		if _, _, ok := s.FindHead([]byte("a"), 1, 1<<20); ok {
			t.Fatalf("%d: octet %d of the record has changed", i, at-from)
		}
		if o, _, ok := s.FindNow([]byte("a"), 1<<20); !ok || o != nil || s.Stats().Damaged != 1 || s.Has([]byte("a")) {
			t.Fatalf("%d: octet %d: %v, %+v", i, at-from, o, s.Stats())
		}
		s.stop()
	}
}
