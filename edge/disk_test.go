package edge

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache"
	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/internal/raced"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// withDisk gives the edge a disk.
func withDisk(w *world) { w.putIn(new(disktest.File)) }

// putIn gives the edge that is made next a disk with that content.
func (w *world) putIn(f *disktest.File) {
	w.t.Helper()
	var err error
	w.file = f
	if w.config.Disk, err = disk.Open(disk.Config{File: f, Capacity: 16 << 20, Linger: -1}); err != nil {
		w.t.Fatal(err)
	}
}

// emptied empties the memory: what is not on disk is gone.
func (w *world) emptied() {
	synctest.Wait()
	w.store.Clear()
}

// die ends the edge without a goodbye, and returns the file as it was then.
func (w *world) die() *disktest.File {
	synctest.Wait()
	file := w.file.Killed()
	leave := w.edge.cfg.Leave
	w.edge.cfg.Leave = func(context.Context, journal.EdgeLeft) error { return errors.New("killed") }
	w.stop()
	w.edge.cfg.Leave = leave
	return file
}

// live begins a new process, with nothing in memory.
func (w *world) live(f *disktest.File) {
	w.t.Helper()
	var err error
	if w.store, err = memory.New(memory.Config{Capacity: 64 << 20}); err != nil {
		w.t.Fatal(err)
	}
	w.config.Store = w.store
	w.putIn(f)
	w.start()
}

func TestDisk_ServesWhatMemoryHasNot(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", "Content-Type: text/plain"))
		w.origin.on("/gone", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.expect("200 Miss v1", "/gone")
		w.emptied()
		w.expect("200 Hit v1", "/a")
		if w.object("/a") == nil || len(w.object("/a").Block) == 0 {
			t.Error("it is not in memory now, or no plain hit")
		}
		w.invalidate("/gone")
		w.emptied()
		w.expect("200 Miss v2", "/gone")
	}, withDisk)
}

func TestDisk_OutlivesTheProcess(t *testing.T) {
	for name, end := range map[string]func(w *world) *disktest.File{
		"stopped": func(w *world) *disktest.File { w.stop(); return w.file.Killed() },
		"killed":  func(w *world) *disktest.File { return w.die() },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", ok("v1", "Content-Type: text/plain"), ok("v2"))
				w.origin.on("/b", ok("v1", "Cache-Tag: b"), ok("v2"))
				w.origin.on("/c", ok("v1"), ok("v2"))
				w.origin.on("/d", ok("v1"), ok("v2"))
				for _, path := range []string{"/a", "/b", "/c", "/d"} {
					w.expect("200 Miss v1", path)
				}
				w.invalidate("/c")
				w.live2(end(w), func() { w.invalidate("#b") }) // while it is away
				w.expect("200 Hit v1", "/a")
				w.expect("200 Hit v1", "/d")
				w.expect("200 Miss v2", "/b")
				w.expect("200 Miss v2", "/c")
				w.invalidate("/d") // and afterwards
				w.expect("200 Miss v2", "/d")
				w.live2(end(w), nil)
				w.expect("200 Hit v1", "/a")
				w.expect("200 Hit v2", "/d")
			}, withDisk)
		})
	}
}

// live2 is live, with something that happens before.
func (w *world) live2(f *disktest.File, before func()) {
	if before != nil {
		before()
	}
	w.live(f)
}

// S5: nothing from disk before the first probe is answered; and then no object of another process is young.
func TestS5_NothingFromDiskBeforeTheJournalIsHeard(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1", `ETag: "1"`), status(304, ""), status(304, ""))
		w.expect("200 Miss v1", "/a")
		file := w.die()
		w.log.SetFaults(journalmemory.Faults{Probe: func() error { return errors.New("nobody is there") }})
		w.live(file)
		w.expect("200 RefreshHit v1", "/a")
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/a")

		file = w.die()
		w.live(file)
		w.expect("200 Hit v1", "/a")
		w.cutOff()
		w.settle(31 * time.Second)
		w.expect("200 RefreshHit v1", "/a")

		// Not even when it has been read from there a moment ago.
		w.reconnect()
		w.origin.on("/b", ok("v1", `ETag: "1"`), status(304, ""))
		w.expect("200 Miss v1", "/b")
		file = w.die()
		w.live(file)
		w.cutOff()
		w.settle(25 * time.Second)
		w.expect("200 Hit v1", "/b")
		w.settle(10 * time.Second)
		w.expect("200 RefreshHit v1", "/b")
	}, withDisk)
}

