package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/internal/mistake"
)

// Config of a Store. File and Capacity are required.
type Config struct {
	File     File  // this store's alone; Close closes it
	Capacity int64 // octets of File, at least MinCapacity
	Queue    int64 // octets of objects that wait to be written; default 64 MiB, at most an eighth of Capacity

	// Hot tells whether a key is asked for although it is not read from here, because it is in memory: then it is
	// kept beyond its segment's end. Nil: nothing is.
	Hot func(key []byte) bool

	Logger *slog.Logger // default: discard

	// Linger is how long what is less than a batch of 1 MiB waits for company before it is written; default 100 ms, negative: as long as
	// something else waits.
	Linger time.Duration

	slot int64 // for tests
}

const (
	// MinCapacity is the smallest.
	MinCapacity = 16 << 20

	minSegment = 4096
	segments   = 64      // as many at least, if they are not very small then
	fewest     = 2       // as many at any rate
	leastSlot  = 1 << 20 // not smaller for the sake of their number

	maxQueue = 4096 // objects that wait to be written
)

// Store keeps objects in a file. Make it with Open. All methods may be called concurrently, but Close only
// after Run has ended. Until Use has named a life, it stores and finds nothing.
type Store struct {
	cfg   Config
	file  File
	quick Quick // file, if it is one; nil: nothing can be read on the spot
	log   *slog.Logger
	super superblock
	limit int64 // octets of the largest record, with its frame

	shards [shards]shard
	queue  chan *item
	queued atomic.Int64 // octets
	serial atomic.Uint64
	moved  atomic.Uint64 // how often something has left its segment to be written again
	owed   tombstones

	// life is whose objects are served and stored; nil: nobody's. Replaced with mu.
	life   atomic.Pointer[life]
	mark   atomic.Pointer[Mark] // that records get
	kept   string               // the life that was found in the file, and its greatest mark
	latest Mark

	mu     sync.Mutex
	slots  []atomic.Pointer[segment] // nil: free. Read without mu, changed with it
	inSlot []atomic.Pointer[segment] // whose octets are there, found or not; the writer's
	sends  bool                      // bodies can be sent from the file: see part.go
	open   *segment                  // that is written to; guarded by mu
	next   uint64                    // number of the next segment; guarded by mu
	at     int                       // slot of the last one; guarded by mu
	lapped atomic.Bool               // a slot has been used again: from then on objects have to earn their place
	seen   doorkeeper
	stains stains

	restless      atomic.Int64 // when the kernel was last found to have given up what it had had a short time before: see part.go
	reads, writes health
	unread        atomic.Uint64 // the place that could not be read the last time that something could not
	counts        counts
	near          [stripes]near
	objects       atomic.Int64
	bytes         atomic.Int64
}

// life is one unbroken time of the journal, as the edge has seen it.
type life struct{ name string }

const shards = 64

// shard is a part of the keys.
type shard struct {
	mu      sync.Mutex
	index   index
	pending map[uint64]*item // on their way into the file: found before the index is
	_       [16]byte
}

// item is an object on its way, or, object is nil, a tombstone in the writer's hands: what is under the key is gone.
type item struct {
	hash   uint64
	object *cache.Object
	life   *life
	size   int64  // octets that it is counted with
	queued int64  // those of them that Store.queued has, until it is written
	serial uint64 // pendingSerial and a number: cache.Object.Serial
	at     place  // where it was written; 0: not yet. Guarded by its shard's mu
}

// copy is what is waited for, as its caller's own.
func (it *item) copy(s *Store) *cache.Object {
	o := it.object
	c := &cache.Object{
		Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: o.Epoch, FetchStart: o.FetchStart,
		Status: o.Status, Fields: o.Fields, Body: o.Body, Pages: o.Pages, Fresh: o.Fresh, Keeper: s, Serial: it.serial,
	}
	c.SetChecked(o.Checked())
	return c
}

// counts for Stats.
type counts struct {
	hits, misses, damaged, stored, overflow, unearned, rewritten, evicted, written, failures atomic.Uint64
}

// Stats of a Store.
type Stats struct {
	cache.Stats
	Hits, Misses uint64
	Damaged      uint64 // records that were found to be other octets than had been written
	Stored       uint64 // octets of objects that were taken to be written
	Overflow     uint64 // objects that were not, because too many waited already
	Unearned     uint64 // objects that were not, because nobody had asked for them before
	Rewritten    uint64 // octets that were written again to outlive their segment
	Written      uint64 // octets that were written in all
	Waiting      int64  // octets that are about to be: a process that is killed loses what they are of
	Failures     uint64 // reads and writes that failed
	Failing      bool   // and nothing is written or read for a while
}

