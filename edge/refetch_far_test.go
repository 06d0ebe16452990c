package edge

import (
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/journal"
)

// What has its head in memory and its body on disk is no object to renew: a 304 would leave it without a body.
func TestRefetch_OfWhatLiesOnDisk(t *testing.T) {
	for name, second := range map[string]*reply{"304": status(304, ""), "failing": status(503, "down")} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				body := strings.Repeat("0123456789", 1000)
				w.origin.on("/a", ok(body, `ETag: "1"`, "Content-Type: text/plain", "Cache-Control: max-age=600, stale-if-error=1000"),
					second)
				w.onDisk("/a")
				w.bringBack(2, journal.Stale, "/a")
				w.settle(5 * time.Second)
				if n := w.origin.times("/a"); n != 2 {
					t.Fatalf("the origin was asked %d times", n)
				}
				if got := w.get("/a").text(); got != body {
					t.Errorf("%d octets: %.20q", len(got), got)
				}
			}, withDisk)
		})
	}
}
