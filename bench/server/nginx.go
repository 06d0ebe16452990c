package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// StartNginx runs nginx as a caching proxy, tuned:
//   - one worker, as it has one core; no accept mutex, all that wait are accepted at once; own sockets by reuseport
//   - connections are never closed for having served enough requests
//   - descriptors and sizes of cached files are kept (open_file_cache): as many as the limit of open files leaves
//     beside 11,000 connections
//   - a cached file of 16 KiB or less is read and written together with its head; a larger one goes by sendfile: a
//     second call costs more than copying so little; without tcp_nopush, with which it holds back the end of such a
//     file for 40 ms now and then
//   - the cache is as many files as the others' caches take of memory, four times over, and names of 64 MiB for each GiB of
//     those; the folder of the cache is two levels deep, files are written where they stay, a miss of a key is fetched once
//   - TLS 1.3 or 1.2 by OpenSSL, records of 16 KiB, sessions by tickets; HTTP/2 with 128 streams
//   - no access log (the row of the log has one, buffered)
func StartNginx(ctx context.Context, env Env) (*Server, error) {
	return nginx(ctx, env, "nginx", "off", keptOpen(env), "cache")
}

// StartNginxForgetting is nginx whose files can be removed: it keeps none of them open, or it would go on serving them.
// That is how a prefix is dropped without the commercial version; the module that purges in the free one knows exact keys.
// The files are in memory (/dev/shm), where there is such: what is measured is not the disk.
func StartNginxForgetting(ctx context.Context, env Env) (*Server, error) {
	cache, err := os.MkdirTemp("/dev/shm", "warmfront-bench-")
	if err != nil {
		if cache, err = os.MkdirTemp(env.Dir, "cache-"); err != nil {
			return nil, err
		}
	}
	s, err := nginx(ctx, env, "nginx, files removed", "off", "open_file_cache off;", cache)
	if err != nil {
		os.RemoveAll(cache)
		return nil, err
	}
	s.rules = files{s, cache}
	s.stopping = func() { os.RemoveAll(cache) }
	return s, nil
}

// files are a cache of files.
type files struct {
	s   *Server
	dir string
}

// below removes the files whose key begins so, on the server's core: nothing else tells which they are.
func (f files) below(ctx context.Context, prefix string) error {
	key := "^KEY: " + f.s.Host + prefix
	script := `grep -rlaZ -m1 -e "$1" . | xargs -0 -r rm -f`
	cmd := exec.CommandContext(ctx, "taskset", "-c", f.s.cores, "sh", "-c", script, "sh", key)
	cmd.Dir = f.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("removing files: %w: %s", err, out)
	}
	return nil
}

func (files) one(context.Context, int) error       { return ErrNotServed }
func (files) many(context.Context, int, int) error { return ErrNotServed }
func (files) active(context.Context) (int, error)  { return 0, ErrNotServed }

// StartNginxLogging is nginx with its access log in the "combined" format, written 64 KiB at a time, at least once a second.
func StartNginxLogging(ctx context.Context, env Env) (*Server, error) {
	return nginx(ctx, env, "nginx with log", "access.log combined buffer=64k flush=1s", keptOpen(env), "cache")
}

func keptOpen(env Env) string {
	return fmt.Sprintf("open_file_cache max=%d inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1; open_file_cache_errors on;", max(100, env.OpenFiles-12000))
}

func nginx(ctx context.Context, env Env, name, log, open, cache string) (*Server, error) {
	if err := must("nginx", "nginx-light"); err != nil {
		return nil, err
	}
	at, err := free(2)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`user root; worker_processes 1; daemon off; pid nginx.pid; error_log error.log crit;
worker_rlimit_nofile %[1]d;
events { worker_connections 11000; use epoll; accept_mutex off; multi_accept on; }
http {
  access_log %[2]s; server_tokens off; default_type application/octet-stream;
  keepalive_requests 1000000000; keepalive_timeout 3600; client_header_timeout 60; tcp_nodelay on; reset_timedout_connection on;
  %[3]s
  proxy_cache_path %[11]s levels=1:2 keys_zone=c:%[9]dm inactive=1d max_size=%[10]dm use_temp_path=off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream origin { server %[4]s; keepalive 16; }
  ssl_certificate %[7]s; ssl_certificate_key %[8]s; ssl_protocols TLSv1.2 TLSv1.3; ssl_buffer_size 16k;
  ssl_session_cache shared:s:16m; ssl_session_tickets on; ssl_ecdh_curve X25519:prime256v1; http2_max_concurrent_streams 128;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_cache c; proxy_cache_key $host$request_uri; proxy_cache_lock on; add_header X-Cache $upstream_cache_status;
  server {
    listen %[5]s reuseport backlog=4096;
    listen %[6]s ssl http2 reuseport backlog=4096;
    location / { sendfile off; output_buffers 1 32k; proxy_pass http://origin; }
    location /o/102400 { sendfile on; sendfile_max_chunk 512k; proxy_pass http://origin; }
    location /d/102400 { sendfile on; sendfile_max_chunk 512k; proxy_pass http://origin; }
    location /o/1048576 { sendfile on; sendfile_max_chunk 512k; proxy_pass http://origin; }
  }
}
`, env.OpenFiles, log, open, env.Origin.Address(), at[0], at[1], env.Cert.Chain, env.Cert.Key,
		env.CacheMiB/16, 4*env.CacheMiB, cache)
	s, err := begin(env, name, map[string]string{"nginx.conf": conf, "cache/": ""})
	if err != nil {
		return nil, err
	}
	s.Version, s.Plain, s.TLS, s.OnDisk = version("nginx", "-v"), at[0], at[1], true
	return s.run(ctx, env, []string{"nginx", "-c", s.dir + "/nginx.conf", "-p", s.dir})
}