// Open reads what is in the file and makes it one if it is none, or none of this version. What it finds is
// not served before Use. An error is the file's.
func Open(cfg Config) (*Store, error) {
	if cfg.File == nil || cfg.Capacity < MinCapacity && cfg.slot == 0 {
		return nil, fmt.Errorf("disk: a capacity of %d octets is too small: %d is the least", cfg.Capacity, MinCapacity)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Queue == 0 {
		cfg.Queue = min(64<<20, cfg.Capacity/8)
	}
	if cfg.Linger == 0 {
		cfg.Linger = linger
	}
	s := &Store{cfg: cfg, file: cfg.File, log: cfg.Logger, queue: make(chan *item, maxQueue), owed: tombstones{some: make(chan struct{}, 1)}}
	s.quick, _ = cfg.File.(Quick)
	for i := range s.shards {
		s.shards[i].pending = map[uint64]*item{}
	}
	s.reads.log, s.reads.what = cfg.Logger, "read"
	s.writes.log, s.writes.what = cfg.Logger, "write"
	if err := s.load(); err != nil {
		return nil, err
	}
	latest := s.latest
	if mistake.Made(markUnkept) {
		latest = Mark{}
	}
	s.mark.Store(&latest) // what is found is of up to there, also if the process ends before anybody says where it is
	return s, nil
}

// slotSize for a capacity: large writes, but many segments, so that few objects go at once.
func slotSize(capacity int64) int64 {
	size := max(leastSlot, capacity/segments)
	return min(size, maxSegment) &^ (superSize - 1)
}

// Kept returns the life of what was in the file when it was opened, and the greatest mark in it: nothing in
// it is younger. "" is no life, there is nothing.
func (s *Store) Kept() (life string, latest Mark) { return s.kept, s.latest }

// Use says in which life the edge is. What is stored of any other is dropped, and what is put of any other
// is refused.
func (s *Store) Use(name string) {
	if len(name) == 0 || len(name) > maxLife {
		panic("BUG: disk: a life of that length")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.life.Load()
	if l != nil && l.name == name {
		return
	}
	stays := l == nil && s.kept == name
	l = &life{name}
	if stays && s.open != nil {
		s.open.life = l
	}
	s.life.Store(l)
	if !stays { // after that: what is put meanwhile is of the life before, and would wait for ever
		s.mark.Store(&Mark{})
		s.clear()
	}
}

// Clear drops everything.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.life.Load(); l != nil {
		s.life.Store(&life{l.name}) // what waits to be written is of one before
	}
	s.clear()
}

func (s *Store) clear() {
	s.open = nil
	for i := range s.slots {
		s.slots[i].Store(nil)
	}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for _, x := range sh.index.slots {
			s.gone(x.at)
		}
		s.objects.Add(-int64(len(sh.pending)))
		sh.index = index{}
		clear(sh.pending)
		sh.mu.Unlock()
	}
}

// At says where the edge is in the journal. Records get that mark: the object's stamp must not be above it.
func (s *Store) At(m Mark) { s.mark.Store(&m) }

// hash of a key. With a secret in it nobody can make keys that drive others out.
func (s *Store) hash(key []byte) uint64 {
	var buf [288]byte
	h := sha256.Sum256(append(append(buf[:0], s.super.secret[:]...), key...))
	return binary.LittleEndian.Uint64(h[:])
}

func (s *Store) shard(hash uint64) *shard { return &s.shards[shardOf(hash)] }

func shardOf(hash uint64) int { return int(hash >> (64 - 6)) }

// Get returns the object under key, or nil. It reads from the file: this may take as long as the disk
// takes.
func (s *Store) Get(key []byte) *cache.Object {
	o, _ := s.Find(key)
	return o
}

// Peek is Get without counting as a use.
func (s *Store) Peek(key []byte) *cache.Object {
	o, _, _ := s.find(s.life.Load(), key, false, waits)
	return o
}

// Find is Get, and returns what is found in a way that can be asked after and dropped.
func (s *Store) Find(key []byte) (*cache.Object, Ref) {
	o, ref, _ := s.find(s.life.Load(), key, true, waits)
	s.asked(o)
	return o, ref
}

// asked counts an answer.
func (s *Store) asked(o *cache.Object) {
	if o != nil {
		s.counts.hits.Add(1)
	} else {
		s.counts.misses.Add(1)
	}
}

// Has tells, without reading, whether there is something under key: the answer is yes too often, by chance.
func (s *Store) Has(key []byte) bool {
	if s.life.Load() == nil {
		return false
	}
	hash := s.hash(key)
	sh := s.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.pending[hash] != nil || sh.index.get(hash) != 0
}

// Expel removes what is under key, as Ref.Drop does.
func (s *Store) Expel(key []byte) {
	hash := s.hash(key)
	sh := s.shard(hash)
	sh.mu.Lock()
	it := sh.pending[hash]
	s.gone(sh.index.remove(hash, 0))
	sh.mu.Unlock()
	if it != nil {
		s.unawait(it)
	}
}

// waits, in place of how many octets are read on the spot: the disk is waited for.
const waits = -1

