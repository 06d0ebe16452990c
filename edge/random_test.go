package edge

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/raced"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
	"github.com/warmfront/warmfront/origin"
)

// history is the promise as an experiment: viewers, an origin whose content changes, invalidations,
// changes of configuration and times without the journal, at random; and one question about each
// answer. Nothing that was read at the origin before an invalidation was accepted may begin to be sent
// after it was Completed, be that by the edge's acknowledgement or by the wait of the slow path (P3).
type history struct {
	*world
	above *family
	rnd   *rand.Rand // guarded by rmu
	rmu   sync.Mutex

	pending   []pending           // guarded by mu
	version   [paths]atomic.Int64 // the origin's
	completed [paths]atomic.Int64 // what an answer must at least have
	lying     bool                // all versions have one entity tag: only invalidations tell them apart
	grouped   bool                // behind a group of two origins, which give one version different octets
	strict    bool                // RFC semantics: variants, parts, wishes, and writes beside invalidations
	written   [paths]atomic.Int64 // what an answer to a request that begins now must at least have
	answers   atomic.Int64
	hits      atomic.Int64
	violated  atomic.Int64
	fromDisk  uint64 // objects read

	slow map[*slowHead]struct{} // guarded by mu
	cuts atomic.Int64
}

const paths = 6

// begin makes the edge. Its viewers can be cut.
func (h *history) begin(t *testing.T, options ...func(*world)) {
	h.slow = map[*slowHead]struct{}{}
	h.world = newWorld(t, append(options, func(w *world) { w.config.Cut = h.cut })...)
	h.onAck = h.heard
}

func (h *history) n(n int) int {
	h.rmu.Lock()
	defer h.rmu.Unlock()
	return h.rnd.IntN(n)
}

// pause is mostly nothing, sometimes long.
func (h *history) pause() time.Duration {
	switch h.n(10) {
	case 0:
		return time.Duration(h.n(3000)) * time.Millisecond
	case 1, 2, 3:
		return time.Duration(h.n(100)) * time.Millisecond
	}
	return time.Duration(h.n(500)) * time.Microsecond
}

// answer is the origin's.
func (h *history) answer(i int, r *origin.Request) *reply {
	time.Sleep(h.pause())
	v := strconv.FormatInt(h.version[i].Load(), 10) // the moment at which the origin reads
	tag := "Cache-Tag: t" + strconv.Itoa(i)
	member := ""
	if strings.HasPrefix(r.Path, "/2/") {
		member = "2"
	}
	content, member := octetsOf(member, v), "X-Member: "+member
	time.Sleep(h.pause())
	if h.n(50) == 0 {
		time.Sleep(patience + h.pause())
	}
	switch h.n(12) {
	case 0:
		return status(500, "down", "X-Version: "+v, tag, member)
	case 1:
		return fails(origin.Connect)
	case 2:
		return ok(content, "Cache-Control: private", "X-Version: "+v, tag, member)
	}
	if r.Method == "POST" {
		v = strconv.FormatInt(h.version[i].Add(1), 10)
		time.Sleep(h.pause())
		return ok("done", "X-Version: "+v, "Location: /p"+strconv.Itoa(i))
	}
	vary := "Vary: " + []string{"Foo", "Bar", "Foo, Bar", "Accept-Encoding"}[h.n(4)]
	etag := `"` + v + `"`
	if h.lying {
		etag = `"same"`
	}
	if h.n(4) > 0 && (!r.Fields.Has("If-Range") || r.Fields.Get("If-Range") == etag) {
		var from, to int
		all := content
		switch n, _ := fmt.Sscanf(r.Fields.Get("Range"), "bytes=%d-%d", &from, &to); n {
		case 1:
			to = len(all) - 1
			fallthrough
		case 2:
			return status(206, all[from:to+1], "Cache-Control: max-age=60", fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, len(all)),
				"ETag: "+etag, "X-Version: "+v, tag, member)
		}
	}
	cc := []string{"max-age=1", "max-age=60", "no-cache", "max-age=1, stale-while-revalidate=20", "max-age=1, stale-if-error=60"}[h.n(5)]
	if r.Fields.Get("If-None-Match") == etag {
		return status(304, "", "Cache-Control: "+cc, "ETag: "+etag, "X-Version: "+v, vary, member)
	}
	rep := ok(content, "Accept-Ranges: bytes", "Content-Type: text/plain", "Cache-Control: "+cc, "ETag: "+etag, "X-Version: "+v, tag, vary, member)
	if h.n(3) == 0 {
		rep.rest = make(chan struct{})
		pause := h.pause()
		if h.n(20) == 0 {
			pause += silence
		}
		go func() { time.Sleep(pause); close(rep.rest) }()
	}
	return rep
}

