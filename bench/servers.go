package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// freePort finds a port for a program that cannot be given a listener.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// answers waits until the server gives the object.
func (s *server) answers(host string) error {
	s.request = []byte("GET /object HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := fmt.Errorf("not started")
	for time.Now().Before(deadline) {
		<-tick.C
		req, err := http.NewRequest("GET", "http://"+s.address+"/object", nil)
		if err != nil {
			return err
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == 200 {
			return nil
		}
		last = fmt.Errorf("status %s", resp.Status)
	}
	return fmt.Errorf("%s did not answer: %w", s.name, last)
}

func version(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// startNginx runs nginx as a caching proxy: one worker, proxy_cache, descriptors of cached files
// kept open, no access log, connections that never have to be opened anew.
func startNginx(dir string, o *origin) (*server, error) {
	dir = filepath.Join(dir, "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`user root; worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; tcp_nodelay on;
  sendfile on; sendfile_max_chunk 512k; open_file_cache max=10000 inactive=1h; open_file_cache_valid 1h;
  proxy_cache_path %[1]s/cache keys_zone=c:64m inactive=1h max_size=1g use_temp_path=off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s reuseport backlog=4096; location / { proxy_pass http://%[3]s; proxy_cache c; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status; } }
}
`, dir, address, o.address())
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	s := &server{name: "nginx", version: version("nginx", "-v"), address: address, cmd: pinned("nginx", "-c", path, "-p", dir)}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("nginx: %w (apt-get install nginx-light)", err)
	}
	return s, s.answers("bench.localhost")
}

// startVarnish runs Varnish with its memory store and its default two thread pools.
func startVarnish(dir string, o *origin) (*server, error) {
	dir = filepath.Join(dir, "varnish")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(o.address())
	vcl := fmt.Sprintf("vcl 4.1;\nbackend o { .host = %q; .port = %q; }\n", host, port)
	path := filepath.Join(dir, "bench.vcl")
	if err := os.WriteFile(path, []byte(vcl), 0o644); err != nil {
		return nil, err
	}
	s := &server{name: "varnish", version: version("varnishd", "-V"), address: address,
		cmd: pinned("varnishd", "-F", "-a", address, "-f", path, "-s", "malloc,256m", "-n", filepath.Join(dir, "work"), "-j", "none", "-p", "thread_pools=2")}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("varnish: %w (apt-get install varnish)", err)
	}
	return s, s.answers("bench.localhost")
}

// startWarmfront runs the real binary with everything on, and makes a distribution for the object.
func startWarmfront(binary, dir string, o *origin) (*server, error) {
	dir = filepath.Join(dir, "warmfront")
	ready := filepath.Join(dir, "ready.json")
	s := &server{name: "warmfront", version: version(binary, "--version")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s.cmd = pinned(binary, "dev", "--data", filepath.Join(dir, "data"), "--ready-file", ready, "--control", "127.0.0.1:0", "--edges", "127.0.0.1:0",
		"--demo", "127.0.0.1:0", "--telemetry", "off", "--origin", "demo.localhost="+o.address())
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	var r struct {
		Edges      []struct{ URL string }
		DemoDomain string
	}
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		<-tick.C
		if b, err := os.ReadFile(ready); err == nil && json.Unmarshal(b, &r) == nil {
			s.address = strings.TrimPrefix(r.Edges[0].URL, "http://")
			return s, s.answers(r.DemoDomain)
		}
	}
	return nil, fmt.Errorf("warmfront was not ready in 30 s")
}