// E1 across a restart: a journal that was rolled back while nobody looked gives its numbers anew.
func TestE1_DiskOfAJournalThatWasRolledBack(t *testing.T) {
	for _, longer := range []int{0, 1, 30} {
		t.Run(strconv.Itoa(longer), func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/old", ok("v1"), ok("v2"))
				w.expect("200 Miss v1", "/old")
				w.settle(time.Second)
				for range 5 {
					w.invalidate("/other")
				}
				w.origin.on("/a", ok("v1"), ok("v2"))
				w.expect("200 Miss v1", "/a")
				file := w.die()
				w.log.RollBack(5)
				w.writer = journal.NewWriter(journal.WriterConfig{Log: w.log, Apply: func(*journal.Entry) {}})
				w.invalidate("/a") // a number that is below /a's stamp, and was another's
				for range longer {
					w.invalidate("/other")
				}
				w.live(file)
				w.settle(time.Minute)
				w.expect("200 Miss v2", "/a")
				w.expect("200 Miss v2", "/old")
			}, withDisk)
		})
	}
}

// What unsafe requests have changed does not come back, although the clock by which that is known is another.
func TestDisk_WrittenToBeforeTheRestart(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) { allMethods(p.Config.DefaultCacheBehavior) })
		w.origin.on("/a", ok("v1"), ok("done"), ok("v2"))
		w.origin.on("/b", ok("v1"))
		w.expect("200 Miss v1", "/a")
		w.expect("200 Miss v1", "/b")
		w.get("POST /a", "x")
		w.live(w.die())
		w.expect("200 Miss v2", "/a")
		w.expect("200 Hit v1", "/b")
	}, withDisk)
}

// The sweeper's walk: what is on disk only is in the receipt, and then the rules go.
func TestSweep_DiskIsSweptToo(t *testing.T) {
	story(t, func(w *world) {
		for i := range 20 {
			path := "/" + strconv.Itoa(i)
			w.origin.on(path, ok("0123456789"), ok("v2"))
			w.get(path)
		}
		w.emptied()
		p, err := w.edge.Preview(context.Background(), "D1", NewSelection(nil, nil))
		if err != nil || p.All.Objects != 20 || p.All.Bytes != 200 {
			t.Errorf("preview: %+v, %v", p.All, err)
		}
		w.get("/3") // in both
		w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/1*", "/3"}}})
		w.settle(time.Minute)
		r, ok := w.edge.Receipt("D1", "I1")
		if !ok || r.Objects != 12 || r.Bytes != 120 || r.Swept.IsZero() {
			t.Errorf("receipt: %+v", r)
		}
		if st := w.edge.Stats(); st.Rules != 0 {
			t.Errorf("%d rules are left", st.Rules)
		}
		w.expect("200 Miss v2", "/1")
		w.expect("200 Hit 0123456789", "/4")
	}, withDisk)
}

// When the disk is full, what is asked for again in memory is written without being fetched again.
func TestDisk_WhatBecomesHotIsWritten(t *testing.T) {
	story(t, func(w *world) {
		for i := 0; !w.config.Disk.Full(); i++ {
			path := "/fill/" + strconv.Itoa(i)
			w.origin.on(path, ok(strings.Repeat("x", 500_000)))
			w.get(path)
		}
		w.origin.on("/hot", ok("v1"), ok("v2"))
		w.origin.on("/cold", ok("v1"), ok("v2"))
		w.origin.on("/dead", ok("v1"), ok("v2"))
		for _, path := range []string{"/hot", "/cold", "/dead"} {
			w.expect("200 Miss v1", path)
		}
		w.expect("200 Hit v1", "/hot")
		w.expect("200 Hit v1", "/dead")
		w.invalidate("/dead")
		w.settle(hotEvery)
		w.emptied()
		w.expect("200 Hit v1", "/hot")
		w.expect("200 Miss v2", "/cold")
		w.expect("200 Miss v2", "/dead")
		if n := w.edge.loads.n.Load(); n != 0 {
			t.Errorf("%d loads do not end", n)
		}
	}, withDisk)
}

// A disk that does not answer is asked for a moment, and then the origin is; one that fails is not asked.
func TestDisk_SlowAndBroken(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.origin.on("/b", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.expect("200 Miss v1", "/b")
		w.emptied()
		stall := make(chan struct{})
		w.file.Suffer(disktest.Faults{Stall: stall})
		v := w.ask("/a")
		w.settle(diskWait)
		v.is(t, "200 Miss v2")
		w.file.Suffer(disktest.Faults{})
		close(stall)
		synctest.Wait()
		w.expect("200 Hit v2", "/a")
		w.emptied()
		w.file.Suffer(disktest.Faults{Read: func(int64, int) error { return disktest.ErrIO }})
		w.expect("200 Miss v2", "/b")
	}, withDisk)
}

