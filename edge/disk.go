package edge

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/edge/rules"
)

// The tier below memory (Config.Disk). Plain hits look into memory alone; a request that finds nothing there asks the
// disk, and what comes from there is put into memory and judged as if it had been there all the time. What is stored is
// put into both.
//
// # Heads
//
// Of what comes from disk memory gets the head, all that is needed to judge it, and the body stays where it is
// (cache.Far): copying bodies that are asked for once in a while would be most of what such hits cost. A plain hit on it
// reads the body on the spot, if the kernel has it in memory (answer.go). Any other request loads it anew, and then the
// object is put into memory as a whole: it has been asked for again, and either the disk had to be waited for or octets
// are needed that cannot be had on the way.
//
// A plain hit that can be sent from the file does not wait for that: it loads the head on the spot, for which the record passes
// by its sum and is kept nowhere (disk.FindHead), and is then like any other. Whoever meets such a load waits for its end, which
// is near, and loads for himself.
//
// # Loads
//
// Between the moment at which an object is found on disk and the one at which it is in memory the sweeper could
// pass by both and forget the rule that kills it. So a load is registered, as flights are: from before it looks
// until it has put, and the sweeper keeps all rules above its stamp, the position of the snapshot that its request had
// pinned. Rules up to that are in the snapshot, or were forgotten when nothing on disk was dead by them (L4).
//
//	request: pin 5   register                                   find, put, land: the snapshot has 5, 6 is kept
//	sweeper:                    rule 6 applied, least stamp 5   visit memory, visit disk, forget up to 5
//
// Of a fill and a load of one key the younger must win, however they come. What is stored is put on the disk
// first; a load puts into memory and then looks whether the disk still has what it found there.
//
// # Lives
//
// (life.go.) Snap.life is random, and outlives the process with what is on disk (cache/disk): it is taken up again if the
// journal has the greatest mark of it, with the same name. Until that is known the disk is not used, and no rule is
// forgotten: what lies there may need it.

// diskWait is how long a request waits for the disk before it asks the origin instead. Its ticket is open meanwhile:
// it is less than half of D.
const diskWait = 400 * time.Millisecond

// Bodies from leastFar to mostFar octets are left on disk when they are first asked for. A smaller one takes hardly more of
// memory than its head.
const (
	leastFar = 4 << 10
	mostFar  = 1 << 20
)

// loadedNow is up to where an object is read by who asks for it, and not by a goroutine beside.
const loadedNow = 1 << 20

// maxLoads bounds the loads at once (L9); beyond it requests do as if the disk had nothing.
const maxLoads = 256

// diskLeast is for how long an object must be fresh to be worth writing.
const diskLeast = 10 * time.Second

// renewLeast is the same for one that a 304 has renewed, whose octets are there already: without it, only the times are
// old, and a restart costs one more question to the origin.
const renewLeast = 10 * time.Minute

// loads are all reads from the disk that may put something into memory.
type loads struct {
	n      atomic.Int64
	sent   atomic.Int64 // octets that are on their way to viewers, and in no store
	shards [flightShards]loadShard
}

type loadShard struct {
	mu    sync.Mutex
	byKey map[string]*load
	floor uint64 // as flightShard.floor
}

// load is one, and those who wait for it.
type load struct {
	e      *Edge
	key    string
	snap   *Snap // of whoever began it
	whole  bool  // memory has the head: now it gets the body too
	head   bool  // the body has not been kept, and object has none
	done   chan struct{}
	object *cache.Object // found, dead or alive; nil: nothing. Set before done is closed, as told is
	told   bool          // a rule of snap kills it, or marks it
}

// of is what has been found, for who has pinned s. If a rule has something to say of that, nobody else is told of it than those who have that
// rule too: it may be forgotten in other snapshots, for nothing that is stored needs it any more, and for a load the sweeper keeps only
// rules above its own position.
func (l *load) of(s *Snap) *cache.Object {
	if l.told && l.snap != s && !planted(loadJoined) {
		return nil
	}
	return l.object
}

func (l *loads) shard(hash uint64) *loadShard { return &l.shards[hash%flightShards] }

// raise is flights.raise for loads.
func (l *loads) raise(floor uint64) (least uint64) {
	least = floor
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		sh.floor = floor
		for _, x := range sh.byKey {
			least = min(least, x.snap.seq)
		}
		sh.mu.Unlock()
	}
	return least
}

