// Package record knows a stored object as one string of octets: what the memory tier keeps outside of
// the heap, and what the disk tier writes. A record has no pointers, means the same wherever it lies,
// and begins with the version of its format.
//
// # Layout, version 1; numbers are little-endian
//
//	 0  u8   version
//	 1  u8   flags
//	 2  u16  status; 0: no answer, as of a signpost
//	 4  u32  octets of the whole record
//	 8  u32  octets of the body, wherever it lies
//	12  u16  octets of the key
//	14  u16  octets of the head prepared for HTTP/1.1
//	16  u16  octets of the head prepared for HTTP/2
//	18  u16  number of the epoch    } by the store's own tables;
//	20  u32  number of the distribution    } 0 with the flag strings
//	24  u64  stamp
//	32  i64  fetch start, as nanoseconds of the journal's clock
//	40  i64  stored, as nanoseconds since the instant that the writer counts from
//	48  u32  seconds for which it is fresh after that; the greatest number: see rest
//	52  u16  where in the head for HTTP/1.1 the value of Content-Type begins
//	54  u16  its octets
//	56       key, head for HTTP/1.1, body (unless it lies elsewhere), head for HTTP/2, rest
//
// What a plain hit needs is in front and lies together: two or three cache lines, then the octets that
// are sent. The rest is what invalidations and everything but a plain hit need, with lengths and counts
// as variable-length numbers:
//
//	initial age, three times of stale use    only with the flag times
//	until when the origin is left alone      only with the flag held
//	until when it is fresh                   only if the head does not say
//	epoch, distribution                      only with the flag strings
//	path, alias, query     of the subject
//	tags        their number, and each
//	fields      their number, and each with name and value; only the number with the flag inHead
//
// A text of the rest that occurs in the key, as a path does, is said by its place there. And the fields
// of an answer whose head is prepared stand in that head already: they are not kept twice.
//
// Prepared heads name the edge and belong to this version of the program, numbers belong to a store, and
// instants may be counted from one that means nothing after a restart: all three are for memory alone.
// Form says which are wanted.
//
// # What comes from a disk
//
// Open looks at every length and count before anything else does, allocates nothing, and returns an error
// for what is no record. It cannot see that octets were changed: whoever reads from where that happens
// has a checksum around the record.
package record