// duringPut is a store that lets something happen when an object has been put.
type duringPut struct {
	cache.Store
	then func()
}

func (s *duringPut) Put(o *cache.Object) bool {
	ok := s.Store.Put(o)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return ok
}

// L4: a rule is kept for as long as an object that it kills is on its way from the disk into memory, although
// the sweeper has been everywhere.
func TestL4_LoadKeepsRules(t *testing.T) {
	store := &duringPut{}
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		w.emptied()
		w.file.Suffer(disktest.Faults{Cold: true}) // or the viewer would be in there itself
		put := make(chan struct{})
		store.then = func() { <-put }
		v := w.ask("/a") // is in memory, and the load has not ended
		w.invalidate("/a")
		w.settle(10 * time.Second)
		v.is(t, "200 Miss v2")
		if w.edge.Stats().Rules == 0 {
			t.Error("the rule is forgotten")
		}
		close(put)
		w.settle(time.Minute)
		if w.edge.Stats().Rules != 0 {
			t.Error("the rule is kept for ever")
		}
		w.expect("200 Hit v2", "/a")
	}, withDisk, func(w *world) { store.Store, w.config.Store = w.store, store })
}

// slowLog gives entries up to a number only.
type slowLog struct {
	journal.Log
	upTo atomic.Uint64
}

func (l *slowLog) Read(ctx context.Context, from uint64, most int) ([]*journal.Entry, error) {
	entries, err := l.Log.Read(ctx, from, most)
	for i, e := range entries {
		if e.Seq > l.upTo.Load() {
			return entries[:i], err
		}
	}
	return entries, err
}

// L4: no rule is forgotten while it is not known yet whether what is on disk will be used.
func TestL4_RulesAreKeptUntilTheDiskIsDecidedOn(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v1"), ok("v2"))
		w.origin.on("/b", ok("v1"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		rule := w.invalidate("/a") // the record is still in the file
		w.invalidate("/other")
		w.expect("200 Miss v1", "/b") // and its mark is above the rule
		file := w.die()
		log := &slowLog{Log: w.log}
		log.upTo.Store(rule)
		w.config.Log = log
		w.log.SetFaults(journalmemory.Faults{Push: func(*journal.Entry) journalmemory.Push { return journalmemory.Dropped }})
		w.live(file)
		w.settle(time.Minute) // the sweeper has been there
		if !w.edge.undecided.Load() || w.edge.snap.Load().seq != rule {
			t.Fatal("the story goes otherwise")
		}
		log.upTo.Store(1 << 60)
		w.reconnect()
		w.settle(time.Minute)
		w.expect("200 Hit v1", "/b")
		w.expect("200 Miss v2", "/a")
	}, withDisk)
}

// The promise with a disk below a memory that holds next to nothing, and with processes that end at random:
// stopped, killed, or with the power cut.
func TestPromise_AtRandomWithADisk(t *testing.T) {
	raced.Timers(t)
	for seed := range max(1, *seeds/4) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			var options []func(*world)
			if seed%4 >= 2 {
				options = append(options, func(w *world) { w.config.SliceFrom, w.config.SliceSize = 500, 256 })
			}
			if seed%3 > 0 { // bodies stay there
				options = append(options, func(w *world) { w.config.leastFar, w.config.leastSent = 1, 1 })
			}
			h := runWithDisk(t, uint64(seed), seed%2 == 1, options...)
			t.Logf("%d answers, %d of them hits, %d from disk", h.answers.Load(), h.hits.Load(), h.fromDisk)
			if !h.shows() || h.fromDisk < leastFromDisk {
				t.Error("the experiment shows nothing")
			}
		})
	}
}

const (
	lives         = 6 // of processes, one after the other
	leastFromDisk = 50
)

func runWithDisk(t *testing.T, seed uint64, strict bool, options ...func(*world)) (h *history) {
	synctest.Test(t, func(t *testing.T) {
		h = &history{rnd: rand.New(rand.NewPCG(seed, 2)), strict: strict}
		h.begin(t, append(options, withDisk)...)
		h.commit(journal.Fact{DistributionPut: h.put()})
		h.start()
		for i := range paths {
			h.origin.on("/p"+strconv.Itoa(i), &reply{react: func(r *origin.Request) *reply { return h.answer(i, r) }})
		}
		for round := 0; round < lives || round < mostRounds*lives && (!h.shows() || h.fromDisk < leastFromDisk); round++ {
			until := time.Now().Add(40 * time.Second)
			var g sync.WaitGroup
			for range 5 {
				g.Go(func() { h.view(until) })
			}
			g.Go(func() { h.change(until) })
			g.Go(func() { h.trouble(until) })
			g.Go(func() {
				for time.Now().Before(until) {
					time.Sleep(time.Duration(h.n(500)) * time.Millisecond)
					h.store.Clear() // as if it were full all the time
				}
			})
			g.Wait()
			h.fromDisk += h.config.Disk.Stats().Hits
			h.again(h.n(3))
		}
		h.reconnect()
		h.settle(2 * time.Minute)
		if st := h.edge.Stats(); st.Fills != 0 || st.FillBytes != 0 || st.Rules != 0 || h.edge.loads.n.Load() != 0 {
			t.Errorf("at rest: %d fills, %d octets in fills, %d rules, %d loads", st.Fills, st.FillBytes, st.Rules, h.edge.loads.n.Load())
		}
		h.stop()
	})
	return h
}