// restart forgets the floors: the numbers of another log.
func (l *loads) restart() {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		sh.floor = 0
		sh.mu.Unlock()
	}
}

// get finds what is stored under a key, in memory or on disk; nil: nothing. It is for a request that has pinned s.
func (e *Edge) get(s *Snap, key []byte) *cache.Object {
	o := e.store.Get(key)
	away := o != nil && o.Away()
	switch {
	case e.disk == nil, o != nil && !away:
		return o
	case !e.disk.Has(key):
		if away {
			e.store.Remove(o)
		}
		return nil
	}
	l := e.load(s, key, away)
	if l == nil {
		return nil
	}
	select {
	case <-l.done: // often enough without waiting
		return l.of(s)
	default:
	}
	late := time.NewTimer(diskWait)
	defer late.Stop()
	select {
	case <-l.done:
		return l.of(s)
	case <-late.C:
		return nil
	}
}

// load joins or begins the load of a key; nil: there cannot be one now. What can be had without waiting is loaded when it
// returns.
func (e *Edge) load(s *Snap, key []byte, whole bool) *load {
	sh := e.loads.shard(e.flights.hash(key))
	l, began := e.boardLoad(sh, s, key, whole, false)
	if l != nil && l.head { // it waits for nothing
		<-l.done
		whole = whole || l.object != nil
		l, began = e.boardLoad(sh, s, key, whole, false)
	}
	switch {
	case l == nil, !began && l.head:
		return nil
	case !began:
		return l
	}
	if o, ref, ok := e.disk.FindNow(key, loadedNow); ok {
		defer l.land(sh)
		l.found(o, ref)
		return l
	}
	if !e.flights.also(func() { l.run(sh) }) {
		l.land(sh)
		return nil
	}
	return l
}

// loadHead puts the head into memory of what lies on disk, and whose body can be sent from there. It returns false where
// that cannot be done on the spot, or should not be: then others find out.
func (e *Edge) loadHead(s *Snap, key []byte) bool {
	if e.disk == nil || !e.disk.Has(key) {
		return false
	}
	sh := e.loads.shard(e.flights.hash(key))
	l, began := e.boardLoad(sh, s, key, false, true)
	if !began {
		return false
	}
	defer l.land(sh)
	if o, ref, ok := e.disk.FindHead(key, e.cfg.leastSent, mostFar); ok {
		l.found(o, ref)
	}
	return l.object != nil
}

// boardLoad registers a load, or returns the one that there is; nil: there cannot be one now.
func (e *Edge) boardLoad(sh *loadShard, s *Snap, key []byte, whole, head bool) (l *load, began bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l := sh.byKey[string(key)]; l != nil && l.snap.life == s.life {
		return l, false
	} else if l != nil {
		return nil, false
	}
	if rules.Late(s.seq, sh.floor) && s.life == e.snap.Load().life { // rules that it needs may be forgotten already
		return nil, false
	}
	if e.loads.n.Add(1) > maxLoads {
		e.loads.n.Add(-1)
		return nil, false
	}
	l = &load{e: e, key: string(key), snap: s, whole: whole, head: head, done: make(chan struct{})}
	sh.put(l)
	return l, true
}

// put registers l. With sh.mu.
func (sh *loadShard) put(l *load) {
	if sh.byKey == nil {
		sh.byKey = map[string]*load{}
	}
	sh.byKey[l.key] = l
}

func (l *load) run(sh *loadShard) {
	defer l.land(sh)
	l.found(l.e.disk.Find([]byte(l.key)))
}

// land ends the registration.
func (l *load) land(sh *loadShard) {
	sh.mu.Lock()
	delete(sh.byKey, l.key)
	sh.mu.Unlock()
	l.e.loads.n.Add(-1)
	close(l.done)
}

