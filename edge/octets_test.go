package edge

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmfront/warmfront/cache/memory"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// octetsRun is the other promise as an experiment: whatever happens, an answer is octet for octet something that
// the origin has sent for its key, complete, or cut where the viewer can see it. An origin whose content
// changes, which fails, breaks off, gives ranges or does not, with strong validators, weak ones and none; a store
// that is too small, slices, variants, compression; viewers who want the whole, ranges, or to know whether theirs
// is still good, and some who leave.
type octetsRun struct {
	*world
	rmu sync.Mutex
	rnd *rand.Rand // guarded by rmu
	rfc bool

	version [octetPaths]atomic.Int64
	smu     sync.Mutex
	coded   map[string]string // complete bodies by entity tag and coding; guarded by smu
	cuts    []codedCut        // what is to be found in them; guarded by smu
	counts  map[string]int    // answers by kind; guarded by smu
}

const (
	octetPaths = 10
	lie        = 5 // octets that an origin announces and does not have
)

// made names what an answer is made of: the path, the value of Foo, and the version. It is a field of each.
type made struct {
	path    int
	foo     string
	version int64
}

func (m made) String() string { return fmt.Sprintf("p%d/%s/%d", m.path, m.foo, m.version) }

// content tells by every line of 24 octets what it is of, and where in it.
func (m made) content() string {
	size := []int{0, 1, 60, 999, 1500, 2999}[(m.path*7+int(m.version)/4*5)%6] // often that of the version before
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "%-16s %06d\n", m, b.Len())
	}
	return b.String()[:size]
}

// validators are as its path has them: strong, both, weak, a date, none.
func (m made) validators() (f message.Fields) {
	if kind := m.path % 5; kind < 2 {
		f.Add("ETag", `"`+m.String()+`"`)
	} else if kind == 2 {
		f.Add("ETag", `W/"`+m.String()+`"`)
	}
	if kind := m.path % 5; kind == 1 || kind == 3 {
		f.Add("Last-Modified", httpDate(time.Date(2020, 1, 1, 0, 0, int(m.version), 0, time.UTC)))
	}
	return f
}

// codedCut is a part of a compressed body.
type codedCut struct{ key, octets, what string }

func (o *octetsRun) n(n int) int {
	o.rmu.Lock()
	defer o.rmu.Unlock()
	return o.rnd.IntN(n)
}

func (o *octetsRun) pause() time.Duration {
	return []time.Duration{0, 0, time.Microsecond, time.Millisecond, 50 * time.Millisecond, time.Second}[o.n(6)]
}

// answer is the origin's.
func (o *octetsRun) answer(i int, r *origin.Request) *reply {
	time.Sleep(o.pause())
	m := made{i, r.Fields.Get("Foo"), o.version[i].Load()}
	lines := []string{"Accept-Ranges: bytes", "X-Made: " + m.String(), "Cache-Tag: t" + strconv.Itoa(i), "Content-Type: " + []string{"text/html", "image/png"}[i%2]}
	if o.rfc {
		lines = append(lines, "Vary: Foo")
	}
	switch o.n(24) {
	case 0:
		return fails([]origin.Kind{origin.Connect, origin.Closed, origin.ReadTimeout}[o.n(3)])
	case 1:
		return status([]int{500, 503, 404, 403}[o.n(4)], "sorry "+m.String(), lines...)
	}
	lines = append(lines, "Cache-Control: "+[]string{"max-age=1", "max-age=60", "max-age=600", "no-cache", "private", "no-store",
		"max-age=1, stale-while-revalidate=20", "max-age=1, stale-if-error=60"}[o.n(8)])
	rep := ok(m.content(), lines...)
	rep.fields = append(rep.fields, m.validators()...)
	if is := o.unmodified(m, r); is && o.n(8) > 0 || asksWhether(r) && o.n(20) == 0 {
		if rep.status, rep.body = 304, ""; !is {
			rep.fields.Add("X-Confused", "as the validators tell")
		}
		return rep
	}
	o.cutRange(rep, m, r)
	switch o.n(10) {
	case 0: // breaks off
		rep.length, rep.cut = int64(len(rep.body)), true
		rep.body = rep.body[:o.n(len(rep.body)+1)]
		if rep.length == 0 {
			rep.cut = false
		}
	case 1: // announces more than there is
		rep.length, rep.cut = int64(len(rep.body))+lie, true
	case 2: // of unknown length, which breaks off or does not
		rep.length, rep.cut = -1, o.n(2) == 0
		if rep.cut {
			rep.body = rep.body[:o.n(len(rep.body)+1)]
		}
	}
	if o.n(3) == 0 {
		rep.rest = make(chan struct{})
		pause := o.pause()
		go func() { time.Sleep(pause); close(rep.rest) }()
	}
	return rep
}

