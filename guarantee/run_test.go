package guarantee

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/internal/lasting"
)

// toy is the smallest cache that keeps the promise: it is told single URLs by PURGE. Its mistakes are
// switches.
type toy struct {
	origin string

	mu      sync.Mutex
	objects map[string]*toyObject
	purges  map[string]int // of a URL, so far

	storesLate   bool // stores what began before the last PURGE
	answersLate  bool // answers with it
	deaf         bool // forgets nothing
	cuts         bool // ends bodies early, with a length that says that this is all
	mixes        bool // lays a new head over old octets
	alwaysAgrees bool // 304 to every condition
}

type toyObject struct {
	status int
	header http.Header
	body   []byte
}

func (c *toy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.RequestURI()
	if r.Method == "PURGE" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.purges[key]++
		if !c.deaf {
			delete(c.objects, key)
		}
		return
	}
	for {
		c.mu.Lock()
		o, began := c.objects[key], c.purges[key]
		c.mu.Unlock()
		x := "Hit"
		if o == nil {
			x = "Miss"
			if o = c.fetch(r.Context(), key); o == nil {
				panic(http.ErrAbortHandler)
			}
			c.mu.Lock()
			late := c.purges[key] != began
			if !late || c.storesLate {
				c.objects[key] = o
			}
			c.mu.Unlock()
			if late && !c.answersLate {
				continue
			}
		}
		c.answer(w, r, o, x)
		return
	}
}

func (c *toy) answer(w http.ResponseWriter, r *http.Request, o *toyObject, x string) {
	h := w.Header()
	for name, values := range o.header {
		h[name] = values
	}
	h.Set("X-Cache", x)
	tag := r.Header.Get("If-None-Match")
	if tag != "" && c.alwaysAgrees {
		h.Set("ETag", strings.Split(tag, ",")[0])
	} else if tag != "" && !strings.Contains(tag, h.Get("ETag")) {
		tag = ""
	}
	if tag != "" {
		w.WriteHeader(304)
		return
	}
	w.WriteHeader(o.status)
	w.Write(o.body)
}

func (c *toy) fetch(ctx context.Context, key string) *toyObject {
	req, _ := http.NewRequestWithContext(ctx, "GET", c.origin+key, nil)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	o := &toyObject{resp.StatusCode, resp.Header, body}
	o.header.Del("Content-Length")
	if c.cuts {
		o.body = body[:len(body)-lineSize]
	}
	if c.mixes {
		o.header.Set(versionField, "2")
	}
	return o
}

// untilDemanded waits until a newer version is demanded than the one that was read: what comes then is late, however
// slow or fast everybody is.
func untilDemanded(ctx context.Context, o *Object, version uint64) {
	demanded := func() bool {
		o.log.mu.Lock()
		defer o.log.mu.Unlock()
		n := len(o.log.floors)
		return n > 0 && o.log.floors[n-1].version > version
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !demanded() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// checked runs the experiment against a toy.
func checked(t *testing.T, c *toy, hold func(context.Context, *Object, uint64)) (*Report, string) {
	t.Helper()
	c.objects, c.purges = map[string]*toyObject{}, map[string]int{}
	edge := httptest.NewServer(c)
	defer edge.Close()
	l := lasting.Address() // which nobody gets before the origin listens there
	c.origin = "http://" + l
	var out strings.Builder
	report, err := Run(context.Background(), Config{
		Adapter: "varnish-purge", Edges: []string{edge.URL}, OriginListen: l, Objects: 44, Large: 256 << 10, Readers: 16, Writers: 2,
		Pause: 5 * time.Millisecond, Seed: 7, Answers: 6000, Progress: io.Discard, Out: &out, hold: hold,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report, out.String()
}

func TestRun_AToyThatKeepsThePromise(t *testing.T) {
	report, out := checked(t, &toy{}, nil)
	if !report.Kept() {
		t.Fatalf("%v\n%s", report.Violations, out)
	}
	if report.Judged < 6000 || report.Hits == 0 || report.Invalidations == 0 || report.NotModified == 0 {
		t.Errorf("%+v", report)
	}
}

func TestRun_ToysThatDoNot(t *testing.T) {
	for name, c := range map[string]struct {
		toy  *toy
		hold func(context.Context, *Object, uint64)
		want []Class
	}{
		"stores late":   {&toy{storesLate: true}, untilDemanded, []Class{Old, Late, Revived}},
		"answers late":  {&toy{answersLate: true}, untilDemanded, []Class{Late}},
		"deaf":          {&toy{deaf: true}, nil, []Class{Old, Late, Revived}},
		"cuts":          {&toy{cuts: true}, nil, []Class{Torn}},
		"mixes":         {&toy{mixes: true}, nil, []Class{Mixed}},
		"always agrees": {&toy{alwaysAgrees: true}, nil, []Class{Mixed, Late, Revived}},
	} {
		report, out := checked(t, c.toy, c.hold)
		found := false
		for _, class := range c.want {
			found = found || report.Violations[class.String()] > 0
		}
		if !found || !strings.Contains(out, "VIOLATION") {
			t.Errorf("%s: found %v\n%s", name, report.Violations, out)
		}
	}
}

func TestRun_SaysWhatIsMissing(t *testing.T) {
	good := Config{Adapter: "warmfront", Edges: []string{"http://127.0.0.1:1"}, Objects: turns, Readers: 1, Writers: 1, Pause: 1, OriginListen: "127.0.0.1:0"}
	for want, change := range map[string]func(*Config){
		"--edges":           func(c *Config) { c.Edges = nil },
		"is not like":       func(c *Config) { c.Edges = []string{"127.0.0.1:1"} },
		"--api":             func(*Config) {},
		"AWS_ACCESS_KEY_ID": func(c *Config) { c.API = "http://127.0.0.1:1/,http://127.0.0.1:2" },
		`"127.0.0.1:2" is`:  func(c *Config) { c.API = "http://127.0.0.1:1,127.0.0.1:2" },
		"--origin-listen":   func(c *Config) { c.OriginListen = "8200" },
		"--adapter":         func(c *Config) { c.Adapter = "squid" },
		"objects":           func(c *Config) { c.Objects = 1 },
	} {
		c := good
		change(&c)
		if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestBan_SaysTheSameInVarnishsLanguage(t *testing.T) {
	for item, want := range map[string]string{
		"/s1/small/n001.css":       `req.url ~ ^/s1/small/n001\.css$`,
		"/s1/variant/n001.css?v=1": `req.url ~ ^/s1/variant/n001\.css\?v=1$`,
		"/*/slow/n0*.css":          `req.url ~ ^/.*/slow/n0.*\.css$`,
		"#topic7":                  `obj.http.Cache-Tag ~ (^|,)topic7(,|$)`,
	} {
		if got := banOf(item); got != want {
			t.Errorf("%s: %s", item, got)
		}
	}
}
