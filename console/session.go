package console

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/warmfront/warmfront/auth"
)

// CookieName is the session's cookie. It goes to SessionPath alone. Browsers do not tell ports apart
// for cookies: an edge on the same host name is sent it when a page asks an edge for that path, so an
// operator gives the console a name of its own.
const CookieName = "warmfront_session"

// Against forged requests, besides SameSite: what changes something needs a header that no form can
// send and no other origin's script without our leave, which nothing here gives (no CORS); and what a
// browser says about where the request comes from must be us.
const forgeryHeader = "X-Warmfront"

const maxBody = 4 << 10 // of a sign-in

type signIn struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type signedIn struct {
	User        string      `json:"user"`
	Role        auth.Role   `json:"role"`
	Credentials credentials `json:"credentials"`
}

type credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Expiration      string `json:"expiration"`
}

func (h *Handler) session(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if !sameOrigin(r) {
		problem(w, http.StatusForbidden, "AccessDenied", "The request comes from another site.")
		return
	}
	if r.Method != http.MethodGet && r.Header.Get(forgeryHeader) != "1" {
		problem(w, http.StatusForbidden, "AccessDenied", "The header "+forgeryHeader+": 1 is missing.")
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.signIn(w, r)
	case http.MethodGet:
		h.renew(w, r)
	case http.MethodDelete:
		h.signOut(w, r)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		problem(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "A session is made with POST, read with GET and ended with DELETE.")
	}
}

// sameOrigin looks at what browsers add and pages cannot. What is no browser sends neither.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	// The scheme is not compared: a proxy in front of us may have taken TLS off.
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == r.Host
}

func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	var in signIn
	if err := readJSON(w, r, &in); err != nil {
		problem(w, http.StatusBadRequest, "InvalidArgument", err.Error())
		return
	}
	address := clientAddress(r)
	id, session, err := h.sessions.SignIn(r.Context(), in.User, in.Password, address)
	var slow *auth.TooManyTries
	switch {
	case errors.As(err, &slow):
		h.log.Warn("too many tries to sign in", "user", in.User, "from", address)
		w.Header().Set("Retry-After", strconv.Itoa(int((slow.After+time.Second-1)/time.Second)))
		problem(w, http.StatusTooManyRequests, "Throttling", "Too many tries to sign in. Try again in a moment.")
		return
	case errors.Is(err, auth.ErrWrongCredentials):
		h.log.Warn("sign-in refused", "user", in.User, "from", address)
		problem(w, http.StatusUnauthorized, "WrongCredentials", "The user name or the password is wrong.")
		return
	case err != nil: // the browser has gone, or the journal does not answer
		h.unsure(w, err)
		return
	}
	h.log.Info("signed in", "user", session.User, "role", session.Role, "from", address)
	http.SetCookie(w, cookie(r, id, int(auth.SessionLife/time.Second)))
	h.answer(w, r, id)
}

func (h *Handler) renew(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie(CookieName)
	if err != nil {
		problem(w, http.StatusUnauthorized, "Unauthenticated", "Nobody is signed in.")
		return
	}
	h.answer(w, r, c.Value)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, id string) {
	session, c, err := h.sessions.Renew(r.Context(), id)
	if err != nil && !errors.Is(err, auth.ErrNoSession) {
		h.unsure(w, err)
		return
	}
	if err != nil {
		problem(w, http.StatusUnauthorized, "Unauthenticated", "The session is over. Sign in again.")
		return
	}
	writeJSON(w, http.StatusOK, signedIn{User: session.User, Role: session.Role, Credentials: credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Expiration: c.Expiration.UTC().Format("2006-01-02T15:04:05.000Z"),
	}})
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, cookie(r, "", -1)) // in any case: who signs out leaves the browser to others
	if c, err := r.Cookie(CookieName); err == nil {
		if err := h.sessions.SignOut(r.Context(), c.Value); err != nil {
			h.unsure(w, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// unsure answers when it cannot be found out who is signed in, or be written down that somebody is not any more.
func (h *Handler) unsure(w http.ResponseWriter, err error) {
	h.log.Warn("a request about a session could not be served", "err", err)
	w.Header().Set("Retry-After", "1")
	problem(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The journal does not answer at the moment. Try again.")
}

func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: SessionPath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// What a proxy says about TLS can only make the cookie stricter.
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	}
}

func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("the body must be application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return errors.New("the body is not what a sign-in looks like: {\"user\":…,\"password\":…}")
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is text after the body's end")
	}
	return nil
}

func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func problem(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: an answer that JSON cannot hold: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the browser may be gone
}
