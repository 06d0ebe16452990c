package guarantee

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sync/errgroup"
)

// Config says what is checked, and how much.
type Config struct {
	Adapter    string   // one of Adapters
	Edges      []string // base URLs
	Host       string   // to send to the edges, as name of the TLS handshake too; "": what the adapter says
	CA         string   // file of authorities that edges' certificates may be of, beside the system's; ""
	HTTP3      bool     // ask https edges by HTTP/3 as well as by HTTP/2
	API        string
	OriginName string // by which the edges reach the origin; "": the host of OriginListen

	AccessKeyID, SecretAccessKey, SessionToken string

	Tags map[string]string // of the distribution that is made for the run

	OriginListen     string // host:port; port 0 takes a free one
	Objects          int
	Large            int64 // octets of the large ones among them; 0: there are none
	Readers, Writers int
	Pause            time.Duration // of a writer between two invalidations, on average
	Seed             uint64
	Answers          int64         // end after so many with content and
	Invalidations    int64         // so many Completed, both; without either: no limit
	Duration         time.Duration // or after so long; 0: no limit
	KeepGoing        bool          // do not end at the first violation
	Restored         bool          // the journal may be put back to an earlier copy: what it has forgotten is created again, and counted

	Progress io.Writer // what people are told meanwhile
	Out      io.Writer // violations as they are found

	hold func(ctx context.Context, o *Object, version uint64) // what the origin waits for between a request and its answer; nil: chance says
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
	third     *http.Client  // over HTTP/3; nil: nobody does
	downloads chan struct{} // capacity: how many large objects may be asked for at once, as a whole
	own       bool          // the cache is Warmfront: it promises something about POST, and can mark stale
	reference string
	hot       atomic.Pointer[Object]
	rest      atomic.Pointer[rest]
	bindings  bindings
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
	leave, err := r.connect()
	if err != nil {
		return nil, errors.Join(err, r.closeCache())
	}
	err = r.experiment(ctx)
	leave()
	report := r.report()
	if err = errors.Join(err, r.closeCache()); err == nil {
		err = report.telling()
	}
	return report, err
}

// Check says what is wrong with a wish for an experiment, before anybody is asked anything.
func (c *Config) Check() error {
	if len(c.Edges) == 0 {
		return errors.New("--edges: at least one URL is needed")
	}
	for _, e := range c.Edges {
		if !isBase(e) {
			return fmt.Errorf("--edges: %q is not like http://host:port", e)
		}
	}
	if !slices.Contains(Adapters, c.Adapter) {
		return fmt.Errorf("--adapter %q: use one of %v", c.Adapter, Adapters)
	}
	if c.Objects < turns || c.Objects > 99000 || c.Readers < 1 || c.Writers < 1 || c.Pause <= 0 {
		return fmt.Errorf("at least %d objects (at most 99000), one reader, one writer and a pause are needed", turns)
	}
	if c.Large != 0 && (c.Large < 64<<10 || c.Large > 60<<20) {
		return fmt.Errorf("large objects have 64 KiB to 60 MiB, not %d octets; 0: there are none", c.Large)
	}
	if _, _, err := net.SplitHostPort(c.OriginListen); err != nil {
		return fmt.Errorf("--origin-listen: %w", err)
	}
	if c.Adapter == "warmfront" {
		return c.checkAPI()
	}
	return nil
}

// isBase tells whether requests can be sent to a URL with a path after it.
func isBase(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.Path == "" && u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}

func newRun(c Config) (*run, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	r := &run{Config: c, history: &history{began: time.Now(), objects: newObjects(c.Objects, c.Large)}}
	r.absences = make([]atomic.Int64, len(c.Edges))
	r.downloads = make(chan struct{}, 2)
	r.reference = fmt.Sprintf("check-guarantee-%d", r.began.UnixNano())
	r.origin = newOrigin(r.history, c.Seed)
	r.origin.hold = c.hold
	switch c.Adapter {
	case "warmfront":
		r.own, r.cache = true, newWarmfront(c)
	case "varnish-ban":
		r.cache = newVarnishBan(c.Edges)
	default:
		r.cache = newPurge(c.Edges)
	}
	return r, nil
}

// connect makes the viewers' clients. leave closes their connections.
func (r *run) connect() (leave func(), err error) {
	t := &tls.Config{ServerName: r.host}
	if name, _, err := net.SplitHostPort(r.host); err == nil {
		t.ServerName = name
	}
	if r.CA != "" {
		b, err := os.ReadFile(r.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		if t.RootCAs, err = x509.SystemCertPool(); err != nil {
			t.RootCAs = x509.NewCertPool()
		}
		if !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--ca: there is no certificate in %s", r.CA)
		}
	}
	const most = 60 * time.Second
	both := &http.Transport{DisableCompression: true, Proxy: nil, MaxIdleConnsPerHost: r.Readers, TLSClientConfig: t, ForceAttemptHTTP2: true, DialContext: r.dial}
	r.viewers = &http.Client{Transport: both, Timeout: most}
	if !r.HTTP3 {
		return both.CloseIdleConnections, nil
	}
	// An edge that was killed says nothing by UDP: it is given up soon.
	patient := &quic.Config{HandshakeIdleTimeout: 2 * time.Second, MaxIdleTimeout: 3 * time.Second, KeepAlivePeriod: time.Second}
	third := &http3.Transport{DisableCompression: true, TLSClientConfig: t, QUICConfig: patient}
	r.third = &http.Client{Transport: third, Timeout: most}
	return func() { both.CloseIdleConnections(); third.Close() }, nil
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
	g.Go(func() error { r.bindAll(ctx); return nil })
	return g.Wait()
}

func (r *run) stopIfDone() {
	if !r.wanted() {
		r.end()
	}
}

// wanted tells whether more answers are, or invalidations. Answers without content do not count: a cache that is down is
// not proved to keep anything.
func (r *run) wanted() bool {
	return r.Answers == 0 && r.Invalidations == 0 || r.judged.Load() < r.Answers || r.done.Load() < r.Invalidations
}

// absent is when an edge was last known to be absent.
func (r *run) absent() (at Instant) {
	for i := range r.absences {
		at = max(at, Instant(r.absences[i].Load()))
	}
	return at
}

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
