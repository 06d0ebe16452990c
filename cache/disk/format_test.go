package disk

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk/disktest"
)

// tiny is a store of four slots of 4 KiB whose file is the same each time.
func tiny(t testing.TB) Config {
	t.Helper()
	f := new(disktest.File)
	if _, err := f.WriteAt(append((&superblock{slot: minSegment}).encode(), noStains()...), 0); err != nil {
		t.Fatal(err)
	}
	return Config{File: f, Capacity: slotsAt + 4*minSegment, slot: minSegment, Queue: 1 << 20}
}

// example has two objects, of which one has been forgotten.
func example(t testing.TB) *disktest.File {
	t.Helper()
	s := start(t, tiny(t))
	s.Use("0123456789abcdef/1")
	s.At(Mark{Seq: 4711, ID: [16]byte([]byte("id of that entry"))})
	for _, key := range []string{"a.txt", "b.txt"} {
		mustPut(t, s, &cache.Object{
			Key: key, Distribution: "E1ABCDEFGHIJKL", Stamp: 4700, Epoch: "0123456789abcdef/1", Status: 200, Body: []byte("hello " + key),
			Subject: object(key, 1, 30).Subject, Fields: object(key, 1, 30).Fields,
		})
		s.settle(t)
	}
	s.Forget([]byte("b.txt"))
	s.settle(t)
	s.stop()
	return s.file
}

// dump says what the octets are, part by part.
func dump(t *testing.T, f *disktest.File) string {
	var out strings.Builder
	part := func(what string, from, to int64) {
		fmt.Fprintf(&out, "%s, at %d\n", what, from)
		for line := range strings.Lines(hex.Dump(f.Octets()[from:to])) {
			fmt.Fprintf(&out, "  %s", line)
		}
	}
	part("superblock; zeros from here to 4096", 0, superUsed)
	part("the first sector of stains, of 64; the fifth octet of it has its first bits", superSize, superSize+32)
	base := int64(slotsAt)
	part("header of slot 0; zeros up to 256 octets", base, base+48)
	life, number, ok := decodeHeader(f.Octets()[base:])
	tr, complete := decodeTrailer(f.Octets()[base+minSegment-trailerSize:], number, seedOf(life, number), minSegment)
	if !ok || !complete {
		t.Fatal("not a complete segment")
	}
	for at := base + headerSize; at < base+tr.end; {
		fr, ok := openFrame(f.Octets()[at:], seedOf(life, number))
		if !ok {
			t.Fatal("a broken record")
		}
		part(fmt.Sprintf("frame, mark %d", fr.mark.Seq), at, at+frameSize)
		if fr.size == 0 {
			part("which is a tombstone, so nothing follows", at, at)
		} else {
			part("its record", at+frameSize, at+frameSize+fr.size)
		}
		at += padded(frameSize + fr.size)
	}
	for at := base + tr.end; at < base+tr.end+tr.views; {
		v, ok := readView(f.Octets()[at:])
		if !ok {
			t.Fatal("a broken view")
		}
		part(fmt.Sprintf("view of what is at %d of the slot", v.off), at, at+viewSize)
		part("its record", at+viewSize, at+int64(v.octets))
		at += int64(v.octets)
	}
	at := base + tr.end + tr.views
	part(fmt.Sprintf("table of %d entries", tr.size/entrySize), at, at+tr.size)
	part("trailer; zeros up to 128 octets", base+minSegment-trailerSize, base+minSegment-trailerSize+64)
	return out.String()
}

// The file of this version, octet by octet: it shall be read for ever, or the version be raised.
func TestFormat_Golden(t *testing.T) {
	f := example(t)
	got := dump(t, f)
	file := filepath.Join("testdata", "file.txt")
	if os.Getenv("GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestOpen_DropsAnotherVersion(t *testing.T) {
	f := example(t).Killed()
	f.Octets()[6]++
	c := tiny(t)
	c.File = f
	s := start(t, c)
	if kept, _ := s.Kept(); kept != "" || s.Stats().Objects != 0 {
		t.Errorf("took over %q", kept)
	}
	s.Use(testLife)
	mustPut(t, s, object("a", 1, 30))
	s.settle(t)
	if !equal(s.Get([]byte("a")), object("a", 1, 30)) {
		t.Error("the new file does not work")
	}
}

// reseal makes all sums right that are where they would be, so that what is behind them is looked at.
func reseal(b []byte) {
	if len(b) < superSize {
		return
	}
	binary.LittleEndian.PutUint32(b[8:], sum(0, b[12:superUsed]))
	for base := slotsAt; base+minSegment <= len(b); base += minSegment {
		slot := b[base : base+minSegment]
		binary.LittleEndian.PutUint32(slot[4:], sum(0, slot[8:headerSize]))
		life, number, ok := decodeHeader(slot)
		if !ok {
			continue
		}
		seed := seedOf(life, number)
		for at := headerSize; at+frameSize <= len(slot); {
			size := int(binary.LittleEndian.Uint32(slot[at+40:]))
			if size > len(slot)-at-frameSize {
				break
			}
			binary.LittleEndian.PutUint32(slot[at+4:], sum(seed, slot[at+8:at+frameSize+size]))
			at += int(padded(int64(frameSize + size)))
		}
		tr := slot[minSegment-trailerSize:]
		u32 := func(at int) int { return int(binary.LittleEndian.Uint32(tr[at:])) }
		if end, views, table := u32(40), u32(44), u32(52)*entrySize; end+views+table <= len(slot) {
			binary.LittleEndian.PutUint32(tr[48:], sum(seed, slot[end:end+views]))
			binary.LittleEndian.PutUint32(tr[56:], sum(seed, slot[end+views:end+views+table]))
		}
		binary.LittleEndian.PutUint32(tr[4:], sum(seed, tr[8:]))
	}
}

// Whatever is in the file, it can be opened, walked through, read and written on.
func FuzzOpen(f *testing.F) {
	whole := example(f).Octets()
	f.Add(whole[:slotsAt+minSegment], true)
	f.Add(whole[:slotsAt+headerSize+200], false)
	cut := slices.Clone(whole[:slotsAt+minSegment])
	clear(cut[slotsAt+minSegment-trailerSize:])
	f.Add(cut, true)
	f.Fuzz(func(t *testing.T, image []byte, mend bool) {
		if len(image) > slotsAt+4*minSegment {
			return
		}
		image = slices.Clone(image)
		if mend {
			reseal(image)
		}
		c := tiny(t)
		c.File = disktest.Holding(image)
		s, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		life, m := s.Kept()
		if life == "" {
			life = testLife
		}
		s.Use(life)
		s.At(m)
		n := int64(0)
		s.Range(func(o *cache.Sight) bool {
			s.Get([]byte(o.Key))
			if n++; n%3 == 0 {
				o.Drop()
			}
			return true
		}, &Sweep{Life: testLife, To: m.Seq, Since: func(string, uint64) bool { return true }})
		w := &writer{s: s}
		for i := range 40 {
			o := object(fmt.Sprint(i), 1, 100)
			o.Epoch = life
			s.Put(o)
			s.Put(o) // it may have to earn its place
			for len(s.queue) > 0 {
				w.take(<-s.queue)
			}
		}
		w.flush()
		w.finish()
		if o := s.Get([]byte("39")); o == nil || string(o.Body) != string(object("39", 1, 100).Body) {
			t.Error("cannot be written on")
		}
		if st := s.Stats(); st.Objects < 0 || st.Bytes < 0 {
			t.Errorf("%+v", st)
		}
	})
}