// octets are a version's content, of two digits at least, and long enough to be compressed.
func octets(v string) string { return strings.Repeat(fmt.Sprintf("%02s ", v), 400) }

// octetsOf is what a member of a group makes of it: the second something else of the same length, under the same tag.
func octetsOf(member, v string) string {
	if member == "2" {
		return strings.ReplaceAll(octets(v), " ", "-")
	}
	return octets(v)
}

// judging is a viewer that asks the question when the head is written.
type judging struct {
	viewer
	h     *history
	i     int
	least int64
}

func (j *judging) Begin(status int, f message.Fields, length int64) error {
	if j.h.n(20) == 0 && !j.h.taken(time.Duration(j.h.n(900))*time.Millisecond) {
		return errors.New("cut")
	}
	if v, err := strconv.ParseInt(f.Get("X-Version"), 10, 64); err == nil {
		j.least = max(j.least, j.h.completed[j.i].Load())
		if least := j.least; v < least {
			j.h.violated.Add(1)
			j.h.t.Errorf("at %v: /p%d sent %d (%s), completed is %d", j.h.edge.clock(), j.i, v, f.Get("X-Cache"), least)
		}
		j.h.answers.Add(1)
		if strings.HasPrefix(f.Get("X-Cache"), "Hit") {
			j.h.hits.Add(1)
		}
	}
	return j.viewer.Begin(status, f, length)
}

// slowHead is a head in a slow socket.
type slowHead struct {
	since time.Time
	gone  chan struct{}
}

// taken is a slow socket. It is within D, but the final attempt of a fetch has had its ticket open before: so it may be cut.
func (h *history) taken(within time.Duration) bool {
	head := &slowHead{time.Now(), make(chan struct{})}
	h.mu.Lock()
	h.slow[head] = struct{}{}
	h.mu.Unlock()
	select {
	case <-time.After(within):
	case <-head.gone:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, taken := h.slow[head]
	delete(h.slow, head)
	return taken
}

// cut cuts who has been slow for that long, as httpserver.Server.CutHeads does.
func (h *history) cut(older time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for head := range h.slow {
		if time.Since(head.since) >= older {
			delete(h.slow, head)
			close(head.gone)
			h.cuts.Add(1)
		}
	}
}

// recent tells whether nothing that a viewer got is older than what was completed when its head was written. It may be
// of several versions where the origin calls them by one name.
func (j *judging) recent() bool {
	if j.status == 206 && j.fields.Has("Content-Encoding") {
		return true // of octets that nobody knows here
	}
	all, err := j.plain()
	words := strings.Fields(all)
	if err != nil || len(words) == 0 {
		return err == nil || j.aborted
	}
	// The first word may be of two versions, for a part may be its first octet: 19 and 20 give 10.
	for _, word := range words[min(1, len(words)-1) : len(words)-1] {
		if n, err := strconv.ParseInt(word, 10, 64); err != nil || n < j.least {
			return false
		}
	}
	return true
}

// honest tells whether a viewer got of a version what the head says.
func (j *judging) honest(all string) bool {
	switch j.status {
	case 200:
		got, err := j.plain()
		return err == nil && got == all
	case 206:
		if j.fields.Has("Content-Encoding") {
			return true // of octets that nobody knows here
		}
		r, size, ok := httpcache.ParseContentRange(j.fields.Get("Content-Range"))
		return ok && size == int64(len(all)) && j.text() == all[r.Start:r.Start+r.Length]
	}
	return true
}

func (h *history) view(until time.Time) {
	for time.Now().Before(until) {
		i := h.n(paths)
		lines := [][]string{nil, nil, {"Range: bytes=0-0"}, {`If-None-Match: "1"`}, {"Range: bytes=300-899"}}[h.n(5)]
		if h.strict {
			lines = append(lines, "Foo: "+strconv.Itoa(h.n(3)))
			if h.n(4) == 0 {
				lines = append(lines, "Cache-Control: "+[]string{"no-cache", "max-age=1", "max-stale", "only-if-cached", "no-store"}[h.n(5)])
			}
		}
		lines = append(lines, "Accept-Encoding: "+[]string{"identity", "gzip", "gzip, br"}[h.n(3)])
		j := &judging{h: h, i: i, least: h.written[i].Load()}
		ctx, cancel := context.WithCancel(context.Background())
		if h.n(8) == 0 {
			ctx, cancel = context.WithTimeout(context.Background(), h.pause()+time.Microsecond)
		}
		h.edge.Serve(ctx, j, request("/p"+strconv.Itoa(i), lines...))
		switch v := j.fields.Get("X-Version"); {
		case v == "" || j.status >= 400:
		case h.lying && !j.recent():
			h.t.Errorf("%d %v (%s): %q is older than version %d", j.status, lines, j.fields.Get("X-Cache"), j.text(), j.least)
		case !h.lying && !j.aborted && !j.honest(octetsOf(j.fields.Get("X-Member"), v)):
			h.t.Errorf("%d %v: %q is not version %s of origin %q", j.status, lines, j.text(), v, j.fields.Get("X-Member"))
		}
		cancel()
		time.Sleep(h.pause())
	}
}

// visitElsewhere is a viewer of another edge, so that it has something. What he gets is not looked at.
func (h *history) visitElsewhere(w *world, until time.Time) {
	if w == h.world {
		return
	}
	for time.Now().Before(until) {
		w.edge.Serve(context.Background(), &viewer{}, request("/p"+strconv.Itoa(h.n(paths)), "Accept-Encoding: "+[]string{"identity", "gzip", "gzip, br"}[h.n(3)]))
		time.Sleep(h.pause())
	}
}

// change gives the origin new content, invalidates the old, and waits for Completed.
func (h *history) change(until time.Time) {
	for time.Now().Before(until) {
		i := h.n(paths)
		if h.strict && h.n(2) == 0 {
			h.write(i)
			continue
		}
		v := h.version[i].Add(1)
		item := []string{"/p%d", "/p%d*", "#t%d", "/*%d"}[h.n(4)]
		e, err := h.writer.Commit(context.Background(), func() ([]journal.Fact, error) {
			return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{fmt.Sprintf(item, i)}}}}, nil
		})
		if err != nil {
			h.t.Error(err)
			return
		}
		h.pend(e.Seq, i, v)
		time.Sleep(time.Duration(h.n(1500)) * time.Millisecond)
	}
}

