package e2e

import (
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// versions is the truth of a site that changes: its one number.
type versions struct{ n atomic.Int64 }

// site shows the number of the moment in which a request came, on every page.
type site struct {
	l net.Listener
	s *http.Server
}

func newSite(v *versions) (*site, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := strconv.FormatInt(v.n.Load(), 10)
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("ETag", `"`+now+`"`)
		w.Write([]byte(now))
	})}
	go s.Serve(l)
	return &site{l, s}, nil
}

func (s *site) close() { s.s.Close() }
