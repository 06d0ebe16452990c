// Package memory knows a bounded set of objects in memory: where they lie, and which to keep when not
// all fit. It is the memory tier of cache.Store.
//
// # Off the heap
//
// Ten million objects on the heap of a garbage collector are ten million things to mark, each time it
// goes round, and as many again for each piece that an object consists of. So an object is one string of
// octets here (cache/record), and lies behind others in a segment, which is memory that the collector
// knows nothing of. The index that finds it has numbers and no pointers. What an object takes beyond its
// key, its prepared heads and its body is less than 100 octets.
//
//	shard   table    one cache line of 8 slots after the other: 26 bits of hash, 38 of location
//	        queues   small, main: lists of segments, written at the young end, evicted at the old one
//	segment entry entry entry …
//	entry   mark     16 octets that change: hits, uses, what it was checked against
//	        record   octets that never do
//
// A segment is a 256th part of a shard, up to 1 MiB. Everything that the store holds is segments, large
// bodies and tables, and their sum is the bound: no mix of sizes makes holes that nothing fits into,
// because nothing is ever freed but a whole segment.
//
// # Eviction: S3-FIFO
//
// Objects stand in one of two first-in first-out queues. New ones enter the small queue, a tenth of
// the bytes; one that was asked for again by the time it reaches the end moves on to the main queue,
// and any other is evicted. At the end of the main queue an object that was asked for goes round once
// more, with one use less to its credit. Of each object evicted from the small queue a fingerprint is
// kept for a while, the ghost; one that comes back in that time was evicted too early and enters the
// main queue at once. An object carries two bits for its uses, 0 to 3.
//
// First in, first out is what a log is: an entry is written behind the last one, and the old end is gone
// through entry by entry. Moving on means to be copied to the young end of the main queue. When the end of
// a segment is reached nothing in it is alive, and it is free. What is replaced or removed in between
// leaves dead octets. A segment with nothing else is free at once; neighbours that are mostly dead are
// made fewer in their place when a sixth of what a shard has written is.
//
// Why not LRU: it moves a list node on every hit, hence a lock that all cores take on every hit; and
// one crawl through many URLs that nobody asks for twice empties it of everything that is popular.
// Here such objects pass through a tenth of the memory and no more. Why not W-TinyLFU, which resists
// scans as well: each access updates a frequency sketch (several writes to shared memory, or lossy
// buffers that a lock drains), inside it are LRU lists again, and an object that has just become
// popular has to win against history. docs/cache.md has the hit ratios of all three, and of Belady's
// bound; hit_ratio_test.go measures them. This one is up to 6 points worse than LRU where many requests
// are for objects that are asked for a few times within a span just longer than the small queue, and then
// never again: the price of letting newcomers pass quickly.
//
// # Cost of a hit
//
// No lock, no allocation, no list. A hit hashes the key, reads one line of the table, compares the key
// where the entry is, and counts the use with one compare-and-swap, which a popular object (3 uses already)
// does not even need. A plain hit (Lend) copies head and body from there straight into its answer. Everything
// else gets an Object of its own, with the octets copied (Get).
//
// Writers (fills and evictions) work under the lock of one of several shards, and readers do not see it:
//
//   - an entry is written before its slot, and what has been written never changes but for the mark;
//   - an entry that is moved or replaced keeps its slot, so that a reader cannot miss it;
//   - a table that is too full is copied; a reader still in the old one sees the moment of the copy,
//     which lies within its own call;
//   - memory that cannot be reached any more is used again when no reader from before is left (guard).
//
// A reader that the machine takes off its core keeps such memory from being used for as long. Fills then wait
// a moment, and go beyond the bound by what they bring in that time.
//
// # Large bodies
//
// A body of 16 KiB or more lies in pages of its own (internal/pages): the kernel can send it from there
// without copying, and the record has a number for it instead. A fill that knows how large its body will be writes it there
// as it comes (Blank). Pages belong to whoever refers to them, so
// that a body in delivery stays as it is, however slow its viewer; they are freed by the garbage collector.
// Bytes in delivery are therefore on top of the bound. So that a collector which has little to do otherwise
// goes round in time, a fill has it do so when more than a part of the bound waits for it.
//
// # Bound
//
// The shards share one budget. Bytes are reserved before they are taken and given back when they are free,
// so Stats().Held does not exceed the capacity. Room is made in the object's own shard if that has its fair
// share, else in the largest one: an object far larger than a shard's share does not empty it. What an
// object weighs are its octets, 16 for its slot, and for a large body the pages and 192. An object whose
// head does not fit into a segment, or whose key is longer than 65,535 octets, is not stored.
//
// Where there is no memory outside of the heap (systems other than Linux), segments and tables lie in the
// heap, in large pieces without pointers.
package memory
