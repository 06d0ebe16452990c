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

// Stain notes durably that what is stored of a thing shall not be used by another process. Only the first time it
// takes as long as the disk takes. Where that fails it is tried again the next time.
func (s *Store) Stain(name []byte) {
	if s.life.Load() == nil {
		return
	}
	at, mask := stainOf(s.hash(name))
	s.stains.mu.Lock()
	defer s.stains.mu.Unlock()
	if s.stains.bits[at]&mask != 0 {
		return
	}
	s.stains.bits[at] |= mask
	from := at / stainSector * stainSector
	sector := s.stains.bits[from : from+stainSector]
	binary.LittleEndian.PutUint32(sector, sum(stainsSeed, sector[4:]))
	_, err := s.file.WriteAt(sector, stainsAt+int64(from))
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.counts.failures.Add(1)
		s.writes.failed(err)
		s.stains.bits[at] &^= mask // it will be tried again
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
