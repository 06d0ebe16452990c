package disk

import (
	"encoding/binary"
	"hash/crc32"
)

// The file, version 2; numbers are little-endian. A superblock, stains, then slots of one size, each with one
// segment or nothing:
//
//	superblock   0  "WFDISK" and u16 version
//	             8  u32  CRC-32C of what follows
//	            12  u32  octets of a slot
//	            16  32 octets, the secret that keys are hashed with
//	          4096  64 sectors of stains: u32 CRC-32C, then 508 octets of bits
//	         36864  slot 0, slot 1, …
//
//	slot         0  header: u32 magic, u32 CRC-32C of what follows, u64 number of the segment, u16 length and octets of the life
//	           256  records, each at a multiple of 8. What is free in front of one, at most 4,088 octets, is zero
//	                views, table: only once the segment is full, or the store was closed
//	     end - 128  trailer: u32 magic, u32 CRC-32C, u64 number of the segment, u64 and 16 octets of the mark,
//	                u32 where the records end, u32 octets of the views and u32 their CRC-32C, u32 entries of the table, u32 its CRC-32C
//
//	record       0  u32  magic
//	             4  u32  CRC-32C of what follows, with the octets
//	             8  u64  hash of the key
//	            16  u64  and 16 octets: the mark
//	            40  u32  octets that follow; 0: what is under this key is gone
//	            48       a cache/record, with its body
//
//	view            u32  octets that follow the place
//	                u64  hash of the key
//	                u32  offset of the record in units of 8 octets, and u32 its octets
//	                a cache/record, without body, and of the fields only Content-Type
//
//	table entry     u64  hash, u32 offset in units of 8 octets, u32 octets of the record; both 0: gone
//
// All sums within a slot begin with one of the life and the segment's number, so that nothing that an
// earlier segment has left in the slot can be taken for this one's.
const (
	magic   = "WFDISK"
	version = 2

	superSize   = 4096
	superUsed   = 48
	slotsAt     = superSize + stainsSize
	headerSize  = 256
	frameSize   = 48
	trailerSize = 128
	viewSize    = 20
	entrySize   = 16
	maxLife     = headerSize - 18

	headerMagic  = 0x31474553 // "SEG1"
	recordMagic  = 0x31434552 // "REC1"
	trailerMagic = 0x31444e45 // "END1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(seed uint32, parts ...[]byte) uint32 {
	for _, p := range parts {
		seed = crc32.Update(seed, castagnoli, p)
	}
	return seed
}

// seedOf is what the sums of a segment begin with.
func seedOf(life string, number uint64) uint32 {
	return sum(0, []byte(life), binary.LittleEndian.AppendUint64(nil, number))
}

// Mark is a position in the journal: its number, and a digest of its name.
type Mark struct {
	Seq uint64
	ID  [16]byte
}

func (m Mark) append(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, m.Seq), m.ID[:]...)
}

func readMark(b []byte) (m Mark) {
	m.Seq = binary.LittleEndian.Uint64(b)
	copy(m.ID[:], b[8:])
	return m
}

// superblock of the file.
type superblock struct {
	slot   int64
	secret [32]byte
}

func (s *superblock) encode() []byte {
	b := make([]byte, superSize)
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[6:], version)
	binary.LittleEndian.PutUint32(b[12:], uint32(s.slot))
	copy(b[16:], s.secret[:])
	binary.LittleEndian.PutUint32(b[8:], sum(0, b[12:superUsed]))
	return b
}

// decodeSuper returns false for what is no superblock of this version.
func decodeSuper(b []byte) (s superblock, ok bool) {
	if len(b) < superUsed || string(b[:6]) != magic || binary.LittleEndian.Uint16(b[6:]) != version ||
		binary.LittleEndian.Uint32(b[8:]) != sum(0, b[12:superUsed]) {
		return s, false
	}
	s.slot = int64(binary.LittleEndian.Uint32(b[12:]))
	copy(s.secret[:], b[16:])
	return s, s.slot >= minSegment && s.slot <= maxSegment && s.slot%superSize == 0
}

func encodeHeader(life string, number uint64) []byte {
	b := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(b, headerMagic)
	binary.LittleEndian.PutUint64(b[8:], number)
	binary.LittleEndian.PutUint16(b[16:], uint16(len(life)))
	copy(b[18:], life)
	binary.LittleEndian.PutUint32(b[4:], sum(0, b[8:]))
	return b
}