func asksWhether(r *origin.Request) bool {
	return r.Fields.Has("If-None-Match") || r.Fields.Has("If-Modified-Since")
}

func (o *octetsRun) unmodified(m made, r *origin.Request) bool {
	if r.Fields.Has("Range") {
		return false
	}
	return httpcache.Conditional(r.Fields, 200, m.validators()) == httpcache.NotModified
}

// cutRange makes a 206 of the reply, if that is asked for, and the origin is in the mood.
func (o *octetsRun) cutRange(rep *reply, m made, r *origin.Request) {
	dated := append(m.validators(), message.Field{Name: "Date", Value: httpDate(time.Now())})
	if o.n(4) == 0 || !httpcache.IfRange(r.Fields, dated) && o.n(4) > 0 {
		return // there are origins that do not look at If-Range
	}
	size := int64(len(rep.body))
	ranges, verdict := httpcache.ParseRange(r.Fields.Joined("Range"), size)
	switch {
	case verdict == httpcache.RangeUnsatisfiable:
		rep.status, rep.body = 416, ""
		rep.fields.Add("Content-Range", httpcache.UnsatisfiedRange(size))
	case verdict == httpcache.RangePartial && len(ranges) == 1:
		rep.status, rep.body = 206, rep.body[ranges[0].Start:ranges[0].Start+ranges[0].Length]
		rep.fields.Add("Content-Range", ranges[0].ContentRange(size))
	}
}

// view is one viewer, who remembers what it has got.
func (o *octetsRun) view(until time.Time) {
	a := o.edge.Inline()
	var had [octetPaths]message.Fields
	for time.Now().Before(until) {
		i, foo := o.n(octetPaths), []string{"", "1", "22"}[o.n(3)]
		line, lines := "/o"+strconv.Itoa(i), []string{"Accept-Encoding: " + []string{"gzip", "identity"}[o.n(2)]}
		if foo != "" {
			lines = append(lines, "Foo: "+foo)
		}
		valid := had[i]
		switch o.n(8) {
		case 0, 1:
			lines = append(lines, "Range: bytes="+[]string{"0-0", "0-99", "50-", "-30", "5-9,100-150,2000-", "990-1010", "99999-"}[o.n(7)])
			if v := cmp.Or(valid.Get("ETag"), valid.Get("Last-Modified")); v != "" && o.n(3) == 0 {
				lines = append(lines, "If-Range: "+v)
			}
		case 2:
			if tag := valid.Get("ETag"); tag != "" {
				lines = append(lines, "If-None-Match: "+tag)
			} else if date := valid.Get("Last-Modified"); date != "" {
				lines = append(lines, "If-Modified-Since: "+date)
			}
		case 3:
			line = "HEAD " + line
		}
		v := o.send(a, line, lines)
		o.judge(made{path: i, foo: foo}, line, lines, v)
		if v.status == 200 {
			had[i] = v.fields
		}
		time.Sleep(o.pause())
	}
}

// send asks on the fast path, and otherwise as ever. A viewer of the fast path may take its time.
func (o *octetsRun) send(a httpserver.Inline, line string, lines []string) *viewer {
	r := request(line, lines...)
	head, rest, ok := a.Answer(nil, r)
	a.Sent()
	if ok {
		time.Sleep(o.pause())
		body := octetsIn(rest)
		v := fromWire(o.t, append(bytes.Clone(head), body...), r.Method)
		if len(body) > 0 {
			a.Done(int64(len(body)), false)
		}
		o.count("inline")
		if rest.File != nil {
			o.count("from the file")
		}
		return v
	}
	v := &viewer{}
	ctx, cancel := context.WithCancel(context.Background())
	if o.n(10) == 0 {
		ctx, cancel = context.WithTimeout(context.Background(), o.pause()+time.Microsecond)
	}
	defer cancel()
	o.edge.Serve(ctx, v, r)
	return v
}

func fromWire(t *testing.T, octets []byte, method string) *viewer {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(octets)), &http.Request{Method: method})
	if err != nil {
		t.Errorf("%v: %q", err, octets)
		return &viewer{}
	}
	v := &viewer{status: resp.StatusCode, length: resp.ContentLength}
	for name, values := range resp.Header {
		for _, value := range values {
			v.fields.Add(name, value)
		}
	}
	if _, err := io.Copy(&v.body, resp.Body); err != nil {
		t.Errorf("%v: %q", err, octets)
	}
	return v
}

