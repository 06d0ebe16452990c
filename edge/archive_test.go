package edge

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/origin"
)

// archive is an origin's large file, of which there are versions.
type archive struct {
	mu      sync.Mutex
	version int
	size    int64
	lines   []string                 // fields of every answer
	asked   []string                 // "range if-range" or "whole", in order
	sent    int64                    // octets that were announced
	react   func(*reply)             // may change an answer
	plain   bool                     // knows no ranges, although it says so
	valid   func(int) string         // the validator's line of a version
	break1  map[string]int           // how often an answer to a Range breaks off
	gate    map[string]chan struct{} // in the middle of an answer to a Range
	hold    map[string]chan struct{} // before it
}

// letters is the content of a version from one octet to another.
func letters(version int, from, to int64) string {
	b := make([]byte, 0, to-from)
	for i := from; i < to; i++ {
		b = append(b, byte('a'+(i+i/26+int64(version)*7)%26))
	}
	return string(b)
}

func (a *archive) all() string { return letters(a.version, 0, a.size) }

func (a *archive) reply(r *origin.Request) *reply {
	a.mu.Lock()
	hold := a.hold[r.Fields.Get("Range")]
	a.mu.Unlock()
	if hold != nil {
		<-hold
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := append([]string{"Accept-Ranges: bytes", "Date: Sat, 01 Aug 2026 12:00:00 GMT"}, a.lines...)
	valid := `ETag: "v` + strconv.Itoa(a.version) + `"`
	if a.valid != nil {
		valid = a.valid(a.version)
	}
	lines = append(lines, valid)
	_, is, _ := strings.Cut(valid, ": ")
	asked, rep := "whole", (*reply)(nil)
	span, ifRange := r.Fields.Get("Range"), r.Fields.Get("If-Range")
	ranges, verdict := httpcache.ParseRange(span, a.size)
	switch {
	case r.Fields.Has("If-None-Match") && r.Fields.Get("If-None-Match") == is:
		asked, rep = "if changed", status(304, "", lines...)
	case verdict == httpcache.RangePartial && len(ranges) == 1 && !a.plain && (ifRange == "" || ifRange == is):
		rg := ranges[0]
		asked = strings.TrimSpace(strings.TrimPrefix(span, "bytes=") + " " + ifRange)
		rep = status(206, letters(a.version, rg.Start, rg.Start+rg.Length), append(lines, "Content-Range: "+rg.ContentRange(a.size))...)
	default:
		if span != "" {
			asked = "whole for " + strings.TrimPrefix(span, "bytes=")
		}
		rep = ok(a.all(), lines...)
	}
	a.asked = append(a.asked, asked)
	if a.break1[span] > 0 {
		a.break1[span]--
		rep.length, rep.body, rep.cut = int64(len(rep.body)), rep.body[:len(rep.body)/2], true
	}
	rep.rest = a.gate[span]
	if a.react != nil {
		a.react(rep)
	}
	a.sent += int64(len(rep.body))
	return rep
}

// log returns what was asked since the last call, sorted: a slice and the one after it are asked for at once.
func (a *archive) log() (asked []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, a.asked = a.asked, nil
	slices.Sort(asked)
	return asked
}

func (a *archive) wants(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := a.log(); !slices.Equal(got, want) {
		t.Errorf("the origin was asked for %q, want %q", got, want)
	}
}

func (a *archive) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func smallSlices(w *world) { w.config.SliceFrom, w.config.SliceSize = 50, 10 }

// library is a story about a file of 95 octets in slices of ten.
func library(t *testing.T, f func(w *world, a *archive), options ...func(*world)) {
	t.Helper()
	story(t, func(w *world) {
		a := &archive{size: 95, lines: []string{"Cache-Control: max-age=60", "Content-Type: text/plain"}, break1: map[string]int{}, gate: map[string]chan struct{}{}, hold: map[string]chan struct{}{}}
		w.origin.on("/a", &reply{react: a.reply})
		f(w, a)
	}, append([]func(*world){smallSlices, unswept}, options...)...)
}

// slice is what is stored of a file's slice; nil: nothing.
func (w *world) slice(n int64) []byte {
	if o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n)); o != nil {
		return o.Body
	}
	return nil
}

// forget evicts slices.
func (w *world) forget(numbers ...int64) {
	w.t.Helper()
	for _, n := range numbers {
		o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), n))
		if o == nil {
			w.t.Fatalf("slice %d is not there", n)
		}
		w.store.Remove(o)
	}
}
