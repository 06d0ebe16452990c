package guarantee

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Cache is what is checked: some system of caches in front of the origin of the run.
type Cache interface {
	// Open makes the cache ready for an origin at address, host:port, and returns the Host that readers
	// must send, "" for that of the edge's URL.
	Open(ctx context.Context, address string) (host string, err error)

	// Invalidate returns when the system says that it is done, and for whom. It tries again through short failures
	// of the network, for as long as ctx allows; an error means that it is not known what happened.
	Invalidate(ctx context.Context, b Batch) (Outcome, error)

	// Close takes back what Open made.
	Close(ctx context.Context) error
}

// Batch is one invalidation.
type Batch struct {
	Reference string    // unique
	Items     []string  // in Warmfront's language
	Objects   []*Object // what they match, for caches that only know single objects

	// Ahead is how long from now the invalidation shall come into force, where the cache can be told so. Others do
	// it at once.
	Ahead time.Duration
	Soft  bool   // mark stale instead of removing; only of a cache that can
	Where *Where // what narrows the items; nil, but of a cache that can
	Turns *Turns // nil: everywhere at once; the same
	Pace  int    // requests to the origin a second, of each edge; 0: not bounded; the same

	Refetch bool // with a pace: edges fetch again by themselves what was wanted most
}

// Outcome is for which edges an invalidation holds, by the names with which they sign (Via). The zero value: for all.
type Outcome struct {
	Unbound []string // for these not, as the system says itself
	Only    []string // for these alone, and nothing is Completed: the rest was withdrawn, when nobody had it but them; nil: it was not

	// Still returns those of Unbound for whom it does not hold yet; nil when there are none to begin with.
	Still func(context.Context) ([]string, error)
}

// Turns has an invalidation come location by location.
type Turns struct {
	Order uint64        // which place comes when: the same number, the same order
	Pause time.Duration // from one turn's end to the next

	Withdraw time.Duration // so long after it was created the turns that are still to come are withdrawn; 0: they are not
}

// Adapters names the systems that can be checked.
var Adapters = []string{"warmfront", "varnish-ban", "varnish-purge", "nginx-purge"}

// patience is how long an attempt goes on through a failing network.
const patience = 60 * time.Second

// persist calls try until it is done, fails for good, or there is no patience left.
func persist(ctx context.Context, try func(context.Context) (done bool, err error)) error {
	return persistFor(ctx, patience, try)
}

// persistFor is persist with a patience of its own.
func persistFor(ctx context.Context, patience time.Duration, try func(context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for wait := 2 * time.Millisecond; ; wait = min(wait*5/4, 50*time.Millisecond) {
		done, err := try(ctx)
		if done {
			return err
		}
		if err != nil {
			last = err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if last == nil {
				last = ctx.Err()
			}
			return fmt.Errorf("given up: %w", last)
		}
	}
}

// edgewise is a cache whose edges are told one by one, by a request each: done is when all have said so.
type edgewise struct {
	edges    []string
	client   *http.Client
	requests func(edge string, b Batch) []*http.Request
	settled  func(status int) bool
}

func (e *edgewise) Open(context.Context, string) (string, error) { return "", nil }
func (e *edgewise) Close(context.Context) error                  { return nil }

func (e *edgewise) Invalidate(ctx context.Context, b Batch) (Outcome, error) {
	for _, edge := range e.edges {
		for _, r := range e.requests(edge, b) {
			if err := e.tell(ctx, r); err != nil {
				return Outcome{}, err
			}
		}
	}
	return Outcome{}, nil
}

func (e *edgewise) tell(ctx context.Context, r *http.Request) error {
	return persist(ctx, func(ctx context.Context) (bool, error) {
		resp, err := e.client.Do(r.WithContext(ctx))
		if err != nil {
			return false, err
		}
		resp.Body.Close()
		if !e.settled(resp.StatusCode) {
			return true, fmt.Errorf("%s %s: %s", r.Method, r.URL, resp.Status)
		}
		return true, nil
	})
}

// newVarnishBan sends bans by HTTP; docs/examples/guarantee/ban.vcl understands them.
func newVarnishBan(edges []string) *edgewise {
	return &edgewise{
		edges: edges, client: &http.Client{},
		settled: func(status int) bool { return status == 200 },
		requests: func(edge string, b Batch) (out []*http.Request) {
			for _, it := range b.Items {
				r, _ := http.NewRequest("BAN", edge, nil)
				r.Header.Set("X-Ban", banOf(it))
				out = append(out, r)
			}
			return out
		},
	}
}

// banOf translates an item into Varnish's language.
func banOf(item string) string {
	if tag, ok := strings.CutPrefix(item, "#"); ok {
		return `obj.http.Cache-Tag ~ (^|,)` + tag + `(,|$)`
	}
	re := strings.NewReplacer(".", `\.`, "?", `\?`, "*", ".*", "[", `\[`, "]", `\]`).Replace(unspelled(item))
	return "req.url ~ ^" + re + "$"
}

// newPurge sends PURGE for each URL: Varnish's return(purge), and ngx_cache_purge.
func newPurge(edges []string) *edgewise {
	return &edgewise{
		edges: edges, client: &http.Client{},
		// nginx says 404 or 412 when there was nothing to remove, depending on its version.
		settled: func(status int) bool { return slices.Contains([]int{200, 404, 412}, status) },
		requests: func(edge string, b Batch) (out []*http.Request) {
			for _, o := range b.Objects {
				r, _ := http.NewRequest("PURGE", edge+o.Target(), nil)
				out = append(out, r)
			}
			return out
		},
	}
}
