package edge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/origin"
)

// An origin that changes at any moment, breaks off, and forgets: whatever comes is one version's, complete or cut.
func TestSlices_NeverMixVersions(t *testing.T) {
	complete := 0
	for seed := range uint64(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			library(t, func(w *world, a *archive) {
				rnd := rand.New(rand.NewPCG(seed, 2))
				var mu sync.Mutex
				n := func(k int) int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(k) }
				w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
					time.Sleep(time.Duration(n(5)) * time.Millisecond)
					rep := a.reply(r)
					time.Sleep(time.Duration(n(5)) * time.Millisecond)
					switch n(20) {
					case 0:
						return fails(origin.Connect)
					case 1:
						return status(503, "sorry")
					case 2:
						if len(rep.body) > 1 {
							rep.length, rep.body, rep.cut = int64(len(rep.body)), rep.body[:n(len(rep.body))], true
						}
					}
					return rep
				}})
				var g sync.WaitGroup
				until := time.Now().Add(40 * time.Second)
				for range 5 {
					g.Go(func() {
						for time.Now().Before(until) {
							from := n(95)
							spans := [][]string{nil, {"Range: bytes=0-"}, {fmt.Sprintf("Range: bytes=%d-", from)}, {fmt.Sprintf("Range: bytes=%d-%d", from, from+n(40))}, {"Range: bytes=3-5, 40-61, -2"}}
							v := &viewer{}
							w.edge.Serve(context.Background(), v, request("/a", spans[n(len(spans))]...))
							if v.status < 300 {
								if err := ofOneVersion(v); err != "" {
									t.Error(err)
								}
								if !v.aborted {
									mu.Lock()
									complete++
									mu.Unlock()
								}
							}
							time.Sleep(time.Duration(n(200)) * time.Millisecond)
						}
					})
				}
				g.Go(func() {
					for time.Now().Before(until) {
						time.Sleep(time.Duration(n(1000)) * time.Millisecond)
						a.change(func() { a.version++ })
						for k := range int64(10) {
							if o := w.store.Peek(numbered(append([]byte(w.key("/a")), 's', 0, 0, 0, 0, 0, 0, 0, 0), k)); o != nil && n(2) == 0 {
								w.store.Remove(o)
							}
						}
					}
				})
				g.Wait()
			})
		})
	}
	// One history alone may have little luck: a 503 is kept for ten of its forty seconds.
	t.Logf("%d complete answers", complete)
	if complete < 5000 {
		t.Errorf("%d complete answers show nothing", complete)
	}
}

// ofOneVersion says what is wrong with an answer.
func ofOneVersion(v *viewer) string {
	version, err := strconv.Atoi(strings.Trim(v.fields.Get("ETag"), `v"`))
	if err != nil {
		return "no version: " + v.fields.Get("ETag")
	}
	body := v.text()
	if !v.aborted && v.length >= 0 && int64(len(body)) != v.length {
		return fmt.Sprintf("%d octets of %d", len(body), v.length)
	}
	if strings.HasPrefix(v.fields.Get("Content-Type"), "multipart/") {
		for _, part := range strings.Split(body, "Content-Range: ")[1:] {
			span, octets, _ := strings.Cut(part, "\r\n\r\n")
			r, _, _ := httpcache.ParseContentRange(span)
			octets, _, _ = strings.Cut(octets, "\r\n")
			if !strings.HasPrefix(letters(version, r.Start, r.Start+r.Length), octets) {
				return fmt.Sprintf("part %s of version %d: %q", span, version, octets)
			}
		}
		return ""
	}
	from := int64(0)
	if r, _, ok := httpcache.ParseContentRange(v.fields.Get("Content-Range")); ok {
		from = r.Start
	}
	if want := letters(version, from, from+int64(len(body))); body != want {
		return fmt.Sprintf("version %d from %d: %q, want %q", version, from, body, want)
	}
	return ""
}
