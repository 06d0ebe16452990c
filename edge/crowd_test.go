package edge

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/cache/disk/disktest"
	"github.com/warmfront/warmfront/cache/memory"
)

// What is read from disk for viewers who take their time is bounded as what the store has dropped is: when they hold as much as
// they may, what they ask for comes from the origin and streams: be it that memory gets the head of it, or the whole, which it drops
// for the next.
func TestL9_LoadsInDeliveryAreBounded(t *testing.T) {
	const size, viewers = 300 << 10, 60
	for name, most := range map[string]int64{"left there": 0, "taken over": 4 << 20} { // beside them memory has so much
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				if most > 0 {
					w.configure(rfc) // bodies are not left on disk
				}
				body := strings.Repeat("x", size)
				var all []*viewer
				for i := range viewers {
					w.origin.on(fmt.Sprint("/", i), ok(body))
					w.get(fmt.Sprint("/", i))
				}
				w.emptied()
				for n := 0; w.edge.apart() > 2*size && n < 1000; n++ { // fills are over, and count no more
					runtime.GC()
				}
				for i := range viewers {
					all = append(all, w.askAs(&viewer{holdBody: make(chan struct{})}, fmt.Sprint("/", i)))
				}
				held := int64(0)
				for i := range viewers {
					if w.origin.times(fmt.Sprint("/", i)) == 1 {
						held += size
					}
				}
				if most += w.edge.crowd.end + size; held > most || held <= w.edge.crowd.most {
					t.Errorf("%d octets that were read from disk are held, want more than %d and at most %d", held, w.edge.crowd.most, most)
				}
				w.settle(crowdTime)
				for _, v := range all {
					close(v.holdBody)
				}
				synctest.Wait()
				if n := w.edge.loads.sent.Load(); n != 0 {
					t.Errorf("%d octets still counted", n)
				}
				for i, v := range all {
					if !v.over() || v.aborted || v.text() != body {
						t.Fatalf("viewer %d: over %v, aborted %v, %d octets", i, v.over(), v.aborted, v.body.Len())
					}
				}
			}, func(w *world) {
				w.config.FillMemory = 1 << 20
				w.store, _ = memory.New(memory.Config{Capacity: 4 << 20})
				w.config.Store = w.store
				w.file = new(disktest.File)
				w.config.Disk, _ = disk.Open(disk.Config{File: w.file, Capacity: 64 << 20, Linger: -1})
			})
		})
	}
}
