// Package ownapi knows Warmfront's own API, under /warmfront/v1: JSON for what CloudFront's API has no
// words for. Who did it and where it stands (invalidations, receipts, audit, events), what would happen
// (preview, explain, verify), how the edges are (nodes, metrics, popular objects), and who may (access
// keys, users). It is a door: it asks control, auth and the edges of this process, and puts what they
// say into words; openapi.json is the contract.
//
// The life of a call is that of the CloudFront API: signed with the same keys, judged by the role of the
// key's user, answered in one piece; only events are a stream. One table, routes.go, lists everything
// that can be asked, with the least role that may. A stranger gets 401 for everything, also for paths
// that do not exist.
//
// # Limits (L9)
//
// Event streams: maxStreams, beyond it 429. Previews and scans of caches at once: maxScans, verifications
// at once: maxVerifies, backups: one, compactions: one, beyond them 429. Calls per key: Config.Rate, beyond it 429. The history of metrics: Meter. Bodies: auth.DefaultMaxBody.
package ownapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// Edge is what is asked of an edge: one of this process (Local), or one on another machine, of which each answer may fail to come.
type Edge interface {
	Stats() edge.Stats
	Ready() error
	// Receipts returns a receipt for each; nil for one that the edge does not know, or not any more.
	Receipts(ctx context.Context, of []ReceiptOf) ([]*edge.Receipt, error)
	Preview(ctx context.Context, distribution string, of *edge.Selection) (*edge.Preview, error)
	Explain(ctx context.Context, q edge.Question) (*edge.Explanation, error)
	Popular(ctx context.Context, distribution string, most int) (*edge.Popular, error)
}

// ReceiptOf names an invalidation.
type ReceiptOf struct{ Distribution, Invalidation string }

// Place is an edge with its addresses. URL and HTTPS are where this process reaches it, as in
// "http://127.0.0.1:8081" and "https://127.0.0.1:8441"; HTTPS is "" when the edge speaks plain HTTP only.
type Place struct {
	Name, Location, URL, HTTPS string
	Version                    string
	Edge                       Edge
	Origins                    Origins
	Traffic                    func() (hits, misses uint64) // since the edge started; nil: not known

	// Verify has the edge ask itself; nil: it is asked from here, at URL or HTTPS.
	Verify func(context.Context, *Verification) (*Verified, error)
}

// ControlNode is a machine with the control plane.
type ControlNode struct {
	Name, Version string // Version is "" of another than this one
	Position      uint64 // of the journal, as far as it has read; 0 of another
	Err           error  // why it cannot do its work, or is not reached; nil: it can
	Leads         bool   // of several

	Journal *JournalExtent // nil: not known
}

// Origins knows which origins do not answer: an *origin.Client.
type Origins interface{ Down() []origin.Outage }

// Demo is the demonstration site of `warmfront dev`.
type Demo struct {
	URL            string `json:"url"`
	DistributionID string `json:"distributionId"`
}

// Config says what a Handler stands on. Control, Lookup and Access are required.
type Config struct {
	Control *control.Control
	Lookup  auth.Lookup                            // auth.Chain(keys.Lookup, sessions.Lookup)
	Known   auth.Lookup                            // Lookup that waits for nothing (control.Provided); default Lookup
	Access  *auth.Access                           // the one that Control fills
	Places  []Place                                // the edges of this process; may be empty
	Fleet   *Fleet                                 // those of other machines; nil: this process takes none
	Nodes   func() []ControlNode                   // those of the control plane; nil: not known
	Backup  func(context.Context, io.Writer) error // writes the control plane's data; nil: there is none
	// Compact compacts the journal; nil: there is none. All entries younger than keep stay as they are, and what is old goes however little it is; nil: as when
	// the journal has grown. ErrNotCompacted
	Compact func(ctx context.Context, keep *time.Duration) (*Compacted, error)
	Proxied bool   // connections to Places begin with a header of the PROXY protocol
	Meter   *Meter // the one that the edges report to; default: one that hears nothing

	Version   string
	Suffix    string // of distributions' domain names
	AccountID string // default "000000000000"
	Demo      *Demo  // nil: none

	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: discard
	Timeout time.Duration    // of a call, default 30 s
	Rate    *auth.Rate       // of calls per key, shared by the doors; nil: no bound
	Observe func(Call)       // is told of each call, for metrics; may be nil
}

// Call is what is known of a call when it has been answered.
type Call struct {
	Operation string // "" when the path names none
	User      string // "" when not admitted
	AccessKey string
	Status    int
	Code      string // of the error, "" for success
	Took      time.Duration
}

const (
	maxStreams  = 64
	maxScans    = 2
	maxVerifies = 4
)

// Handler answers the API. Make one with New; it may be called concurrently.
type Handler struct {
	cfg  Config
	gate *auth.Gate
	mux  *http.ServeMux

	streams, scans, verifies, backups, compactions semaphore
	surveys                                        semaphore // edges on other machines that are asked
	ratios                                         ratios

	closing chan struct{} // closed when Run ends: streams end with it
	close   func()
}

