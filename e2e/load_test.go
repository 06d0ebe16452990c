package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLoad_NoRequestFailsWhileInvalidating keeps viewers busy on all edges while invalidations come
// as fast as they complete. Every answer must be whole and 200, and, above all, no answer to a
// request that began after Completed may show a version older than the one that the origin had when
// that invalidation was created.
func TestLoad_NoRequestFailsWhileInvalidating(t *testing.T) {
	const objects, viewers, want = 20, 12, 60000
	w := newWorld(t.TempDir())
	defer w.close()
	version := &versions{}
	site, err := newSite(version)
	if err != nil {
		t.Fatal(err)
	}
	defer site.close()
	w.origins["site"] = &origin{l: site.l}
	if err := w.start([]string{"--edges", "127.0.0.1:0,127.0.0.1:0,127.0.0.1:0", "--demo", "off"}); err != nil {
		t.Fatal(err)
	}
	if err := w.create("d", map[string]string{"origin": "site"}); err != nil {
		t.Fatal(err)
	}
	delete(w.origins, "site")
	d, err := w.distribution("d")
	if err != nil {
		t.Fatal(err)
	}

	var answers, hits atomic.Int64
	var floor atomic.Int64 // no answer to a request that begins now may be older
	floor.Store(1)
	version.n.Store(1)
	stop := make(chan struct{})
	failed := make(chan error, viewers+1)
	var wg sync.WaitGroup
	for v := range viewers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				least := floor.Load()
				got, hit, err := w.versionOf(w.proc.ready.Edges[(v+i)%3].URL, d.domain, fmt.Sprintf("/page/%d", i%objects))
				if err != nil {
					failed <- err
					return
				}
				if got < least {
					failed <- fmt.Errorf("an answer of version %d after version %d had been invalidated everywhere", got, least)
					return
				}
				answers.Add(1)
				if hit {
					hits.Add(1)
				}
			}
		}()
	}
	invalidations := 0
	began := time.Now()
	for answers.Load() < want && len(failed) == 0 && time.Since(began) < 10*time.Minute {
		now := version.n.Add(1)
		if err := w.invalidate("d", []string{"/page/*"}); err != nil {
			failed <- err
			break
		}
		if err := w.completed(soonCompleted); err != nil {
			failed <- err
			break
		}
		floor.Store(now)
		invalidations++
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	if answers.Load() < want {
		t.Fatalf("%d answers only", answers.Load())
	}
	if hits.Load() == 0 {
		t.Fatal("no hit at all: this has tested nothing")
	}
	t.Logf("%d answers, %d of them hits, none failed, none too old, while %d invalidations completed; %.0f answers/s",
		answers.Load(), hits.Load(), invalidations, float64(answers.Load())/time.Since(began).Seconds())
}

// versionOf requests a page and reads the version that it shows.
func (w *world) versionOf(edge, host, path string) (version int64, hit bool, err error) {
	req, err := http.NewRequest("GET", edge+path, nil)
	if err != nil {
		return 0, false, err
	}
	req.Host = host
	resp, err := w.web.Do(req)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false, err
	}
	if resp.StatusCode != 200 {
		return 0, false, fmt.Errorf("%s: %s: %.100s", path, resp.Status, body)
	}
	version, err = strconv.ParseInt(string(body), 10, 64)
	return version, resp.Header.Get("X-Cache") == results["hit"], err
}