func decodeHeader(b []byte) (life string, number uint64, ok bool) {
	if len(b) < headerSize || binary.LittleEndian.Uint32(b) != headerMagic ||
		binary.LittleEndian.Uint32(b[4:]) != sum(0, b[8:headerSize]) {
		return "", 0, false
	}
	n := int(binary.LittleEndian.Uint16(b[16:]))
	if n > maxLife {
		return "", 0, false
	}
	return string(b[18 : 18+n]), binary.LittleEndian.Uint64(b[8:]), true
}

// trailer of a segment that is complete.
type trailer struct {
	mark             Mark
	end, views, size int64 // where the records end; octets of the views; octets of the table
	viewsSum, tabSum uint32
}

func (t *trailer) encode(number uint64, seed uint32) []byte {
	b := make([]byte, 16, trailerSize)
	binary.LittleEndian.PutUint32(b, trailerMagic)
	binary.LittleEndian.PutUint64(b[8:], number)
	b = t.mark.append(b)
	for _, n := range [...]uint32{uint32(t.end), uint32(t.views), t.viewsSum, uint32(t.size / entrySize), t.tabSum} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = b[:trailerSize]
	binary.LittleEndian.PutUint32(b[4:], sum(seed, b[8:]))
	return b
}

// decodeTrailer returns false for what is not the trailer of that segment in a slot of that size.
func decodeTrailer(b []byte, number uint64, seed uint32, slot int64) (t trailer, ok bool) {
	if len(b) < trailerSize || binary.LittleEndian.Uint32(b) != trailerMagic || binary.LittleEndian.Uint64(b[8:]) != number ||
		binary.LittleEndian.Uint32(b[4:]) != sum(seed, b[8:trailerSize]) {
		return t, false
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	t = trailer{
		mark: readMark(b[16:]), end: int64(u32(40)), views: int64(u32(44)), viewsSum: u32(48),
		size: int64(u32(52)) * entrySize, tabSum: u32(56),
	}
	return t, t.end >= headerSize && t.end+t.views+t.size <= slot-trailerSize
}

// frame is what stands in front of a record.
type frame struct {
	hash uint64
	mark Mark
	size int64 // of the record, without the frame
}

// seal writes the frame in front of the record that follows it in b.
func (f *frame) seal(b []byte, seed uint32) {
	binary.LittleEndian.PutUint32(b, recordMagic)
	binary.LittleEndian.PutUint64(b[8:], f.hash)
	f.mark.append(b[:16])
	binary.LittleEndian.PutUint32(b[40:], uint32(f.size))
	binary.LittleEndian.PutUint32(b[44:], 0)
	binary.LittleEndian.PutUint32(b[4:], sum(seed, b[8:frameSize+f.size]))
}

// readFrame reads the frame at the beginning of b, and the sum that it and its record should have.
func readFrame(b []byte) (f frame, want uint32, ok bool) {
	if len(b) < frameSize || binary.LittleEndian.Uint32(b) != recordMagic {
		return f, 0, false
	}
	return frame{
		hash: binary.LittleEndian.Uint64(b[8:]), mark: readMark(b[16:]), size: int64(binary.LittleEndian.Uint32(b[40:])),
	}, binary.LittleEndian.Uint32(b[4:]), true
}

// openFrame reads the frame at the beginning of b, and tells whether it and its record are whole.
func openFrame(b []byte, seed uint32) (f frame, ok bool) {
	f, want, ok := readFrame(b)
	if !ok || f.size > int64(len(b)-frameSize) {
		return f, false
	}
	return f, want == sum(seed, b[8:frameSize+f.size])
}

// entry of a table: where the record of a key is; size 0: there is none any more.
type entry struct {
	hash      uint64
	off, size int64 // of the record with its frame
}

func (e entry) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, e.hash)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.off/unit))
	return binary.LittleEndian.AppendUint32(b, uint32(e.size))
}

func readEntry(b []byte) entry {
	return entry{
		hash: binary.LittleEndian.Uint64(b), off: int64(binary.LittleEndian.Uint32(b[8:])) * unit,
		size: int64(binary.LittleEndian.Uint32(b[12:])),
	}
}

// fits tells whether the entry is a place among records that end at end.
func (e entry) fits(end int64) bool {
	return e.size == 0 || e.off >= headerSize && e.size >= frameSize && e.off+e.size <= end
}

// in is the place that the entry stands for in a slot, the zero one if there is none any more.
func (e entry) in(slot int) place {
	if e.size == 0 {
		return 0
	}
	return placeOf(slot, e.off, e.size)
}

func padded(n int64) int64 { return (n + unit - 1) / unit * unit }