// New checks cfg; it does no I/O and starts nothing.
func New(cfg Config) (*Handler, error) {
	if cfg.Control == nil || cfg.Lookup == nil || cfg.Access == nil {
		return nil, errors.New("ownapi: Config.Control, Lookup and Access are required")
	}
	if cfg.Known == nil {
		cfg.Known = cfg.Lookup
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.AccountID == "" {
		cfg.AccountID = "000000000000"
	}
	if cfg.Meter == nil {
		cfg.Meter = NewMeter(cfg.Now)
	}
	h := &Handler{
		cfg:         cfg,
		gate:        &auth.Gate{Lookup: cfg.Lookup, Services: []string{"cloudfront"}, Now: cfg.Now},
		mux:         http.NewServeMux(),
		streams:     make(semaphore, maxStreams),
		scans:       make(semaphore, maxScans),
		verifies:    make(semaphore, maxVerifies),
		backups:     make(semaphore, 1),
		compactions: make(semaphore, 1),
		surveys:     make(semaphore, surveyMost),
		closing:     make(chan struct{}),
	}
	h.close = sync.OnceFunc(func() { close(h.closing) })
	for i := range routes {
		rt := &routes[i]
		h.mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, rt) })
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, nil) })
	return h, nil
}

// Run collects metrics until ctx ends, and then ends the event streams, which would hold up the
// server's shutdown.
func (h *Handler) Run(ctx context.Context) error {
	defer h.close()
	h.ratios.note(h.places())
	h.cfg.Meter.run(ctx, func() { h.ratios.note(h.places()) })
	return nil
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, rt *route) {
	began := h.cfg.Now()
	var done Call
	if rt != nil {
		done.Operation = rt.name
	}
	a := h.contained(w, r, rt, &done)
	if a != nil {
		a.write(w)
		done.Status = a.status
	}
	done.Took = h.cfg.Now().Sub(began)
	h.cfg.Logger.Info("own api call", "operation", done.Operation, "status", done.Status, "code", done.Code,
		"user", done.User, "key", done.AccessKey, "from", r.RemoteAddr, "took", done.Took)
	if h.cfg.Observe != nil {
		h.cfg.Observe(done)
	}
}

// contained turns every failure into an answer, a panic too. nil: the answer was a stream.
func (h *Handler) contained(w http.ResponseWriter, r *http.Request, rt *route, done *Call) (a *answer) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.cfg.Logger.Error("a call panicked", "operation", done.Operation, "panic", p, "stack", string(debug.Stack()))
			done.Code = internalFailure.Code
			a = internalFailure.answer()
		}
	}()
	a, err := h.call(w, r, rt, done)
	if err == nil {
		return a
	}
	p := h.problem(err, done)
	done.Code = p.Code
	return p.answer()
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request, rt *route, done *Call) (*answer, error) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	key, body, err := h.gate.Admit(w, r)
	if err != nil {
		return nil, err
	}
	done.User, done.AccessKey = key.User, key.ID
	if err := h.cfg.Rate.Take(key.ID); err != nil {
		return nil, err
	}
	if rt == nil || r.Method != rt.method {
		return nil, h.unrouted(r)
	}
	if !key.Role.AtLeast(rt.least) {
		return nil, refuse(http.StatusForbidden, "AccessDenied", "%s may not do this: %s needs the role %s, and this is %s.", key.User, rt.name, rt.least, key.Role)
	}
	select {
	case <-h.cfg.Control.Ready():
	default:
		return nil, unavailable("The control plane is reading its journal. Try again in a moment.")
	}
	c := &call{Request: r, h: h, key: key, body: body, by: journal.Actor{User: key.User, AccessKey: key.ID, Address: address(r)}}
	if rt.stream != nil {
		done.Status = http.StatusOK
		return nil, rt.stream(c, w)
	}
	ctx, cancel := context.WithTimeout(control.Provided(r.Context(), func() bool { return auth.Still(h.cfg.Known, r, key) }), h.cfg.Timeout)
	defer cancel()
	if rt.sure() {
		if err := h.cfg.Control.Sure(ctx); err != nil {
			return nil, err
		}
	}
	v, err := rt.do(ctx, c)
	if err != nil {
		return nil, err
	}
	return encode(rt.status(), v), nil
}

// place returns the place of an edge, nil when it cannot be asked.
func (h *Handler) place(name string) *Place {
	for _, p := range h.places() {
		if p.Name == name {
			return &p
		}
	}
	return nil
}

// address is the client's IP address without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// semaphore bounds how many do something at once.
type semaphore chan struct{}

func (s semaphore) enter() error {
	select {
	case s <- struct{}{}:
		return nil
	default:
		return &Problem{Code: "Throttling", Message: "Too many requests of this kind at once. Try again in a moment.", status: http.StatusTooManyRequests, retryAfter: 1}
	}
}

func (s semaphore) leave() { <-s }
