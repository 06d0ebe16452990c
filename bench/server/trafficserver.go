package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// StartTrafficServer runs Traffic Server as a reverse proxy. Tuned: one thread, as it has one core; everything fits in
// the memory cache, which is a plain LRU without a filter before it; a directory with room for all keys; no log, no
// Via; connections stay. TLS by OpenSSL, HTTP/2 with 128 streams.
func StartTrafficServer(ctx context.Context, env Env) (*Server, error) {
	return trafficServer(ctx, env, "Traffic Server", env.CacheMiB*3/4, env.CacheMiB, 60)
}

// StartTrafficServerOnDisk is one whose memory holds next to nothing of what is on disk. It writes its directory each five
// seconds, not each minute: what has come since is lost when it is started again.
func StartTrafficServerOnDisk(ctx context.Context, env Env) (*Server, error) {
	return trafficServer(ctx, env, "Traffic Server on disk", memoryMiB, diskMiB, 5)
}

func trafficServer(ctx context.Context, env Env, name string, memory, disk, sync int) (*Server, error) {
	if err := must("traffic_server", "trafficserver"); err != nil {
		return nil, err
	}
	at, err := free(2)
	if err != nil {
		return nil, err
	}
	s, err := begin(env, name, nil)
	if err != nil {
		return nil, err
	}
	etc := filepath.Join(s.dir, "etc")
	if err := os.CopyFS(etc, os.DirFS("/etc/trafficserver")); err != nil {
		return nil, err
	}
	if err := lay(s.dir, map[string]string{
		"run/": "", "log/": "", "cache/": "",
		"runroot.yaml":             fmt.Sprintf(runroot, s.dir),
		"etc/records.config":       records(at[0].Port(), at[1].Port(), memory, sync),
		"etc/remap.config":         "map / http://" + env.Origin.Address() + "/\n",
		"etc/storage.config":       fmt.Sprintf("%s/cache %dM\n", s.dir, disk),
		"etc/ssl_multicert.config": fmt.Sprintf("dest_ip=* ssl_cert_name=%s ssl_key_name=%s\n", env.Cert.Chain, env.Cert.Key),
		"etc/ip_allow.yaml":        "ip_allow:\n  - apply: in\n    ip_addrs: [0/0, ::/0]\n    action: allow\n    methods: ALL\n",
	}); err != nil {
		return nil, err
	}
	s.Version, s.Plain, s.TLS = version("traffic_server", "--version"), at[0], at[1]
	return s.run(ctx, env, []string{"traffic_server", "--run-root=" + s.dir + "/runroot.yaml"})
}

const runroot = `prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
datadir: /usr/share/trafficserver
libexecdir: /usr/lib/trafficserver/modules
libdir: /usr/lib/trafficserver
sysconfdir: %[1]s/etc
runtimedir: %[1]s/run
logdir: %[1]s/log
cachedir: %[1]s/cache
localstatedir: %[1]s
`

func records(plain, tls uint16, memory, sync int) string {
	settings := map[string]string{
		"http.server_ports STRING":                    fmt.Sprintf("%d:ipv4:ip-in=127.0.0.1 %d:ipv4:ip-in=127.0.0.1:ssl", plain, tls),
		"http.insert_request_via_str INT":             "0",
		"http.insert_response_via_str INT":            "0",
		"http.keep_alive_no_activity_timeout_in INT":  "3600",
		"http.transaction_no_activity_timeout_in INT": "120",
		"http.cache.required_headers INT":             "2",
		"http2.max_concurrent_streams_in INT":         "128",
		"http2.no_activity_timeout_in INT":            "3600",
		"url_remap.pristine_host_hdr INT":             "1",
		"exec_thread.autoconfig INT":                  "0",
		"exec_thread.limit INT":                       "1",
		"accept_threads INT":                          "0",
		"task_threads INT":                            "1",
		"net.connections_throttle INT":                "15000",
		"net.max_connections_in INT":                  "15000",
		"net.max_requests_in INT":                     "0",
		"cache.dir.sync_frequency INT":                strconv.Itoa(sync),
		"cache.ram_cache.size INT":                    strconv.Itoa(memory << 20),
		"cache.ram_cache.algorithm INT":               "1",
		"cache.ram_cache.use_seen_filter INT":         "0",
		"cache.min_average_object_size INT":           "2000",
		"log.logging_enabled INT":                     "0",
		"admin.user_id STRING":                        "#-1",
		"ssl.server.cert.path STRING":                 "/",
		"ssl.server.private_key.path STRING":          "/",
		"ssl.server.TLSv1_3.cipher_suites STRING":     "TLS_AES_128_GCM_SHA256",
		"diags.show_location INT":                     "0",
	}
	var lines []string
	for name, value := range settings {
		lines = append(lines, "CONFIG proxy.config."+name+" "+value+"\n")
	}
	sort.Strings(lines)
	return strings.Join(lines, "")
}
