package edge

import (
	"bytes"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/journal"
)

// onDisk lets objects be on disk, and their heads in memory.
func (w *world) onDisk(paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		w.get(path)
	}
	w.emptied()
	for _, path := range paths {
		w.get(path)
		if o := w.object(path); o == nil || !o.Away() {
			w.t.Fatalf("%s: its head is not in memory, or its body is", path)
		}
	}
}

// inline is the body of a plain hit, false if it is none.
func (w *world) inline(line string) (body string, ok bool) {
	a := w.edge.Inline()
	out, rest, ok := a.Answer(nil, request(line))
	a.Sent()
	if !ok {
		return "", false
	}
	_, after, _ := bytes.Cut(out, []byte("\r\n\r\n"))
	body = string(after) + string(octetsIn(rest))
	if len(body) > len(after) {
		a.Done(int64(len(body)-len(after)), false)
	}
	return body, true
}

// What is asked for once in a while is read from disk each time by a plain hit; whoever needs octets otherwise has it put
// into memory.
func TestFar_PlainHitsLeaveTheBodyOnDisk(t *testing.T) {
	t.Run("read", func(t *testing.T) { plainHits(t, 10_000) })
	t.Run("sent", func(t *testing.T) { plainHits(t, 100_000) })
}

func plainHits(t *testing.T, size int) {
	story(t, func(w *world) {
		body := strings.Repeat("0123456789", size/10)
		w.origin.on("/a", ok(body, "Content-Type: text/plain"))
		w.onDisk("/a")
		for range 3 {
			if got, ok := w.inline("/a"); !ok || got != body {
				t.Fatalf("inline: %v, %d octets", ok, len(got))
			}
		}
		if got, ok := w.inline("HEAD /a"); !ok || got != "" {
			t.Errorf("HEAD: %v, %d octets", ok, len(got))
		}
		if !w.object("/a").Away() {
			t.Error("its body is in memory")
		}
		if !w.both("/a") { // the second has it put into memory
			t.Error("no plain hit")
		}
		if w.object("/a").Away() {
			t.Error("its body is not in memory")
		}
		w.onDisk("/a")
		w.expect("206 Hit 2345", "/a", "Range: bytes=2-5")
		w.expect("200 Hit "+body, "/a")
		if w.origin.times("/a") != 1 {
			t.Errorf("the origin was asked %d times", w.origin.times("/a"))
		}
	}, withDisk)
}

// A body that cannot be had at once is waited for, by a request like any other, and one that is gone is fetched.
func TestFar_BodiesThatAreNotToBeHad(t *testing.T) {
	one, two := strings.Repeat("1", 10_000), strings.Repeat("2", 10_000)
	for name, c := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"cold":    {func(w *world) { w.file.Suffer(disktest.Faults{Cold: true}) }, "200 Hit " + one},
		"damaged": {func(w *world) { damage(w.file, one) }, "200 Miss " + two},
		"lost":    {func(w *world) { w.config.Disk.Expel([]byte(w.key("/a"))); damage(w.file, one) }, "200 Miss " + two},
		"emptied": {func(w *world) { w.config.Disk.Clear() }, "200 Miss " + two},
		"dead":    {func(w *world) { w.invalidate("/a") }, "200 Miss " + two},
		"cut off": {func(w *world) { w.cutOff(); w.settle(3e10 + 1e9) }, "200 Miss " + two},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", ok(one, "Content-Type: text/plain"), ok(two, "Content-Type: text/plain"))
				w.onDisk("/a")
				c.do(w)
				if _, ok := w.inline("/a"); ok {
					t.Error("answered on the spot")
				}
				w.expect(c.want, "/a")
				w.file.Suffer(disktest.Faults{})
				w.expect("200 Hit "+c.want[len(c.want)-len(one):], "/a")
			}, withDisk)
		})
	}
}

// damage changes an octet of a body that is in the file.
func damage(f *disktest.File, body string) {
	f.Octets()[bytes.Index(f.Octets(), []byte(body))+len(body)/2]++
}

// What has its body on disk is swept, counted and previewed as one object.
func TestFar_IsOneObjectToInvalidations(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok(strings.Repeat("1", 10_000), "Content-Type: text/plain"))
		w.onDisk("/a")
		if p, err := w.edge.Preview(t.Context(), "D1", NewSelection(nil, nil)); err != nil || p.All.Objects != 1 || p.All.Bytes != 10_000 {
			t.Errorf("preview: %+v, %v", p, err)
		}
		w.commit(journal.Fact{Invalidated: &journal.Invalidated{DistributionID: "D1", InvalidationID: "I1", Items: []string{"/a"}}})
		w.settle(6e10)
		if r, _ := w.edge.Receipt("D1", "I1"); r.Objects != 1 || r.Bytes != 10_000 || w.config.Disk.Has([]byte(w.key("/a"))) {
			t.Errorf("receipt: %+v", r)
		}
	}, withDisk)
}
