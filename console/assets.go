package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// hashed is where the build puts files whose names change with what is in them.
const hashed = "/assets/"

// asset is one file of the app, ready to be sent.
type asset struct {
	body    []byte
	kind    string // Content-Type
	etag    string // without quotes
	caching string // Cache-Control

	// packed is the body in gzip, nil when that is no smaller. It is made at the first use: a start
	// must not wait for files that nobody asks for.
	packed func() []byte
}

// kinds are the types of what a build makes. The system's table differs from machine to machine, and
// with nosniff a wrong type is a page that does not work.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon",
	".js": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json", ".webp": "image/webp", ".woff2": "font/woff2",
}

// readAssets reads every file; those whose name begins with a dot are not for serving.
func readAssets(files fs.FS) (map[string]*asset, error) {
	all := map[string]*asset{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == "." {
			return nil
		}
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		all["/"+name] = newAsset("/"+name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return all, nil
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	a := &asset{body: body, kind: kinds[path.Ext(name)], etag: hex.EncodeToString(sum[:12]), caching: "no-cache"}
	if a.kind == "" {
		a.kind = mime.TypeByExtension(path.Ext(name))
	}
	if a.kind == "" {
		a.kind = "application/octet-stream"
	}
	if strings.HasPrefix(name, hashed) {
		a.caching = "public, max-age=31536000, immutable"
	}
	a.packed = sync.OnceValue(func() []byte { return a.pack() })
	return a
}

func (a *asset) pack() []byte {
	switch {
	case len(a.body) < 512, strings.HasPrefix(a.kind, "font/"), strings.HasPrefix(a.kind, "image/") && a.kind != "image/svg+xml":
		return nil
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	_, _ = z.Write(a.body) // into memory: it does not fail
	if z.Close() != nil || b.Len() >= len(a.body) {
		return nil
	}
	return b.Bytes()
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, etag := a.body, `"`+a.etag+`"`
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		if packed := a.packed(); packed != nil {
			body, etag = packed, `"`+a.etag+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Etag", etag)
	h.Set("Cache-Control", a.caching)
	for _, t := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == etag || t == "*" {
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser may be gone
	}
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as it matters: gzip named, or *, and
// not with a weight of nothing.
func takesGzip(accepted []string) bool {
	for item := range strings.SplitSeq(strings.Join(accepted, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "gzip" && name != "x-gzip" && name != "*" {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && weight > 0
	}
	return false
}