// write changes the origin's content by a request through the edge, whose answer is the promise.
func (h *history) write(i int) {
	v := &viewer{}
	h.edge.Serve(context.Background(), v, request("POST /p"+strconv.Itoa(i)))
	if v.status == 200 {
		n, _ := strconv.ParseInt(v.fields.Get("X-Version"), 10, 64)
		for c := h.written[i].Load(); c < n && !h.written[i].CompareAndSwap(c, n); c = h.written[i].Load() {
		}
	}
	time.Sleep(time.Duration(h.n(1500)) * time.Millisecond)
}

// put is the distribution as it is configured.
func (h *history) put() *journal.DistributionPut {
	put := usual()
	if h.strict {
		rfc(put)
	}
	compressing(put)
	if h.grouped {
		pair(500, 503)(put)
	}
	distribution.FillDefaults(put.Config)
	return put
}

// pend has a change completed by whichever comes first: the acknowledgement, or the wait.
func (h *history) pend(seq uint64, i int, v int64) {
	complete := func() {
		for c := h.completed[i].Load(); c < v && !h.completed[i].CompareAndSwap(c, v); c = h.completed[i].Load() {
		}
	}
	time.AfterFunc(journal.Timing{}.Wait(), complete)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.acked >= seq {
		complete()
		return
	}
	h.pending = append(h.pending, pending{seq, complete})
}

type pending struct {
	seq      uint64
	complete func()
}

// heard is called for each acknowledgement, with mu.
func (h *history) heard(seq uint64) {
	rest := h.pending[:0]
	for _, p := range h.pending {
		if p.seq <= seq {
			p.complete()
		} else {
			rest = append(rest, p)
		}
	}
	h.pending = rest
}

