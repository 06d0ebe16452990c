// Package memory knows a bounded set of objects in memory: which to keep when not all fit. It is the
// memory tier of cache.Store.
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
// Why not LRU: it moves a list node on every hit, hence a lock that all cores take on every hit; and
// one crawl through many URLs that nobody asks for twice empties it of everything that is popular.
// Here such objects pass through a tenth of the memory and no more. Why not W-TinyLFU, which resists
// scans as well: each access updates a frequency sketch (several writes to shared memory, or lossy
// buffers that a lock drains), inside it are LRU lists again, and an object that has just become
// popular has to win against history. The hit ratios of the two are alike. hit_ratio_test.go holds
// this one against LRU: 2 to 11 points better on popularity that follows Zipf, 6 to 11 with scans and
// crawlers, 1 to 7 where popularity wanders. It is up to 5 points worse where many requests are for
// objects that are asked for a few times within a span just longer than the small queue, and then
// never again: the price of letting newcomers pass quickly.
//
// # Cost of a hit
//
// No lock, no allocation, no list. A hit hashes the key, looks at one or two neighbouring slots of an
// open-addressed table, compares the key, and counts the use with one compare-and-swap, which a
// popular object (3 uses already) does not even need. Readers see a table through an atomic pointer;
// writers (fills and evictions) change it in place under the lock of one of several shards:
//
//   - a slot's object is published before its tag and withdrawn before it, and a reader compares the
//     whole key, so that it can never return another key's object;
//   - an object does not change its slot while its table lives, so that a reader cannot miss it;
//   - a table that is too full is copied; a reader still in the old one sees the moment of the copy,
//     which lies within its own call.
//
// Objects are immutable: one that is evicted while somebody delivers it lives on until that is done.
// Bytes in delivery are therefore on top of the bound.
//
// The queues are rings of slot numbers and the ghost is an array of fingerprints: nothing that the
// garbage collector would have to walk except the one pointer per object.
//
// # Large bodies
//
// A body of 16 KiB or more is moved to pages outside of the heap (internal/pages) when it is stored: the
// kernel can send it from there without copying, and the garbage collector needs no room of its own
// for it. It is freed when nobody refers to its object any more, as it would be in the heap.
//
// # Bound
//
// The shards share one budget. Bytes are reserved before an object is stored and given back after one
// is evicted, so Stats().Bytes never exceeds the capacity. What an object weighs is in cost.go. Room
// is made in the object's own shard if that has its fair share, else in the largest one: an object far
// larger than a shard's share does not empty it. The garbage collector needs room of its own on top,
// as GOGC or GOMEMLIMIT say; what is evicted is free when it has been round.
package memory
