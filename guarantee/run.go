package guarantee

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says what is checked, and how much.
type Config struct {
	Adapter    string   // one of Adapters
	Edges      []string // base URLs
	Host       string   // to send to the edges; "": what the adapter says
	API        string
	OriginName string // by which the edges reach the origin; "": the host of OriginListen

	AccessKeyID, SecretAccessKey, SessionToken string

	OriginListen     string // host:port; port 0 takes a free one
	Objects          int
	Readers, Writers int
	Pause            time.Duration // of a writer between two invalidations, on average
	Seed             uint64
	Answers          int64         // end after so many with content; 0: no limit
	Duration         time.Duration // or after so long; 0: no limit
	KeepGoing        bool          // do not end at the first violation

	Progress io.Writer // what people are told meanwhile
	Out      io.Writer // violations as they are found
}

// run is one experiment.
type run struct {
	Config
	*history
	tallies
	cache     Cache
	origin    *origin
	host      string
	viewers   *http.Client
	reference string
	hot       atomic.Pointer[Object]
	end       context.CancelFunc
	out       sync.Mutex // of Out
}

// Run makes the experiment. An error means that it could not be made, or that it has shown nothing;
// whether the promise was kept stands in the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	r, err := newRun(c)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.OriginListen)
	if err != nil {
		return nil, fmt.Errorf("--origin-listen: %w", err)
	}
	server := &http.Server{Handler: r.origin, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() { server.Close(); <-served }()

	if r.host, err = r.cache.Open(ctx, l.Addr().String()); err != nil {
		return nil, errors.Join(err, r.closeCache())
	}
	if c.Host != "" {
		r.host = c.Host
	}
	err = r.experiment(ctx)
	r.viewers.CloseIdleConnections()
	report := r.report()
	if err = errors.Join(err, r.closeCache()); err == nil {
		err = report.telling()
	}
	return report, err
}

func newRun(c Config) (*run, error) {
	if len(c.Edges) == 0 {
		return nil, errors.New("--edges: at least one URL is needed")
	}
	for _, e := range c.Edges {
		if u, err := url.Parse(e); err != nil || u.Host == "" || u.Path != "" {
			return nil, fmt.Errorf("--edges: %q is not like http://host:port", e)
		}
	}
	if c.Objects < int(kinds) || c.Objects > 99999 || c.Readers < 1 || c.Writers < 1 || c.Pause <= 0 {
		return nil, fmt.Errorf("at least %d objects (at most 99999), one reader, one writer and a pause are needed", kinds)
	}
	r := &run{Config: c, history: &history{began: time.Now(), objects: newObjects(c.Objects)}}
	r.reference = fmt.Sprintf("check-guarantee-%d", r.began.UnixNano())
	r.origin = newOrigin(r.history, c.Seed)
	r.viewers = &http.Client{
		Transport: &http.Transport{DisableCompression: true, Proxy: nil, MaxIdleConnsPerHost: c.Readers},
		Timeout:   60 * time.Second,
	}
	var err error
	switch c.Adapter {
	case "warmfront":
		r.cache, err = newWarmfront(c)
	case "varnish-ban":
		r.cache = newVarnishBan(c.Edges)
	case "varnish-purge", "nginx-purge":
		r.cache = newPurge(c.Edges)
	default:
		err = fmt.Errorf("--adapter %q: use one of %v", c.Adapter, Adapters)
	}
	return r, err
}

// closeCache takes back what was made, also after the run was interrupted.
func (r *run) closeCache() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.cache.Close(ctx); err != nil {
		fmt.Fprintf(r.Progress, "the distribution of this run could not be removed: %v\n", err)
	}
	return nil
}

// experiment lets everybody loose until enough is known.
func (r *run) experiment(ctx context.Context) error {
	ctx, r.end = context.WithCancel(ctx)
	defer r.end()
	if r.Duration > 0 {
		stop := time.AfterFunc(r.Duration, r.end)
		defer stop.Stop()
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range r.Writers {
		w := &writer{run: r, number: i + 1, rnd: rand.New(rand.NewPCG(r.Seed, 1000+uint64(i)))}
		g.Go(func() error { return w.write(ctx) })
	}
	for i := range r.Readers {
		x := &reader{run: r, number: i + 1, rnd: rand.New(rand.NewPCG(r.Seed, 1000000+uint64(i)))}
		g.Go(func() error { x.read(ctx); r.stopIfDone(); return nil })
	}
	g.Go(func() error { r.progress(ctx); return nil })
	return g.Wait()
}

func (r *run) stopIfDone() {
	if !r.wanted() {
		r.end()
	}
}

// wanted tells whether more answers are. Those without content do not count: a cache that is down is
// not proved to keep anything.
func (r *run) wanted() bool { return r.Answers == 0 || r.judged.Load() < r.Answers }

// violated prints the first counterexample of each class, and ends the run unless it is to go on.
func (r *run) violated(v *Violation) {
	r.out.Lock()
	defer r.out.Unlock()
	r.violations[v.Class].Add(1)
	r.where[v.Object.Kind].Add(1)
	if r.violations[v.Class].Load() == 1 {
		r.found = append(r.found, v)
		v.Print(r.Out, r.Edges)
	}
	if !r.KeepGoing {
		r.end()
	}
}

func (r *run) progress(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintln(r.Progress, r.line(r.now()))
		case <-ctx.Done():
			return
		}
	}
}

func percentile(sorted []Instant, p int) Instant {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func sorted(d []Instant) []Instant {
	d = slices.Clone(d)
	slices.Sort(d)
	return d
}
