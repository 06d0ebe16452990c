package demosite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tagHeader carries an object's tags, for invalidating by tag. CloudFront's console proposes this name.
const tagHeader = "X-Amz-Meta-Cache-Tag"

// ServeHTTP serves the site.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "isobar")
	if !fromLoopback(r) {
		http.Error(w, "the demonstration site is for this machine only", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case "/_change":
		s.serveChange(w, r)
		return
	case "/_state":
		s.serveState(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/api/time" {
		serveTime(w, s.cfg.Now())
		return
	}
	e := s.current.Load()
	res, ok := e.resources[r.URL.Path]
	if !ok {
		e.notFound.write(w, e)
		w.WriteHeader(http.StatusNotFound)
		w.Write(e.notFound.body)
		return
	}
	res.write(w, e)
	http.ServeContent(w, r, "", e.changed, bytes.NewReader(res.body))
}

// write sets the fields of a resource.
func (r *resource) write(w http.ResponseWriter, e *edition) {
	h := w.Header()
	h.Set("Content-Type", r.contentType)
	h.Set("Cache-Control", r.cacheControl)
	h.Set("ETag", r.etag)
	h.Set("X-Isobar-Edition", strconv.Itoa(e.number))
	h.Set("X-Content-Type-Options", "nosniff")
	if r.tags != "" {
		h.Set(tagHeader, r.tags)
	}
}

func serveTime(w http.ResponseWriter, now time.Time) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "{\"time\":%q}\n", now.UTC().Format(time.RFC3339Nano))
}

func (s *Site) serveState(w http.ResponseWriter, r *http.Request) {
	if !allowOrigin(w, r) {
		return
	}
	writeState(w, s.State())
}

func (s *Site) serveChange(w http.ResponseWriter, r *http.Request) {
	if !allowOrigin(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	// Without this a name that an attacker lets resolve to 127.0.0.1 would make its page same-origin.
	if !localName(r.Host) {
		http.Error(w, "ask by a loopback name", http.StatusForbidden)
		return
	}
	st, err := s.Change()
	if err != nil {
		s.cfg.Logger.Error("demonstration site cannot change", "err", err)
		http.Error(w, "the next edition could not be saved", http.StatusInternalServerError)
		return
	}
	writeState(w, st)
}

func writeState(w http.ResponseWriter, st State) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(st)
}

// allowOrigin answers CORS for pages that this machine serves, and refuses all others. A request
// without Origin comes from a command line, not from a page.
func allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	o := r.Header.Get("Origin")
	if o == "" {
		return true
	}
	if u, err := url.Parse(o); err != nil || u.Scheme != "http" && u.Scheme != "https" || !localName(u.Host) {
		http.Error(w, "not for pages from elsewhere", http.StatusForbidden)
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", o)
	return true
}

// localName tells whether host[:port] can only mean this machine. Names below .localhost are loopback
// by RFC 6761; no DNS can send them elsewhere.
func localName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func fromLoopback(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

func loopbackOnly(addr string) error {
	if !localName(addr) {
		return fmt.Errorf("demosite: %s is not a loopback address", addr)
	}
	return nil
}