// found puts what was found on the disk into memory, if it is alive.
func (l *load) found(there *cache.Object, ref disk.Ref) {
	e := l.e
	if there == nil {
		return
	}
	x := l.snap.sites.of(there.Distribution)
	if there.Epoch != l.snap.life || x == nil {
		return
	}
	o := anew(there)
	l.mistaken(o, x)
	if o.FetchStart.Equal(disk.LongAgo) {
		if e.disk.Stained(stain(x.ID, o.Subject.Path, o.Subject.Query)) {
			e.disk.Forget([]byte(l.key))
			return
		}
		o.FetchStart = instant(e.before)
	}
	l.object = o
	if rule := x.check(o); rule != 0 {
		l.told = true
		if isSignpost(o) {
			ref.Drop()
			return
		}
		p, url := e.owe(o.Distribution, rule, &o.Subject)
		if ref.Drop() {
			e.sweeper.count(o.Distribution, rule, o.Status, o.Size())
		} else {
			p.forgive(url)
		}
		return
	}
	e.confirm(x, &o.Subject, o.Stamp)
	if x.marked(o) != 0 {
		l.told = true
		// In memory nothing would keep its rule, if the disk let go of it now.
		if there := e.store.Peek([]byte(l.key)); there != nil && there.Away() {
			e.store.Remove(there)
		}
		return
	}
	if !x.RFC && o.Status >= 100 && !isMap(o) {
		o.Block, o.Block2 = e.blocks(o.Status, unmarked(o.Fields), int(o.Size()))
	}
	if n := int(o.Size()); !l.whole && o.Block != nil && n >= e.cfg.leastFar && n <= mostFar {
		o.Far, o.Proved = ref.Far(), disk.Compared(e.now())
	}
	if l.head && !o.Away() || len(o.Body) >= tapeChunk && e.crowded() {
		l.object = nil // it is none that is left there, or there is no memory for viewers who take their time with it
		return
	}
	if kept := e.store.Put(o); (!kept || o.Far != cache.Far{}) && len(o.Body) >= tapeChunk {
		o.Senders = new(atomic.Int64)
	}
	if !rules.Current(ref.Current()) { // a younger one has come meanwhile, or a rule
		e.store.Remove(o)
	}
}

// mistaken does what planted builds do to what has been found on disk.
func (l *load) mistaken(o *cache.Object, x *site) {
	switch {
	case planted(loadUnchecked):
		o.SetChecked(x.newest)
	case planted(storedAnew):
		o.Subject.Stored = l.e.now()
	case planted(ageAnew):
		o.Fresh.Stored = l.e.now()
	case planted(loadRacesSweep):
		<-time.After(50 * time.Millisecond) // as if the disk were slow
	case planted(restartTrusted):
		_, mark := l.e.disk.Kept()
		o.SetChecked(rules.Checked(o.Checked(), mark.Seq, o.FetchStart.Equal(disk.LongAgo)))
	}
}

// hotEvery is how often memory is looked through for what belongs on a disk that is full.
const hotEvery = 10 * time.Second

// writeHot puts onto the disk what is asked for again in memory and is not there: when the disk is full, a fill alone
// earns no place. Until ctx ends.
func (e *Edge) writeHot(ctx context.Context) {
	tick := time.NewTicker(hotEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !e.disk.Full() {
			continue
		}
		n := 0
		e.store.Range(func(o *cache.Sight) bool {
			if o.Hits > 0 && o.Status < 400 && !e.disk.Has([]byte(o.Key)) {
				e.writeOne(o)
			}
			if n++; n%scanBatch == 0 {
				runtime.Gosched()
			}
			return ctx.Err() == nil
		})
	}
}

// writeOne puts one object onto the disk, under the same care as a load: it is registered until it is found there, so
// that the sweeper cannot pass by both places and forget a rule that kills it.
func (e *Edge) writeOne(seen *cache.Sight) {
	s := e.snap.Load()
	l := &load{e: e, key: strings.Clone(seen.Key), snap: s, done: make(chan struct{})}
	sh := e.loads.shard(e.flights.hash([]byte(l.key)))
	sh.mu.Lock()
	free := sh.byKey[l.key] == nil && s.seq >= sh.floor
	if free {
		sh.put(l)
	}
	sh.mu.Unlock()
	if !free {
		return
	}
	defer l.land(sh)
	e.loads.n.Add(1)
	x := s.sites.of(seen.Distribution)
	if o := seen.Object(); o != nil && !o.Away() && x != nil && o.Epoch == s.life && x.check(o) == 0 && x.marked(o) == 0 && o.Fresh.FreshUntil.Sub(e.now()) >= diskLeast {
		l.object = o
		e.disk.Earns([]byte(l.key))
		e.disk.Put(anew(o))
		if seen.Object() == nil { // a younger one has come meanwhile, or a rule
			e.disk.Forget([]byte(l.key))
		}
	}
}

