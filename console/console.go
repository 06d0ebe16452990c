// Package console knows how the people's door is opened in a browser: it serves the web app, which is
// built in console/web and embedded, and signs people in and out. Everything else the app does as an
// AWS client, with the credentials that a session gives it; nothing is decided here.
//
//	/warmfront/v1/session   POST sign in, GET fresh credentials, DELETE sign out    session.go
//	/assets/…               names with a hash of what is in them: kept for ever     assets.go
//	/…                      everything else is a page of the app: index.html
//
// The session's cookie can be used for one thing only, to get credentials from that one path, and
// credentials sign each request: a page of somebody else's can neither read the answer nor send what is
// asked for (see session.go), so there is nothing to forge a request with.
package console

import (
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"github.com/warmfront/warmfront/auth"
)

//go:embed all:web/dist
var built embed.FS

// Config says what a Handler stands on. Sessions is required.
type Config struct {
	Sessions *auth.Sessions
	Assets   fs.FS        // the built app; default: the embedded one
	Logger   *slog.Logger // default: discard
}

// Handler serves the console. Make one with New; it may be called concurrently.
type Handler struct {
	sessions *auth.Sessions
	log      *slog.Logger
	assets   map[string]*asset // by path, "/assets/index-BxY1.js"
	index    *asset            // nil when the app was not built
}

// New reads the app.
func New(cfg Config) (*Handler, error) {
	if cfg.Sessions == nil {
		return nil, errors.New("console: Config.Sessions is missing")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Assets == nil {
		sub, err := fs.Sub(built, "web/dist")
		if err != nil {
			return nil, err
		}
		cfg.Assets = sub
	}
	assets, err := readAssets(cfg.Assets)
	if err != nil {
		return nil, err
	}
	return &Handler{sessions: cfg.Sessions, log: cfg.Logger, assets: assets, index: assets["/index.html"]}, nil
}

// securityHeaders hold for every answer. Scripts come from here alone; styles may be inline, since the
// components set them; nobody may frame us.
var securityHeaders = [][2]string{
	{"Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

// SessionPath is where people sign in.
const SessionPath = "/warmfront/v1/session"

// apis are paths that other doors answer; here they are mistakes, and a page would be a wrong success.
var apis = regexp.MustCompile(`^/(\d{4}-\d{2}-\d{2}|warmfront)(/|$)`)

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, s := range securityHeaders {
		w.Header().Set(s[0], s[1])
	}
	path := r.URL.Path
	switch {
	case path == SessionPath:
		h.session(w, r)
	case apis.MatchString(path):
		problem(w, http.StatusNotFound, "NotFound", "There is nothing at this path.")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The console is read with GET.")
	case h.assets[path] != nil && path != "/index.html":
		h.assets[path].serve(w, r)
	case strings.HasPrefix(path, hashed):
		// A page that was loaded before an update asks for what is gone. A page instead of a script
		// would be worse than nothing.
		http.Error(w, "There is no such file. Reload the page.", http.StatusNotFound)
	case h.index == nil:
		notBuilt(w)
	default:
		h.index.serve(w, r)
	}
}

func notBuilt(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Warmfront</title>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem">
<h1>The console is not in this binary</h1>
<p>It was built without its web app. Run <code>make build</code> and start it again.</p>
<p>The APIs are not affected: the AWS CLI, the SDKs and Terraform work.</p></body></html>
`))
}
