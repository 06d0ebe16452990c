package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// load keeps conns connections busy, one request at a time each, for length. It reads no more of an
// answer than it must to know that it is whole: a generator that parses costs more than the server.
func load(s *server, length time.Duration, conns, size int) (result, error) {
	var wg sync.WaitGroup
	var requests atomic.Int64
	stop := time.Now().Add(length)
	errs := make(chan error, conns)
	samples := make([][]time.Duration, conns)
	before, began := s.cpu(), time.Now()
	for i := range conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n, sample, err := client(s, stop, size)
			requests.Add(int64(n))
			samples[i] = sample
			if err != nil {
				errs <- err
			}
		}()
	}
	wg.Wait()
	r := result{requests: int(requests.Load()), elapsed: time.Since(began), cpu: s.cpu() - before}
	select {
	case err := <-errs:
		return r, err
	default:
	}
	for _, x := range samples {
		r.latency = append(r.latency, x...)
	}
	sort.Slice(r.latency, func(i, j int) bool { return r.latency[i] < r.latency[j] })
	if r.requests == 0 || len(r.latency) == 0 {
		return r, fmt.Errorf("no answers")
	}
	return r, nil
}

func client(s *server, stop time.Time, size int) (n int, sample []time.Duration, err error) {
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	buf := make([]byte, size+8192)
	for {
		began := time.Now()
		if began.After(stop) {
			return n, sample, nil
		}
		if _, err := c.Write(s.request); err != nil {
			return n, sample, err
		}
		if err := answer(c, buf, size, n == 0); err != nil {
			return n, sample, err
		}
		if n%16 == 0 {
			sample = append(sample, time.Since(began))
		}
		n++
	}
}

// answer reads one whole answer. Only a connection's first is looked at: 200 and the right length.
func answer(c net.Conn, buf []byte, size int, look bool) error {
	have, head := 0, -1
	for head < 0 || have < head+size {
		n, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		if head < 0 {
			if i := bytes.Index(buf[:have], []byte("\r\n\r\n")); i >= 0 {
				head = i + 4
			}
		}
	}
	if have != head+size {
		return fmt.Errorf("%d octets too many", have-head-size)
	}
	if look {
		h := string(buf[:head])
		if !strings.HasPrefix(h, "HTTP/1.1 200") || !strings.Contains(strings.ToLower(h), fmt.Sprintf("content-length: %d\r\n", size)) {
			return fmt.Errorf("not the answer that was asked for: %s", h)
		}
	}
	return nil
}

// origin serves one object of a given size and counts its requests.
type origin struct {
	l        net.Listener
	s        *http.Server
	requests atomic.Int64
}

func startOrigin(size int) (*origin, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	body := bytes.Repeat([]byte("w"), size)
	o := &origin{l: l}
	o.s = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		w.Header().Set("Cache-Control", "max-age=86400")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body)
	})}
	go o.s.Serve(l)
	return o, nil
}

func (o *origin) address() string { return o.l.Addr().String() }
func (o *origin) close()          { o.s.Close() }
