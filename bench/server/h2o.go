package server

import (
	"context"
	"fmt"
)

// StartH2O runs H2O over files: Debian's 2.2 has no HTTP cache. So it knows nothing of freshness, keys or
// invalidation, and what it costs is less than what a cache of its make would. One thread, as it has one core;
// no log; 128 streams per connection.
func StartH2O(ctx context.Context, env Env) (*Server, error) {
	if err := must("h2o", "h2o"); err != nil {
		return nil, err
	}
	at, err := free(2)
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`user: root
num-threads: 1
max-connections: 12000
tcp-fastopen: 0
http1-request-timeout: 60
http2-idle-timeout: 3600
http2-max-concurrent-requests-per-connection: 128
file.mime.setdefaulttype: application/octet-stream
listen: {host: 127.0.0.1, port: %d}
listen: {host: 127.0.0.1, port: %d, ssl: {certificate-file: %q, key-file: %q, minimum-version: TLSv1.2}}
hosts:
  default:
    paths:
      "/":
        file.dir: %q
`, at[0].Port(), at[1].Port(), env.Cert.Chain, env.Cert.Key, env.Files)
	s, err := begin(env, "H2O", map[string]string{"h2o.conf": conf})
	if err != nil {
		return nil, err
	}
	s.Version, s.Plain, s.TLS, s.Files = version("h2o", "--version"), at[0], at[1], true
	return s.run(ctx, env, []string{"h2o", "-m", "worker", "-c", s.dir + "/h2o.conf"})
}
