package server

import (
	"context"
	"fmt"
)

// StartHAProxy runs HAProxy with its cache, which is in memory. Tuned: one thread, as it has one core; objects up to
// 1 MiB may be cached, as many as all others keep, up to 4 GiB of them; no log, no statistics; HTTP/2 with 128 streams; TLS 1.3 or 1.2 by OpenSSL.
func StartHAProxy(ctx context.Context, env Env) (*Server, error) {
	if err := must("haproxy", "haproxy"); err != nil {
		return nil, err
	}
	at, err := free(2)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`global
  nbthread 1
  maxconn 11000
  no strict-limits
  fd-hard-limit %d
  tune.h2.max-concurrent-streams 128
  ssl-default-bind-options ssl-min-ver TLSv1.2
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-curves X25519:P-256
cache c
  total-max-size %d
  max-object-size 1100000
  max-age 86400
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-request 60s
  timeout http-keep-alive 1h
frontend f
  bind %s backlog 4096
  bind %s ssl crt %s alpn h2,http/1.1 backlog 4096
  http-request cache-use c
  http-response cache-store c
  default_backend o
backend o
  server o %s
`, env.OpenFiles, min(env.CacheMiB, 4095), at[0], at[1], env.Cert.Together, env.Origin.Address())
	s, err := begin(env, "HAProxy", map[string]string{"haproxy.cfg": conf})
	if err != nil {
		return nil, err
	}
	s.Version, s.Plain, s.TLS = version("haproxy", "-v"), at[0], at[1]
	return s.run(ctx, env, []string{"haproxy", "-db", "-f", s.dir + "/haproxy.cfg"})
}