// again ends the process in some way and begins another. Meanwhile the origin changes.
func (h *history) again(how int) {
	var f *disktest.File
	switch how {
	case 0:
		h.stop()
		f = h.file.Killed()
	case 1:
		f = h.die()
	case 2:
		h.rmu.Lock() // fills that nobody waits for go on asking the origin
		f = h.file.Cut(h.rnd)
		h.rmu.Unlock()
		h.die()
	}
	h.mu.Lock()
	h.acked = 0
	h.mu.Unlock()
	h.change(time.Now().Add(time.Second))
	if h.n(3) == 0 {
		h.reconnect()
		last := h.log.Last()
		h.compact(last-min(last-1, uint64(h.n(400))), forgotten)
	}
	h.live(f)
}

// What a 304 has given other tags is killed by these, although its octets had been on disk before with the old ones.
func TestDisk_OtherTagsOfARenewedObject(t *testing.T) {
	story(t, func(w *world) {
		fields := []string{"Cache-Control: max-age=60", "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"}
		renew := status(304, "", append(fields, "Cache-Tag: new")...)
		w.origin.on("/a", ok("v1", append(fields, "Cache-Tag: old")...), renew, &reply{react: func(r *origin.Request) *reply {
			if r.Fields.Has("If-Modified-Since") { // all versions have one date
				return renew
			}
			return ok("v2", fields...)
		}})
		w.expect("200 Miss v1", "/a")
		w.settle(61 * time.Second)
		w.expect("200 RefreshHit v1", "/a")
		w.emptied()
		w.invalidate("#new")
		w.expect("200 Miss v2", "/a")
	}, withDisk)
}

// What is written to is noted on a disk that stands still, when it goes on: nobody waits for that.
func TestDisk_WrittenToWhileTheDiskStandsStill(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) { allMethods(p.Config.DefaultCacheBehavior) })
		w.origin.on("/a", ok("v1"), ok("done"), ok("v2"))
		w.expect("200 Miss v1", "/a")
		stall := make(chan struct{})
		w.file.Suffer(disktest.Faults{Stall: stall})
		v := w.ask("POST /a", "x")
		w.settle(diskWait)
		if !v.over() {
			t.Error("the POST waits for the disk")
		}
		w.file.Suffer(disktest.Faults{})
		close(stall)
		w.live(w.die())
		w.expect("200 Miss v2", "/a")
	}, withDisk)
}

// A fill that was displaced looks whether something younger is stored. It does not wait for a disk for that: until it knows, nothing
// else under a 64th of all keys is stored, and their viewers wait.
func TestDisk_DisplacedFillsDoNotWaitForIt(t *testing.T) {
	story(t, func(w *world) {
		second, gate2 := gated(ok("v2"))
		third, gate3 := gated(status(304, "", `ETag: "1"`))
		w.origin.on("/a", ok("v1", `ETag: "1"`, "Cache-Control: max-age=20, stale-while-revalidate=60"), second, third)
		w.get("/a")
		w.settle(21 * time.Second)
		w.expect("200 Hit v1", "/a")
		w.mark("/a")
		w.expect("200 Hit v1", "/a")
		w.wantWhy("Hit marked-stale")
		stall := make(chan struct{})
		w.file.Suffer(disktest.Faults{Stall: stall})
		w.emptied()
		late := w.ask("/a")
		w.settle(diskWait) // from here on it waits for the third answer
		close(gate2)
		synctest.Wait()
		if pen := &w.edge.flights.shard(w.edge.flights.hash([]byte(w.key("/a")))).pen; pen.TryLock() {
			pen.Unlock()
		} else {
			t.Error("it waits for the disk, and nothing can be stored")
			close(stall)
			stall = make(chan struct{})
		}
		close(gate3)
		synctest.Wait()
		late.is(t, "200 Hit v1") // by then the 304 has come, and been stored
		close(stall)
	}, withDisk)
}
