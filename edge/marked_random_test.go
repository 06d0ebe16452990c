package edge

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/internal/raced"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// fading is the promise of the mode Stale as an experiment: viewers, an origin whose content changes and that fails, and
// invalidations of both modes. When one that marks has been Completed,
//
//   - what is older is shown as marked, or because the origin has failed, and in no other way;
//   - who comes when somebody has got the new version, of a fetch from after that, gets nothing older, unless the origin
//     has failed. (Of a fetch from before it does not matter what it has read: a later one may have read earlier.)
type fading struct {
	*world
	rmu     sync.Mutex
	rnd     *rand.Rand // guarded by rmu
	version [paths]atomic.Int64
	marked  [paths]atomic.Int64 // the version of which an invalidation that marks has been Completed
	removed [paths]atomic.Int64 // likewise, one that removes
	reasons sync.Map            // by X-Amz-Cf-Id
	old     atomic.Int64        // answers that were shown because they are marked

	// How often memory was emptied: what is not there any more may be followed by something older that is marked.
	emptyings atomic.Int64

	seenMu sync.Mutex
	seen   map[string]int64 // by path and coding: what somebody has got, and was Completed; guarded by seenMu
}

func (f *fading) n(n int) int {
	f.rmu.Lock()
	defer f.rmu.Unlock()
	return f.rnd.IntN(n)
}

func (f *fading) pause() { time.Sleep(time.Duration(f.n(100)*f.n(10)) * time.Millisecond) }

func (f *fading) answer(i int, r *origin.Request) *reply {
	f.pause()
	v := strconv.FormatInt(f.version[i].Load(), 10)
	f.pause()
	cc := "Cache-Control: " + []string{"max-age=60", "max-age=1", "max-age=60, must-revalidate", "max-age=1, stale-while-revalidate=10", "max-age=2, stale-if-error=0"}[f.n(5)]
	switch f.n(12) {
	case 0:
		return status(503, "down")
	case 1:
		return fails(origin.Connect)
	case 2:
		return &reply{status: 200, body: octets(v), cut: true}
	}
	etag := `"` + v + `"`
	if r.Fields.Get("If-None-Match") == etag {
		return status(304, "", cc, "ETag: "+etag, "X-Version: "+v)
	}
	return ok(octets(v), cc, "ETag: "+etag, "X-Version: "+v, "Cache-Tag: t"+strconv.Itoa(i), "Content-Type: text/plain", "Accept-Ranges: bytes")
}

func (f *fading) view(until time.Time) {
	for time.Now().Before(until) {
		i := f.n(paths)
		coding := []string{"identity", "gzip"}[f.n(2)]
		key := strconv.Itoa(i) + coding
		emptied := f.emptyings.Load()
		f.seenMu.Lock()
		seen := f.seen[key]
		f.seenMu.Unlock()
		marked, removed := f.marked[i].Load(), f.removed[i].Load()
		v := &viewer{}
		f.edge.Serve(context.Background(), v, request("/p"+strconv.Itoa(i), "Accept-Encoding: "+coding))
		got, err := strconv.ParseInt(v.fields.Get("X-Version"), 10, 64)
		if f.emptyings.Load() != emptied {
			seen = 0
		}
		if err == nil && !v.aborted {
			f.check(key, v, got, max(marked, removed), removed, seen, emptied)
		}
		f.pause()
	}
}

func (f *fading) check(key string, v *viewer, got, due, removed, seen, emptied int64) {
	why, _ := f.reasons.Load(v.fields.Get("X-Amz-Cf-Id"))
	switch {
	case got < removed:
		f.t.Errorf("%s: %d, and %d was removed (%v)", key, got, removed, why)
	case got >= max(due, seen):
	case why == StaleOnError:
	case why == MarkedStale && got >= seen:
		f.old.Add(1)
	default:
		f.t.Errorf("%s: %d, at least %d was due, and %d has been seen (%v)", key, got, due, seen, why)
	}
	if why == MarkedStale || why == StaleOnError || why == RangeUncached || why == Unshared {
		return // of a fetch from before, or of one that nothing is stored of
	}
	time.Sleep(10 * time.Millisecond) // by now it is stored
	f.seenMu.Lock()
	if f.emptyings.Load() == emptied {
		f.seen[key] = max(f.seen[key], min(got, due))
	}
	f.seenMu.Unlock()
}

func (f *fading) change(until time.Time) {
	for time.Now().Before(until) {
		i := f.n(paths)
		inv := &journal.Invalidated{DistributionID: "D1", Items: []string{[]string{"/p", "#t", "/*"}[f.n(3)] + strconv.Itoa(i)}}
		to := &f.removed[i]
		if f.n(4) > 0 {
			inv.Mode, to = journal.Stale, &f.marked[i]
		}
		v := f.version[i].Add(1)
		e, err := f.writer.Commit(context.Background(), func() ([]journal.Fact, error) { return []journal.Fact{{Invalidated: inv}}, nil })
		if err != nil {
			f.t.Error(err)
			return
		}
		for f.ackedUpTo() < e.Seq {
			time.Sleep(time.Millisecond)
		}
		to.Store(v) // one changes them
		time.Sleep(time.Duration(f.n(2000)) * time.Millisecond)
	}
}

func TestPromise_OfWhatIsMarkedAtRandom(t *testing.T) {
	raced.Timers(t)
	for seed := range 12 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var options []func(*world)
				if seed%2 == 1 {
					options = append(options, func(w *world) { w.config.SliceFrom, w.config.SliceSize = 500, 240 })
				}
				f := &fading{world: newWorld(t, options...), rnd: rand.New(rand.NewPCG(uint64(seed), 3)), seen: map[string]int64{}}
				f.config.Observe = func(x *Exchange) { f.reasons.Store(x.ID, x.Reason) }
				f.config.MaxBackground = 1 + seed*seed
				if seed%3 == 1 {
					f.putIn(new(disktest.File))
					f.config.leastFar = 1 + seed%2*1000
				}
				f.configure(compressing)
				f.start()
				for i := range paths {
					f.origin.on("/p"+strconv.Itoa(i), &reply{react: func(r *origin.Request) *reply { return f.answer(i, r) }})
				}
				until := time.Now().Add(5 * time.Minute)
				var g sync.WaitGroup
				for range 6 {
					g.Go(func() { f.view(until) })
				}
				g.Go(func() { f.change(until) })
				for seed%3 == 1 && time.Now().Before(until) {
					time.Sleep(7 * time.Second)
					f.seenMu.Lock()
					f.emptyings.Add(1)
					clear(f.seen)
					f.seenMu.Unlock()
					f.emptied()
				}
				g.Wait()
				f.settle(2 * time.Minute)
				if st := f.edge.Stats(); st.Fills != 0 || st.FillBytes != 0 || f.edge.flights.background.Load() != 0 {
					t.Errorf("at rest: %+v", st)
				}
				if f.old.Load() == 0 {
					t.Error("nothing that is marked was shown")
				}
				f.stop()
			})
		})
	}
}