func (o *octetsRun) count(kind string) {
	o.smu.Lock()
	o.counts[kind]++
	o.smu.Unlock()
}

// change gives the origin new content, and mostly invalidates the old.
func (o *octetsRun) change(until time.Time) {
	for time.Now().Before(until) {
		i := o.n(octetPaths)
		o.version[i].Add(1)
		if item := []string{"/o%d", "#t%d", "/*%d", "", "", ""}[o.n(6)]; item != "" {
			o.writer.Commit(context.Background(), func() ([]journal.Fact, error) {
				return []journal.Fact{{Invalidated: &journal.Invalidated{DistributionID: "D1", Items: []string{fmt.Sprintf(item, i)}}}}, nil
			})
		}
		time.Sleep(time.Duration(o.n(1000)) * time.Millisecond)
		if o.n(20) == 0 {
			runtime.GC() // what was evicted is given back
		}
	}
}

// octetsDistribution keys on Foo, or has Vary do it, and compresses.
func octetsDistribution(strict bool) *journal.DistributionPut {
	put := usual()
	keyed := policy(0, 3600, "all", "none")
	keyed.ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig = &wire.CachePolicyHeadersConfig{HeaderBehavior: wire.Ptr("whitelist"),
		Headers: &wire.Headers{Quantity: wire.Ptr[int64](1), Items: []string{"Foo"}}}
	if strict {
		rfc(put)
	} else {
		put.CachePolicies["policy"] = keyed
	}
	put.Config.DefaultCacheBehavior.Compress = wire.Ptr(true)
	distribution.FillDefaults(put.Config)
	return put
}

func octetsAtRandom(t *testing.T, seed uint64) map[string]int {
	o := &octetsRun{rnd: rand.New(rand.NewPCG(seed, 2)), rfc: seed%2 == 1, coded: map[string]string{}, counts: map[string]int{}}
	synctest.Test(t, func(t *testing.T) {
		o.world = newWorld(t, func(w *world) {
			w.config.SliceFrom, w.config.SliceSize, w.config.MaxObject = 1400, 500, 1400
			if w.store, _ = memory.New(memory.Config{Capacity: 40 << 10}); seed%3 == 0 {
				w.store, _ = memory.New(memory.Config{Capacity: 4 << 20})
			}
			w.config.Store = w.store
			if seed%4 == 1 || seed%4 == 2 { // what memory has no room for lies on disk, and bodies stay there
				w.config.leastFar, w.config.leastSent = 1, []int64{1, leastSent}[seed/4%2]
				withDisk(w)
			}
		})
		o.commit(journal.Fact{DistributionPut: octetsDistribution(o.rfc)})
		o.start()
		for i := range octetPaths {
			o.version[i].Store(1)
			o.origin.on("/o"+strconv.Itoa(i), &reply{react: func(r *origin.Request) *reply { return o.answer(i, r) }})
		}
		until := time.Now().Add(4 * time.Minute)
		var g sync.WaitGroup
		for range 5 {
			g.Go(func() { o.view(until) })
		}
		g.Go(func() { o.change(until) })
		g.Wait()
		o.settle(2 * time.Minute)
		if st := o.edge.Stats(); st.Fills != 0 || st.FillBytes != 0 {
			t.Errorf("at rest: %d fills, %d octets in fills", st.Fills, st.FillBytes)
		}
		if o.config.Disk != nil {
			o.counts["from disk"] += int(o.config.Disk.Stats().Hits)
		}
		o.stop()
		for _, c := range o.cuts {
			if whole, ok := o.coded[c.key]; ok && !strings.Contains(whole, c.octets) {
				t.Errorf("%q of %s is not in the whole", c.what, c.key)
			}
		}
	})
	return o.counts
}

func TestOctets_AreTheOrigins(t *testing.T) {
	all := map[string]int{}
	for seed := range *seeds / 3 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			for kind, n := range octetsAtRandom(t, uint64(seed)) {
				all[kind] += n
			}
		})
	}
	t.Logf("answers: %v", all)
	for _, kind := range []string{"inline", "from disk", "200", "206", "304", "416", "502", "aborted", "compressed", "several parts"} {
		if all[kind] < 5 {
			t.Errorf("%d answers of %s: the experiment shows nothing", all[kind], kind)
		}
	}
}
