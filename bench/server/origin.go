package server

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Sizes are the objects: /o/SIZE and /d/SIZE/N have SIZE octets. The keys /k/N have KeySize.
var Sizes = []int{1 << 10, 16 << 10, 100 << 10, 1 << 20}

const KeySize = 1 << 10

// Origin serves the objects, fresh for a day, and counts its requests.
type Origin struct {
	listener net.Listener
	server   *http.Server
	bodies   map[int][]byte
	requests atomic.Int64
	done     chan struct{}
}

// StartOrigin listens on a free port.
func StartOrigin() (*Origin, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &Origin{listener: l, bodies: map[int][]byte{}, done: make(chan struct{})}
	for _, size := range append(Sizes, KeySize) {
		o.bodies[size] = bytes.Repeat([]byte("w"), size)
	}
	o.server = &http.Server{Handler: o}
	go func() {
		o.server.Serve(l)
		close(o.done)
	}()
	return o, nil
}

func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	if r.URL.Path == Endless {
		endless(w, r)
		return
	}
	size := KeySize
	if s, isSized := strings.CutPrefix(r.URL.Path, "/o/"); isSized {
		size, _ = strconv.Atoi(s)
	} else if s, isKey := strings.CutPrefix(r.URL.Path, "/d/"); isKey {
		s, _, _ = strings.Cut(s, "/")
		size, _ = strconv.Atoi(s)
	} else if !strings.HasPrefix(r.URL.Path, "/k/") {
		size = -1
	}
	body, known := o.bodies[size]
	if !known {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "max-age=86400")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"one"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// Endless is the path of a body that comes an octet a second and does not end. A fill of it keeps rules in force: an
// edge forgets none that something in flight may need.
const Endless = "/endless"

func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("Content-Length", "1000000")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte("w")); err != nil {
			return
		}
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// Requests is how many have come.
func (o *Origin) Requests() int64 { return o.requests.Load() }

// Address is where it listens.
func (o *Origin) Address() string { return o.listener.Addr().String() }

// Close ends it.
func (o *Origin) Close() {
	o.server.Close()
	<-o.done
}

// LayFiles writes the objects and the keys as files.
func LayFiles(dir string, keys []string) error {
	for _, sub := range []string{"o", "k"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	write := func(path string, size int) error {
		return os.WriteFile(filepath.Join(dir, path), bytes.Repeat([]byte("w"), size), 0o644)
	}
	for _, size := range Sizes {
		if err := write(fmt.Sprintf("o/%d", size), size); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if err := write(k, KeySize); err != nil {
			return err
		}
	}
	return nil
}
