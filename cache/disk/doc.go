// Package disk knows objects in one file: more of them than memory holds, and still there after the process
// has ended, however it ended. It is the tier below cache/memory. It knows nothing of rules and leases: what is
// dead or fenced is edge's to say, by the stamps that are stored with the objects (L2).
//
// # A log of segments
//
// The file is cut into slots of one size, up to 64 MiB. Records are appended to one of them, the open segment,
// until it is full; then the next slot is written over, that of the oldest segment, and what was in it has been
// evicted. So the disk sees large sequential writes and nothing else: no record is changed in its place, nothing is
// compacted, and the space is the file's length whatever is stored. What was read since it was written is
// written again when its segment's time has come, the most wanted first, up to a quarter of the next segment:
// a log that never stops writes at most 4/3 of what it is given. Once it has gone round, only what is asked for a
// second time within about a million others is taken at all, for most of what a CDN sees is asked for once.
//
// An index in memory tells where the record of a key is: 16 octets for each in an array without pointers, 20
// to 40 with the room that open addressing needs. A read is one pread of head and body together. Whoever has the head in
// memory, and with it where the body lies (cache.Far), reads that without asking the index, or sends it from the file:
// near.go, part.go.
//
// Why not an engine such as Pebble or Badger: both are made to find keys in order and to lose nothing that they have
// confirmed, and pay for it with a write-ahead log and compactions that write each octet several times. A
// cache asks for one key at a time, and may lose anything at any time as long as it notices.
//
// # Nothing wrong is served
//
// No order of writes is relied on, and syncing is no part of the argument. Each record stands in a frame with a sum
// of its octets that begins with the life and the number of its segment; a reader compares the sum, the
// hash and the whole key, and who sends from the file has the sum compared once in a minute. Whatever a power cut has left of a slot (its old content, its new, a mixture) is then
// either a record of this segment, octet for octet, or nothing. The index is made anew from tables at the ends of
// full segments, and where there is no good table from those records that are whole. A table that is wrong costs a
// miss. Removing an object is written as a tombstone, which a crash may lose: then the object is
// there again. That does no harm to an object that is dead, for its stamp says so again.
//
// # Stamps after a restart
//
// An object's stamp is a number of a journal that went on without this process, and may have been replaced
// or rolled back. So every record also has a mark: a position of the journal, its number and its name, that the edge had
// applied when the record was written, and which is not below the stamp. And every segment names a life: an unbroken time
// of one journal, as this edge has followed it (E1). The edge names a life by chance whenever it begins one; it goes on
// with an old one only if the journal that it reads has the greatest mark of that life, with the same name.
// Since each entry of the journal has the name of the one before, all lesser marks are in it then, too. So:
//
//   - what is served after a restart was stamped in the journal that is followed now, and all rules since its stamp
//     are read from there before anything is served (S5): L3 holds.
//   - of the lives in a file only the one of the youngest segment counts. Where that was lost, an older one may come to
//     light, and is held against its own greatest mark.
//   - an edge may forget a rule as soon as what it kills is not found any more (L4), although the record is still
//     in the file: when the process begins again the rule is in the journal again. The journal forgets it only by
//     being rewritten, which is the end of all lives.
//
// A time of the journal's clock means nothing to another process. Objects of an earlier one were fetched long ago, so that
// no lease allows for their youth; and what unsafe requests have changed is stained (stains.go).
//
// # Goroutines and limits (L9)
//
// Run is the only one that writes. What waits for it is found meanwhile; at most Config.Queue octets and 4,096
// objects wait, and what comes then is not stored and counted; tombstones always find room. An object may have fifteen sixteenths of a segment, 60
// MiB of the largest. Where the disk fails in one direction it is left alone in that direction for a second, and
// for twice as long each time it fails again, up to five minutes; it is said once that it fails, and once that it works.
package disk