// trouble cuts the edge off, and changes the configuration.
func (h *history) trouble(until time.Time) {
	for time.Now().Before(until) {
		time.Sleep(time.Duration(h.n(20000)) * time.Millisecond)
		what := h.n(3)
		if h.lying {
			what = 0 // without the journal there is only the origin's word
		}
		switch what {
		case 0:
			put := h.put()
			put.Config.Comment = wire.Ptr(strconv.Itoa(h.n(1000)))
			h.writer.Commit(context.Background(), func() ([]journal.Fact, error) { return []journal.Fact{{DistributionPut: put}}, nil })
		case 1:
			h.cutOff()
			time.Sleep(time.Duration(h.n(90)) * time.Second)
			h.reconnect()
		case 2:
			h.log.SetFaults(journalmemory.Faults{
				Push:  func(*journal.Entry) journalmemory.Push { return journalmemory.Push(h.n(2)) },
				Probe: func() error { return [2]error{nil, errors.New("lost")}[h.n(2)] },
				Ack:   func(journal.Ack) bool { return h.n(2) == 0 },
			})
		}
	}
}

// shows tells whether enough has happened for a history to show something. How much that is in a round is chance, and the machine's
// load has a part in it: so a history has as many rounds as it takes, but no more than mostRounds, which is ten times the usual.
func (h *history) shows() bool {
	return h.answers.Load() >= 1000 && h.hits.Load() >= 100 && (!h.grouped || h.edge.Stats().Failovers >= 50)
}

const mostRounds = 10

func run(t *testing.T, seed uint64, strict, grouped bool, options ...func(*world)) (h *history) {
	return runThrough(t, nil, seed, strict, grouped, options...)
}

// runThrough is run with edges above the one that viewers ask. Nobody waits for theirs to acknowledge: what is Completed for
// the edge's viewers is so whatever its parents have applied (L7).
func runThrough(t *testing.T, above []kin, seed uint64, strict, grouped bool, options ...func(*world)) (h *history) {
	synctest.Test(t, func(t *testing.T) {
		lying := seed%8 >= 6
		h = &history{lying: lying, rnd: rand.New(rand.NewPCG(seed, 1)), strict: strict, grouped: grouped && !lying}
		h.begin(t, options...)
		fam := &family{edges: map[string]*world{}}
		if len(above) > 0 {
			fam.adopt(kin{"FRA50-1", "FRA50"}, h.world)
		}
		h.commit(journal.Fact{DistributionPut: h.put()})
		h.start()
		h.above = fam
		defer fam.stopAll()
		for _, k := range above {
			w := newWorld(t, options...)
			fam.adopt(k, w)
			w.start()
			fam.place(fam.lowest(k), k.place)
		}
		for i := range paths {
			answer := &reply{react: func(r *origin.Request) *reply { return h.answer(i, r) }}
			h.origin.on("/p"+strconv.Itoa(i), answer)
			h.origin.on("/2/p"+strconv.Itoa(i), answer)
		}
		for round := 0; round == 0 || round < mostRounds && !h.shows(); round++ {
			until := time.Now().Add(5 * time.Minute)
			var g sync.WaitGroup
			for range 6 {
				g.Go(func() { h.view(until) })
			}
			for _, w := range fam.edges {
				g.Go(func() { h.visitElsewhere(w, until) })
			}
			g.Go(func() { h.change(until) })
			g.Go(func() { h.trouble(until) })
			g.Wait()
		}
		h.reconnect()
		h.settle(2 * time.Minute)
		if st := h.edge.Stats(); st.Fills != 0 || st.FillBytes != 0 || st.CompressBytes != 0 || st.Rules != 0 {
			t.Errorf("at rest: %d fills, %d octets in fills, %d in compressors, %d rules", st.Fills, st.FillBytes, st.CompressBytes, st.Rules)
		}
		for name, w := range fam.edges {
			if st := w.edge.Stats(); st.Fills != 0 || st.FillBytes != 0 {
				t.Errorf("%s at rest: %d fills, %d octets", name, st.Fills, st.FillBytes)
			}
		}
		delete(fam.edges, h.config.Name)
		h.stop()
	})
	return h
}

var seeds = flag.Int("seeds", 20, "histories that TestPromise_AtRandom makes")

func TestPromise_AtRandom(t *testing.T) {
	raced.Timers(t)
	for seed := range *seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			var options []func(*world)
			if seed%4 >= 2 {
				options = append(options, func(w *world) { w.config.SliceFrom, w.config.SliceSize = 500, 240 })
			}
			h := run(t, uint64(seed), seed%2 == 1, seed%3 == 2, options...)
			t.Logf("%d answers, %d of them hits; %d heads were cut", h.answers.Load(), h.hits.Load(), h.cuts.Load())
			if !h.shows() {
				t.Errorf("the experiment shows nothing, with %d failovers", h.edge.Stats().Failovers)
			}
		})
	}
}
