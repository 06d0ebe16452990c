package disk

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/warmfront/warmfront/cache/disk/disktest"
)

func TestStain_OutlivesPowerCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	s := start(t, small(new(disktest.File)))
	s.Use(testLife)
	for i := range 300 {
		name := []byte(fmt.Sprint("thing ", i))
		if s.Stained(name) && i < 10 {
			t.Fatalf("%s is stained already", name)
		}
		s.Stain(name)
		if i%100 == 0 {
			s = start(t, small(s.file.Cut(r)))
			s.Use(testLife)
		}
	}
	s = start(t, small(s.file.Cut(r)))
	clean := 0
	for i := range 300 {
		if !s.Stained([]byte(fmt.Sprint("thing ", i))) {
			t.Errorf("thing %d has lost its stain", i)
		}
		if !s.Stained([]byte(fmt.Sprint("other ", i))) {
			clean++
		}
	}
	if clean < 290 {
		t.Errorf("%d of 300 others are clean", clean)
	}
}

func TestStain_ABrokenSectorStainsAll(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	f := s.file.Killed()
	for at := stainsAt; at < stainsAt+stainsSize; at += stainSector {
		f.Octets()[at+100] ^= 4
	}
	s = start(t, small(f))
	if !s.Stained([]byte("anything")) {
		t.Error("octets that are not what was written say that nothing has changed")
	}
}

// What is written to before it is known whose life was found is stained like anything else: it may be found again.
func TestStain_BeforeALifeIsUsed(t *testing.T) {
	s := start(t, small(new(disktest.File)))
	s.Stain([]byte("thing"))
	if s = start(t, small(s.file.Killed())); !s.Stained([]byte("thing")) {
		t.Error("it has lost its stain")
	}
}