// anew makes the same object, to be stored once more.
func anew(o *cache.Object) *cache.Object {
	c := &cache.Object{
		Key: o.Key, Distribution: o.Distribution, Subject: o.Subject, Stamp: o.Stamp, Epoch: o.Epoch, FetchStart: o.FetchStart,
		Status: o.Status, Fields: o.Fields, Body: o.Body, Length: o.Length, Pages: o.Pages, Fresh: o.Fresh,
	}
	c.SetChecked(o.Checked())
	return c
}

// coming is how an object has come to be stored.
type coming uint8

const (
	fetched coming = iota
	renewed        // by a 304: the disk has its octets already, if it has anything
	heldOn         // for a moment, because its origin fails
)

// keep stores an object in both tiers. It comes first on the disk and then in memory, and loads and writeOne go the
// other way, each with a second look at where they began: so of two that meet the younger one stays.
func (e *Edge) keep(o *cache.Object, how coming) {
	if e.disk == nil {
		e.store.Put(o)
		return
	}
	key, lasts := []byte(o.Key), o.Fresh.FreshUntil.Sub(e.now())
	if how == heldOn || how == renewed && lasts < renewLeast && e.disk.Has(key) {
		e.store.Put(o)
		return
	}
	var ref disk.Ref
	if isSignpost(o) || isSlice(o) || o.Status < 400 && lasts >= diskLeast {
		ref, _ = e.disk.Add(anew(o))
	}
	if !ref.Current() {
		e.disk.Forget(key) // an older one must not be found where this one was
	}
	e.store.Put(o)
	if !ref.Current() {
		e.disk.Forget(key)
	}
}

// drop removes what must not be found any more, for another reason than a rule.
func (e *Edge) drop(o *cache.Object) {
	e.store.Remove(o)
	e.forgetOnDisk(o.Key)
}

func (e *Edge) forgetOnDisk(key string) {
	if e.disk != nil {
		e.disk.Forget([]byte(key))
	}
}

// stain has the disk remember what was written to, before the viewer hears of it. Of a disk that takes long it does not
// wait for longer than a request does: what is noted then is durable when the disk goes on.
func (e *Edge) stain(names [][]byte) {
	done := make(chan struct{})
	if e.loads.n.Add(1) > maxLoads || !e.flights.also(func() {
		defer close(done)
		defer e.loads.n.Add(-1)
		for _, name := range names {
			e.disk.Stain(name)
		}
	}) {
		e.loads.n.Add(-1)
		e.log.Warn("the disk is too slow to note what was written to; after a restart it may show what was there before")
		return
	}
	late := time.NewTimer(diskWait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

// stain is the name by which the disk remembers that something was written to.
func stain(site, path, query string) []byte {
	return []byte(strings.Join([]string{site, path, query}, "\x00"))
}

// disk is the sweep's walk through the disk.
func (s *sweep) disk(on func(visited int) bool) {
	snap := s.snap
	since := func(distribution string, swept uint64) bool {
		x := snap.sites.of(distribution)
		return x == nil || x.newest > swept
	}
	s.e.disk.Range(func(o *cache.Sight) bool {
		s.visit(o, false)
		return on(1)
	}, &disk.Sweep{Life: snap.life, To: snap.seq, Since: since, Marked: s.met})
}

// livingOnDisk is living for what is not in memory.
func (e *Edge) livingOnDisk(ctx context.Context, snap *Snap, distribution string, visit func(*cache.Sight)) {
	x := snap.sites.of(distribution)
	n := 0
	e.disk.Range(func(o *cache.Sight) bool {
		if o.Distribution == distribution && o.Status != signpost && o.Epoch == snap.life && x.checkSight(o) == 0 &&
			e.store.Peek([]byte(o.Key)) == nil {
			visit(o)
		}
		n++
		return n%scanBatch != 0 || ctx.Err() == nil
	}, &disk.Sweep{Life: snap.life, Since: func(d string, _ uint64) bool { return d == distribution }})
}

// peek is for people: what is stored under a key, wherever, and it counts as no use.
func (e *Edge) peek(key []byte) *cache.Object {
	if o := e.store.Peek(key); o != nil && !o.Away() || e.disk == nil {
		return o
	}
	return e.disk.Peek(key)
}

// peekNow is peek of what is known without waiting for the disk, for who needs no body; it returns false where that cannot be told.
func (e *Edge) peekNow(key []byte) (o *cache.Object, ok bool) {
	if o := e.store.Peek(key); o != nil || e.disk == nil {
		return o, true
	}
	return e.disk.PeekNow(key, loadedNow)
}
