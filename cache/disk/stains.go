package disk

import (
	"encoding/binary"
	"slices"
	"sync"
)

// stains remember of which things it may not be said, after a restart, that what is stored of them is still good: an unsafe
// request has changed them. What a process knows of that by its clock is gone with it. One bit for each thing, by
// the hash of its name, in sectors with sums of their own; a sector that is not whole has stained everything in it. A
// stain stays for as long as the file: what is fetched after it would be good, and is lost with each restart.
type stains struct {
	mu   sync.Mutex
	bits []byte // with the sums; guarded by mu
	// How many bits of a sector have been set, and how many of these are in the file. Guarded by mu.
	set, kept [stainSectors]uint32

	io sync.Mutex // held while they are written; never waited for with mu
}

const (
	stainsAt     = superSize
	stainSector  = 512
	stainSectors = 64
	stainsSize   = stainSectors * stainSector
	stainsEach   = (stainSector - 4) * 8 // bits of a sector
)

// stainOf is where the bit of a hash is: its octet and its mask.
func stainOf(hash uint64) (at int, mask byte) {
	n := int(hash % (stainSectors * stainsEach))
	return n/stainsEach*stainSector + 4 + n%stainsEach/8, 1 << (n % 8)
}

// Stain notes that what is stored of a thing shall not be used by another process. When it returns that is durable,
// unless the disk has failed: then it is tried again the next time that anything is stained. Only the first time it takes as
// long as the disk takes; who cannot wait lets another goroutine do it. Stained knows of it at once.
func (s *Store) Stain(name []byte) {
	at, mask := stainOf(s.hash(name))
	t := &s.stains
	t.mu.Lock()
	n := at / stainSector
	if t.bits[at]&mask == 0 {
		t.bits[at] |= mask
		t.set[n]++
	}
	due := t.set[n] != t.kept[n]
	t.mu.Unlock()
	if due {
		t.io.Lock()
		defer t.io.Unlock()
		s.writeStains()
	}
}

// writeStains writes what is not in the file yet. With io.
func (s *Store) writeStains() {
	t := &s.stains
	for n := range t.set {
		var sector [stainSector]byte
		t.mu.Lock()
		set, due := t.set[n], t.set[n] != t.kept[n]
		copy(sector[:], t.bits[n*stainSector:])
		t.mu.Unlock()
		if !due {
			continue
		}
		binary.LittleEndian.PutUint32(sector[:], sum(stainsSeed, sector[4:]))
		_, err := s.file.WriteAt(sector[:], stainsAt+int64(n*stainSector))
		if err == nil {
			err = s.file.Sync()
		}
		if err != nil {
			s.counts.failures.Add(1)
			s.writes.failed(err)
			return
		}
		t.mu.Lock()
		t.kept[n] = set
		t.mu.Unlock()
	}
}

// Stained tells whether the thing has been stained, or another whose hash is the same.
func (s *Store) Stained(name []byte) bool {
	at, mask := stainOf(s.hash(name))
	s.stains.mu.Lock()
	defer s.stains.mu.Unlock()
	return s.stains.bits[at]&mask != 0
}

const stainsSeed = 1

// loadStains reads them.
func (s *Store) loadStains() {
	b := make([]byte, stainsSize)
	if _, err := s.file.ReadAt(b, stainsAt); err != nil {
		s.counts.failures.Add(1)
		clear(b)
	}
	for from := 0; from < len(b); from += stainSector {
		sector := b[from : from+stainSector]
		if binary.LittleEndian.Uint32(sector) != sum(stainsSeed, sector[4:]) {
			for i := range sector {
				sector[i] = 0xff
			}
		}
	}
	s.stains.bits = b
}

// noStains is what a new file begins with.
func noStains() []byte {
	sector := make([]byte, stainSector)
	binary.LittleEndian.PutUint32(sector, sum(stainsSeed, sector[4:]))
	return slices.Repeat(sector, stainSectors)
}
