// Package cloudfront knows how Amazon CloudFront's API is spoken: REST-XML over HTTP, signed with
// Signature Version 4. It is a door: it decodes, asks package control, and encodes. What is allowed and
// what happens is decided there.
//
// The life of a call:
//
//	route        method, path and fixed query name the operation (wire.Operations)
//	admit        signature, then body (auth.Gate)        403 and a document that says why
//	may          the role of the key's user              403 AccessDenied
//	built?       operations that are not built yet       501 NotImplemented, never a wrong success
//	decode       strictly (wire.Unmarshal)               400 MalformedXML, MalformedInput
//	control      the command or query                    its errors, by code
//	encode       head and body in one write
//
// A stranger gets 403 for everything, also for paths that do not exist. The version in the path may be
// any that CloudFront ever had; all are answered as 2020-05-31.
package cloudfront

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
)

// Config says what a Handler stands on. Control and Lookup are required.
type Config struct {
	Control *control.Control
	Lookup  func(accessKeyID, sessionToken string) (auth.AccessKey, error) // auth.Keys.Lookup, or a chain
	Known   auth.Lookup                                                    // Lookup that waits for nothing (control.Provided); default Lookup

	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: discard
	MaxBody int64            // of a request, default 1 MiB
	Timeout time.Duration    // of a command that waits for the journal, default 30 s
	Rate    *auth.Rate       // of calls per key, shared by the doors; nil: no bound
	Observe func(Call)       // is told of each call, for metrics; may be nil
}

// Call is what is known of a call when it has been answered.
type Call struct {
	RequestID string
	Operation string // "" when the path names none
	User      string // "" when not admitted
	AccessKey string
	Status    int
	Code      string // of the error, "" for success
	Took      time.Duration
}

// Handler answers the API. Make one with New; it may be called concurrently.
type Handler struct {
	cfg    Config
	gate   *auth.Gate
	routes router
}

// New checks cfg.
func New(cfg Config) (*Handler, error) {
	switch {
	case cfg.Control == nil:
		return nil, errors.New("cloudfront: Config.Control is missing")
	case cfg.Lookup == nil:
		return nil, errors.New("cloudfront: Config.Lookup is missing")
	case cfg.MaxBody > wire.MaxDocument:
		return nil, fmt.Errorf("cloudfront: a body of %d bytes is more than the %d that a document may have", cfg.MaxBody, wire.MaxDocument)
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
	return &Handler{
		cfg:    cfg,
		gate:   &auth.Gate{Lookup: cfg.Lookup, Services: []string{"cloudfront"}, MaxBody: cfg.MaxBody, Now: cfg.Now},
		routes: newRouter(wire.Operations),
	}, nil
}

// ServeHTTP answers one call.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.cfg.Now()
	done := Call{RequestID: newRequestID()}
	a := h.contained(w, r, &done)
	a.write(w, done.RequestID)

	done.Status, done.Took = a.status, h.cfg.Now().Sub(began)
	h.cfg.Logger.Info("api call", "operation", done.Operation, "status", done.Status, "code", done.Code,
		"user", done.User, "key", done.AccessKey, "from", r.RemoteAddr, "took", done.Took, "request", done.RequestID)
	if h.cfg.Observe != nil {
		h.cfg.Observe(done)
	}
}

// contained turns every failure into an answer, a panic too: one call's bug must not take the process
// and everybody else's calls with it.
func (h *Handler) contained(w http.ResponseWriter, r *http.Request, done *Call) (a *answer) {
	defer func() {
		if p := recover(); p != nil {
			h.cfg.Logger.Error("a call panicked", "operation", done.Operation, "panic", p, "stack", string(debug.Stack()), "request", done.RequestID)
			done.Code = internalFailure.Code
			a = document(internalFailure, done.RequestID)
		}
	}()
	a, err := h.call(w, r, done)
	if err == nil {
		return a
	}
	problem := h.problem(err, done)
	done.Code = problem.Code
	return document(problem, done.RequestID)
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request, done *Call) (*answer, error) {
	// The route comes first, so that what is refused is logged under its name; what is wrong with it
	// is told to those who were admitted only.
	op, labels, unrouted := h.routes.find(r)
	if op != nil {
		done.Operation = op.Name
	}
	key, body, err := h.gate.Admit(w, r)
	if err != nil {
		return nil, err
	}
	done.User, done.AccessKey = key.User, key.ID
	if err := h.cfg.Rate.Take(key.ID); err != nil {
		return nil, err
	}
	if unrouted != nil {
		return nil, unrouted
	}
	if !key.Role.May(op.Name) {
		return nil, refuse("AccessDenied", "User: %s is not authorized to perform: cloudfront:%s because the role %s does not allow it", key.User, op.Name, key.Role)
	}
	do, built := operations[op.Name]
	if !built {
		return nil, refuse("NotImplemented", "The operation %s is not implemented yet.", op.Name)
	}
	select {
	case <-h.cfg.Control.Ready():
	default:
		return nil, refuse("ServiceUnavailable", "The control plane is reading its journal. Try again in a moment.")
	}
	c := &call{Request: r, op: op, labels: labels, body: body, control: h.cfg.Control,
		by: journal.Actor{User: key.User, AccessKey: key.ID, Address: address(r)}}
	if err := c.parseQuery(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(control.Provided(r.Context(), func() bool { return auth.Still(h.cfg.Known, r, key) }), h.cfg.Timeout)
	defer cancel()
	if op.Method == http.MethodGet { // what changes something is decided on the whole journal anyway
		if err := h.cfg.Control.Sure(ctx); err != nil {
			return nil, err
		}
	}
	res, err := do(ctx, c)
	if err != nil {
		return nil, err
	}
	return c.encode(res)
}

// address is the client's IP address without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// newRequestID returns a random UUID, as CloudFront's are.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
