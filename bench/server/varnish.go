package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// StartVarnish runs Varnish with its store in memory, and hitch in front of it for TLS (PROXY protocol): the CPU time
// of both counts. Tuned: the two thread pools that its manual advises, threads kept ready; a backlog for many
// connections; no program reads its log; HTTP/2 on.
func StartVarnish(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish", fmt.Sprintf("malloc,%dm", env.CacheMiB))
}

// StartVarnishOnDisk is one whose store is a file that it maps into memory.
func StartVarnishOnDisk(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish on disk", fmt.Sprintf("file,store,%dm", diskMiB))
}

// diskMiB is the room of the caches on disk.
const diskMiB = 2048

// StartVarnishBanned is a Varnish of its own for bans.
func StartVarnishBanned(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish with bans", fmt.Sprintf("malloc,%dm", env.CacheMiB))
}

func varnish(ctx context.Context, env Env, name, store string) (*Server, error) {
	if err := must("varnishd", "varnish"); err != nil {
		return nil, err
	}
	if err := must("hitch", "hitch"); err != nil {
		return nil, err
	}
	at, err := free(3)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(env.Origin.Address())
	if err != nil {
		return nil, err
	}
	s, err := begin(env, name, map[string]string{
		"bench.vcl": fmt.Sprintf("vcl 4.1;\nbackend o { .host = %q; .port = %q; }\n", host, port),
		"hitch.conf": fmt.Sprintf(`frontend = "[127.0.0.1]:%d"
backend = "[127.0.0.1]:%d"
pem-file = %q
alpn-protos = "h2, http/1.1"
tls-protos = TLSv1.2 TLSv1.3
ecdh-curve = "X25519:P-256"
write-proxy-v2 = on
workers = 1
backlog = 4096
keepalive = 3600
user = "nobody"
group = "nogroup"
quiet = on
`, at[1].Port(), at[2].Port(), env.Cert.Together),
	})
	if err != nil {
		return nil, err
	}
	s.Version, s.Plain, s.TLS = version("varnishd", "-V"), at[0], at[1]
	work := filepath.Join(s.dir, "work")
	bans := &bans{work: work}
	s.invalidate = bans.add
	s.stopping = bans.close
	return s.run(ctx, env,
		[]string{"varnishd", "-F", "-n", work, "-a", at[0].String(), "-a", at[2].String() + ",PROXY", "-f", s.dir + "/bench.vcl", "-s", store, "-j", "none",
			"-p", "thread_pools=2", "-p", "thread_pool_min=200", "-p", "thread_pool_max=2000", "-p", "listen_depth=4096", "-p", "timeout_idle=3600", "-p", "feature=+http2"},
		[]string{"hitch", "--config", s.dir + "/hitch.conf"})
}

// bans talks to Varnish through one varnishadm that stays.
type bans struct {
	work  string
	mu    sync.Mutex
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

// add bans a path that is not in the cache and waits until Varnish has answered.
func (b *bans) add(ctx context.Context, i int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		if err := b.open(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(b.in, "ban req.url ~ ^/nothing/%d/\n", i); err != nil {
		return err
	}
	// varnishadm prints the status before every answer, here "200 0".
	for b.lines.Scan() {
		line := strings.TrimSpace(b.lines.Text())
		if strings.HasPrefix(line, "200") {
			return nil
		}
		if line != "" {
			return fmt.Errorf("varnishadm: %s", line)
		}
	}
	return fmt.Errorf("varnishadm ended")
}

func (b *bans) open() error {
	cmd := exec.Command("varnishadm", "-p", "-n", b.work)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.cmd, b.in, b.lines = cmd, in, bufio.NewScanner(out)
	return nil
}

func (b *bans) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd != nil {
		b.in.Close()
		b.cmd.Wait()
	}
}
