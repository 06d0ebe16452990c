package guarantee

import (
	"bytes"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestContent_EveryPieceSaysWhatItIs(t *testing.T) {
	o := newObjects(27, 0)[Ranged]
	body := o.body(41)
	if int64(len(body)) != o.size(41) || len(body)%lineSize != 0 {
		t.Fatalf("%d octets, size says %d", len(body), o.size(41))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		off := r.IntN(len(body))
		n := 1 + r.IntN(len(body)-off)
		if err := o.check(41, body[off:off+n], int64(off)); err != nil {
			t.Fatalf("%d octets at %d: %v", n, off, err)
		}
	}
	other := o.body(44) // of the same length
	for _, n := range []int{lineSize, 1000, len(body) - lineSize} {
		mixed := append(append([]byte(nil), body[:n]...), other[n:]...)
		if o.check(41, mixed, 0) == nil {
			t.Errorf("version 41 up to %d and 44 after it passed", n)
		}
	}
	if o.check(41, o.body(42), 0) == nil || o.check(41, newObjects(27, 0)[turns+int(Ranged)].body(41), 0) == nil {
		t.Error("another version, or another object, passed")
	}
	if o.check(41, append(body, body[:1]...), 0) == nil {
		t.Error("one octet too many passed")
	}
}

// Every line differs between two versions, whatever their lengths.
func TestContent_NoLineIsInTwoVersions(t *testing.T) {
	o := newObjects(9, 0)[Small]
	a := strings.SplitAfter(string(o.body(7)), "\n")
	b := string(o.body(8))
	for _, line := range a {
		if line != "" && strings.Contains(b, line) {
			t.Errorf("%q is in both", line)
		}
	}
}

func TestSelector_MatchesAsARegexpDoes(t *testing.T) {
	objects := newObjects(270, 0)
	r := rand.New(rand.NewPCG(2, 2))
	seen := map[string]bool{}
	for range 3000 {
		about := objects[r.IntN(len(objects))]
		item := pick(r, about)
		seen[shape(item)] = true
		if tags := editionsIn([]string{item}); !matches(item, about) && (len(tags) == 0 || !lately(tags, about)) {
			t.Fatalf("%s was made for %s and does not match it", item, about)
		}
		if item[0] == '#' {
			continue
		}
		re := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(unspelled(item)), `\*`, ".*") + "$")
		for _, o := range objects {
			if matches(item, o) != re.MatchString(o.Target()) {
				t.Fatalf("%s and %s", item, o)
			}
		}
	}
	for _, s := range shapes {
		if !seen[s] {
			t.Errorf("no item of shape %s was made", s)
		}
	}
}

func TestObjects_HaveDifferentTargets(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range newObjects(1000, 0) {
		if seen[o.Target()] {
			t.Fatalf("%s twice", o.Target())
		}
		seen[o.Target()] = true
		if v, ok := o.versionOf(o.etag(12)); !ok || v != 12 {
			t.Fatalf("%s reads as %d, %v", o.etag(12), v, ok)
		}
		if v, ok := o.versionOf("W/" + strings.TrimSuffix(o.etag(12), `"`) + `-gzip"`); !ok || v != 12 {
			t.Fatalf("the weak form reads as %d, %v", v, ok)
		}
	}
}

// Large ones are read from anywhere without being laid out.
func TestContent_ReaderReadsTheBody(t *testing.T) {
	for _, o := range newObjects(turns, 64<<10) {
		body := o.body(8)
		r := o.reader(8)
		whole, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(whole, body) {
			t.Fatalf("%s: %d octets, %v; want %d", o, len(whole), err, len(body))
		}
		p := make([]byte, 100)
		if n, err := r.ReadAt(p, 70); err != nil || !bytes.Equal(p[:n], body[70:170]) {
			t.Errorf("%s: %q, %v", o, p[:n], err)
		}
	}
}

func TestContent_OldestOfSeveral(t *testing.T) {
	o := newObjects(turns, 64<<10)[turns+fewLarge]
	if o.Kind != Rebuilt {
		t.Fatal(o.Kind)
	}
	a, b := o.body(41), o.body(9)
	mixed := append(append(append([]byte(nil), a[:2*lineSize]...), b[2*lineSize:3*lineSize]...), a[3*lineSize:]...)
	for _, c := range []struct {
		b    []byte
		off  int64
		want uint64
		bad  bool
	}{
		{b: a, want: 41},
		{b: mixed, want: 9},
		{b: mixed[3*lineSize : 5*lineSize], off: 3 * lineSize, want: 41},
		{b: mixed[:2*lineSize+atVersion+10], want: 9}, // cut behind what says the version
		{b: mixed[:2*lineSize+atVersion+9], want: 41},
		{b: mixed[:10], want: 0},
		{b: mixed[lineSize:], off: 2 * lineSize, bad: true},
		{b: mixed[1:], bad: true},
	} {
		v, err := o.oldest(c.b, c.off)
		if v != c.want || (err != nil) != c.bad {
			t.Errorf("%d octets at %d: version %d, %v", len(c.b), c.off, v, err)
		}
	}
}
