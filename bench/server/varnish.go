package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// StartVarnish runs Varnish with its store in memory, and hitch in front of it for TLS (PROXY protocol): the CPU time
// of both counts. Tuned: the two thread pools that its manual advises, threads kept ready; a backlog for many
// connections; no program reads its log; HTTP/2 on.
func StartVarnish(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish", inMemory(env), "")
}

// StartVarnishOnDisk is one whose store is a file that it maps into memory.
func StartVarnishOnDisk(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish on disk", fmt.Sprintf("file,store,%dm", diskMiB), "")
}

// VarnishNamed is StartVarnish under another name: one of its own for bans.
func VarnishNamed(name string) Start {
	return func(ctx context.Context, env Env) (*Server, error) { return varnish(ctx, env, name, inMemory(env), "") }
}

// lurked is what its manual advises for bans that the lurker can go by: they ask an object's own field for the URL.
const lurked = `sub vcl_backend_response { set beresp.http.x-url = bereq.url; }
sub vcl_deliver { unset resp.http.x-url; }
`

// StartVarnishLurking is one whose bans free memory also where nobody asks: lurked, and tuned so that the lurker begins
// at once (ban_lurker_age: a minute by default).
func StartVarnishLurking(ctx context.Context, env Env) (*Server, error) {
	return varnish(ctx, env, "Varnish", inMemory(env), lurked, "-p", "ban_lurker_age=0.1", "-p", "ban_lurker_batch=1000")
}

func inMemory(env Env) string { return fmt.Sprintf("malloc,%dm", env.CacheMiB) }

// diskMiB is the room of the caches on disk.
const diskMiB = 2048

func varnish(ctx context.Context, env Env, name, store, vcl string, more ...string) (*Server, error) {
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
		"bench.vcl": fmt.Sprintf("vcl 4.1;\nbackend o { .host = %q; .port = %q; }\n%s", host, port, vcl),
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
	s.rules, s.stopping = bans, bans.close
	return s.run(ctx, env,
		append([]string{"varnishd", "-F", "-n", work, "-a", at[0].String(), "-a", at[2].String() + ",PROXY", "-f", s.dir + "/bench.vcl", "-s", store, "-j", "none",
			"-p", "thread_pools=2", "-p", "thread_pool_min=200", "-p", "thread_pool_max=2000", "-p", "listen_depth=4096", "-p", "timeout_idle=3600", "-p", "feature=+http2"}, more...),
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

func (b *bans) one(_ context.Context, i int) error {
	return b.ban(fmt.Sprintf("req.url ~ ^/nothing/%d/", i))
}

// many are the same in Varnish's words. They ask the request: those that ask the object cost twice as much.
func (b *bans) many(_ context.Context, first, n int) error {
	for i := first; i < first+n; i++ {
		expression := fmt.Sprintf("req.url ~ ^/nothing/%d/", i)
		switch i % kindsOfRules {
		case exactRule:
			expression = fmt.Sprintf("req.url == /nothing/%d.png", i)
		case suffixRule:
			expression = fmt.Sprintf("req.url ~ [.]nothing%d$", i)
		case wildcardRule:
			expression = fmt.Sprintf("req.url ~ ^/nothing/.*/%d/.*[.]js$", i)
		}
		if err := b.ban(expression); err != nil {
			return err
		}
	}
	return nil
}

// below asks the object, so that the lurker can go by it.
func (b *bans) below(_ context.Context, prefix string) error {
	return b.ban("obj.http.x-url ~ ^" + prefix)
}

// active is how many bans there are that some object has not been compared with.
func (b *bans) active(ctx context.Context) (int, error) {
	all, err := b.stat(ctx, "MAIN.bans")
	if err != nil {
		return 0, err
	}
	completed, err := b.stat(ctx, "MAIN.bans_completed")
	return all - completed, err
}

// stat is one of Varnish's counters.
func (b *bans) stat(ctx context.Context, name string) (int, error) {
	out, err := exec.CommandContext(ctx, "varnishstat", "-n", b.work, "-1", "-f", name).Output()
	if err != nil {
		return 0, fmt.Errorf("varnishstat: %w", err)
	}
	words := strings.Fields(string(out))
	if len(words) < 2 {
		return 0, fmt.Errorf("varnishstat does not know %s", name)
	}
	return strconv.Atoi(words[1])
}

// ban waits until Varnish has answered: then it is in force.
func (b *bans) ban(expression string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cmd == nil {
		if err := b.open(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(b.in, "ban %s\n", expression); err != nil {
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
