package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// till is an origin that writes down when it was asked.
type till struct {
	mu sync.Mutex
	at []time.Time
}

func (o *till) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	o.at = append(o.at, time.Now())
	o.mu.Unlock()
	w.Header().Set("Cache-Control", "max-age=3600")
	io.WriteString(w, "x")
}

// TestPace_TheOriginsTotal has a crowd on all edges ask for what a paced invalidation has dropped, and counts at the
// origin: at no time has it been asked more often than all edges together may have asked it since.
func TestPace_TheOriginsTotal(t *testing.T) {
	const objects, perSecond, edges = 24, 4, 3
	w := newWorld(t.TempDir())
	defer w.close()
	o := &till{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	site := &http.Server{Handler: o}
	go site.Serve(l)
	defer site.Close()
	w.origins["site"] = &origin{l: l}
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
	get := func(edge, path string) (status int) {
		req, err := http.NewRequest("GET", edge+path, nil)
		if err != nil {
			t.Error(err)
			return 0
		}
		req.Host = d.domain
		resp, err := w.web.Do(req)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
			t.Error("a 503 does not say when to come again")
		}
		return resp.StatusCode
	}
	crowd := func() {
		var all sync.WaitGroup
		for _, e := range w.proc.ready.Edges {
			for i := range objects {
				all.Go(func() {
					for get(e.URL, fmt.Sprint("/", i)) == 503 {
					}
				})
			}
		}
		all.Wait()
	}
	crowd()
	if n := len(o.at); n != objects*edges {
		t.Fatalf("the origin was asked %d times before", n)
	}
	began := time.Now()
	cmd := exec.Command(binary(), "invalidate", d.id, "/*", "--pace", fmt.Sprint(perSecond, "/s"), "--wait")
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_CLOUDFRONT="+w.proc.ready.API, "AWS_ACCESS_KEY_ID="+w.proc.ready.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+w.proc.ready.SecretAccessKey, "AWS_SESSION_TOKEN=")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Completed in ") {
		t.Fatalf("%v\n%s", err, out)
	}
	crowd()
	o.mu.Lock()
	defer o.mu.Unlock()
	after := o.at[objects*edges:]
	if len(after) != objects*edges {
		t.Errorf("the origin was asked %d times for %d objects on %d edges", len(after), objects, edges)
	}
	for i, at := range after {
		if most := edges * (1 + perSecond*at.Sub(began).Seconds()); float64(i+1) > most {
			t.Fatalf("after %s it had been asked %d times, more than %.1f", at.Sub(began), i+1, most)
		}
	}
	t.Logf("%d questions in %s", len(after), after[len(after)-1].Sub(began))
}