// find returns false if that would mean to wait, and most says how large an object is read on the spot.
func (s *Store) find(l *life, key []byte, use bool, most int64) (_ *cache.Object, _ Ref, ok bool) {
	if l == nil {
		return nil, Ref{}, true
	}
	hash := s.hash(key)
	sh := s.shard(hash)
	sh.mu.Lock()
	if it := sh.pending[hash]; it != nil {
		sh.mu.Unlock()
		if it.object.Key == string(key) && it.life == l {
			return it.copy(s), Ref{s: s, hash: hash, it: it}, true
		}
		return nil, Ref{}, true
	}
	at := sh.index.get(hash)
	now := most != waits
	if now && at != 0 && (s.quick == nil || at.size() > most) {
		sh.mu.Unlock()
		return nil, Ref{}, false
	}
	if at != 0 && use {
		sh.index.use(hash)
	}
	seg := s.segmentOf(at)
	sh.mu.Unlock()
	if at == 0 || !s.reads.well() {
		return nil, Ref{}, true
	}
	o, ok := s.read(seg, hash, at, now)
	if o == nil || o.Key != string(key) || o.Epoch != l.name {
		return nil, Ref{}, ok
	}
	return o, Ref{s: s, hash: hash, at: at, number: seg.number}, true
}

// Put lets o be written, in place of what was under its key. It returns false when o is not taken: it is too
// large, or too much waits already, or the disk fails, or the log is full and nobody has asked for o before. Then
// what was under its key is still there. Nobody may change o any more.
func (s *Store) Put(o *cache.Object) bool {
	_, ok := s.Add(o)
	return ok
}

// Add is Put, and returns what has been put so that it can be asked after.
func (s *Store) Add(o *cache.Object) (Ref, bool) {
	l := s.life.Load()
	if l == nil || o.Epoch != l.name {
		return Ref{}, false
	}
	hash := s.hash([]byte(o.Key))
	size := int64(len(o.Body) + len(o.Key) + frameSize)
	it := &item{hash: hash, object: o, life: l, size: size}
	switch {
	case size > s.limit, !s.writes.well():
		return Ref{}, false
	case s.lapped.Load() && !s.seen.again(hash):
		s.counts.unearned.Add(1)
		return Ref{}, false
	case !s.enqueue(it):
		s.counts.overflow.Add(1)
		return Ref{}, false
	}
	s.counts.stored.Add(uint64(size))
	return Ref{s: s, hash: hash, it: it}, true
}

// Earns lets a key that Put has refused, or would refuse, for want of requests have had them: the next Put takes it.
func (s *Store) Earns(key []byte) {
	if s.lapped.Load() {
		s.seen.again(s.hash(key))
	}
}

// Full tells that the log has gone round: objects have to earn their place.
func (s *Store) Full() bool { return s.lapped.Load() }

// Forget drops what is under key, for good.
func (s *Store) Forget(key []byte) {
	if s.life.Load() != nil {
		s.forget(s.hash(key))
	}
}

// forget also lets a tombstone be written, or the record would be back after the next start.
func (s *Store) forget(hash uint64) {
	sh := s.shard(hash)
	sh.mu.Lock()
	it, at := sh.pending[hash], sh.index.remove(hash, 0)
	s.gone(at)
	if it != nil {
		delete(sh.pending, hash)
		s.objects.Add(-1)
	}
	sh.mu.Unlock()
	if it != nil || at != 0 {
		s.owe(hash)
	}
}

// gone takes a record that the index has just lost out of the sums; 0 is none. With its shard's mu, or Clear would
// begin to count anew before what it has dropped is counted off.
func (s *Store) gone(at place) {
	if at != 0 {
		s.objects.Add(-1)
		s.bytes.Add(-at.size())
	}
}

// Stats returns the picture now.
func (s *Store) Stats() Stats {
	c := &s.counts
	hits := c.hits.Load()
	for i := range s.near {
		hits += s.near[i].hits.Load()
	}
	return Stats{
		Stats: cache.Stats{Objects: s.objects.Load(), Bytes: s.bytes.Load(), Capacity: s.cfg.Capacity, Evictions: c.evicted.Load()},
		Hits:  hits, Misses: c.misses.Load(), Damaged: c.damaged.Load(), Stored: c.stored.Load(),
		Overflow: c.overflow.Load(), Unearned: c.unearned.Load(), Rewritten: c.rewritten.Load(), Written: c.written.Load(),
		Waiting:  s.queued.Load(),
		Failures: c.failures.Load(), Failing: !s.writes.well(),
	}
}

// Close closes the file. Run has ended.
func (s *Store) Close() error { return s.file.Close() }

var zero time.Time

// LongAgo is when a fetch began whose process is gone: readings of the journal's clock say nothing about it.
var LongAgo = time.Unix(0, math.MinInt64/2)

var errBroken = errors.New("disk: not what was written")
