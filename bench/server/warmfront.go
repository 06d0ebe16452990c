package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

// StartWarmfront runs the real binary with everything on, one edge, the access log off: journal, control plane and API
// are in the same process, and what they use counts.
func StartWarmfront(ctx context.Context, env Env) (*Server, error) {
	return warmfront(ctx, env, "Warmfront")
}

// StartWarmfrontOneKey is another, which is asked for one object only.
func StartWarmfrontOneKey(ctx context.Context, env Env) (*Server, error) {
	return warmfront(ctx, env, "Warmfront with one key")
}

// StartWarmfrontLogging is one with its access log, into a file.
func StartWarmfrontLogging(ctx context.Context, env Env) (*Server, error) {
	help, err := helpOf(ctx, env.Binary)
	if err != nil {
		return nil, err
	}
	if takesFile.MatchString(help) {
		return warmfront(ctx, env, "Warmfront with log", "--access-log="+filepath.Join(env.Dir, "warmfront-access.log"))
	}
	return warmfront(ctx, env, "Warmfront with log", "--access-log") // its standard error is a file
}

// WarmfrontNamed is StartWarmfront under another name: one of its own for invalidations. Its metrics are on, a key may
// make any number of calls.
func WarmfrontNamed(name string) Start {
	return func(ctx context.Context, env Env) (*Server, error) {
		return warmfront(ctx, env, name, "--telemetry", "127.0.0.1:0", "--rate-per-key", "1000000", "--quota", "paths-in-progress=1000000")
	}
}

// StartWarmfrontTwoCores is one on the cores 0 and 1.
func StartWarmfrontTwoCores(ctx context.Context, env Env) (*Server, error) {
	env.Cores = "0,1"
	return warmfront(ctx, env, "Warmfront on two cores")
}

// memoryMiB is the room in memory of those that keep the rest on disk.
const memoryMiB = 32

// StartWarmfrontOnDisk is one whose memory holds next to nothing of what is on disk. Its ports stay when it is started
// again.
func StartWarmfrontOnDisk(ctx context.Context, env Env) (*Server, error) {
	help, err := helpOf(ctx, env.Binary)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(help, "--disk-cache ") {
		return nil, ErrNotServed
	}
	at, err := free(2)
	if err != nil {
		return nil, err
	}
	room := max(diskMiB, env.CacheMiB)
	env.CacheMiB = memoryMiB
	s, err := warmfront(ctx, env, "Warmfront on disk", "--disk-cache", fmt.Sprintf("%dMiB", room), "--edges", at[0].String(), "--edges-https", at[1].String())
	if s != nil {
		s.OnDisk = true
	}
	return s, err
}

// takesFile sees in the help that the flag has a value.
var takesFile = regexp.MustCompile(`--access-log [^ ]`)

func helpOf(ctx context.Context, binary string) (string, error) {
	help, err := exec.CommandContext(ctx, binary, "dev", "--help").Output()
	if err != nil {
		err = fmt.Errorf("%s: %w (make bin/warmfront)", binary, err)
	}
	return string(help), err
}

// ready is what bench reads of the ready file.
type ready struct {
	API              string
	Edges            []struct{ URL, HTTPS string }
	DemoDistribution string
	DemoDomain       string
	AccessKeyID      string
	SecretAccessKey  string
	Telemetry        string
}

func warmfront(ctx context.Context, env Env, name string, more ...string) (*Server, error) {
	help, err := helpOf(ctx, env.Binary)
	if err != nil {
		return nil, err
	}
	s, err := begin(env, name, nil)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "ready.json")
	command := []string{env.Binary, "dev", "--data", filepath.Join(s.dir, "data"), "--ready-file", file, "--control", "127.0.0.1:0",
		"--demo", "127.0.0.1:0", "--cache-size", fmt.Sprintf("%dMiB", env.CacheMiB), "--origin", "demo.localhost=" + env.Origin.Address()}
	for flag, value := range map[string]string{"--edges": "127.0.0.1:0", "--telemetry": "off"} {
		if !slices.Contains(more, flag) {
			more = append(more, flag, value)
		}
	}
	for flag, value := range map[string]string{
		"--certificates":    env.Cert.Dir,
		"--max-connections": "12000", // the default is fewer where descriptors are few
	} {
		if strings.Contains(help, flag+" ") {
			command = append(command, flag, value)
		}
	}
	s.cores, s.commands = env.Cores, [][]string{append(command, more...)}
	if err := s.begin(); err != nil {
		return nil, err
	}
	r, err := s.awaitReady(ctx, file)
	if err != nil {
		err = fmt.Errorf("%s: %w", s.Name, s.explain(err))
		s.Stop()
		return nil, err
	}
	out, _ := exec.Command(env.Binary, "--version").Output()
	s.Version, s.Host = strings.TrimPrefix(strings.TrimSpace(string(out)), "warmfront version "), r.DemoDomain
	s.Plain, err = netip.ParseAddrPort(strings.TrimPrefix(r.Edges[0].URL, "http://"))
	if err == nil && r.Edges[0].HTTPS != "" {
		s.TLS, err = netip.ParseAddrPort(strings.TrimPrefix(r.Edges[0].HTTPS, "https://"))
	}
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s: the ready file has edges at %v: %w", s.Name, r.Edges, err)
	}
	if s.rules, err = callsTo(r); err != nil {
		s.Stop()
		return nil, err
	}
	return s.serves(ctx)
}

func (s *Server) awaitReady(ctx context.Context, file string) (r ready, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.Alive() {
		select {
		case <-ctx.Done():
			return r, errors.New("not ready in time")
		case <-tick.C:
		}
		if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &r) == nil && len(r.Edges) > 0 {
			return r, nil
		}
	}
	return r, errors.New("it ended at its start")
}

// calls make invalidations by the API as the command line does; 201 means that the journal has it on disk.
type calls struct {
	*client.Client
	ready
}

func callsTo(r ready) (*calls, error) {
	c, err := client.New(client.Config{Endpoint: r.API, AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey})
	return &calls{c, r}, err
}

func (c *calls) one(ctx context.Context, i int) error {
	_, err := c.make(ctx, fmt.Sprintf("/nothing/%d/*", i))
	return err
}

// most is how many paths one invalidation may have.
const most = 3000

// many returns when the last of them is Completed.
func (c *calls) many(ctx context.Context, first, n int) error {
	items := make([]string, 0, n)
	for i := first; i < first+n; i++ {
		item := fmt.Sprintf("/nothing/%d/*", i)
		switch i % kindsOfRules {
		case exactRule:
			item = fmt.Sprintf("/nothing/%d.png", i)
		case suffixRule:
			item = fmt.Sprintf("/*.nothing%d", i)
		case wildcardRule:
			item = fmt.Sprintf("/nothing/*/%d/*.js", i)
		}
		items = append(items, item)
	}
	for some := range slices.Chunk(items, most) {
		made, err := c.make(ctx, some...)
		if err == nil {
			err = c.await(ctx, made.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *calls) below(ctx context.Context, prefix string) error {
	made, err := c.make(ctx, prefix+"*")
	if err != nil {
		return err
	}
	return c.await(ctx, made.ID)
}

func (c *calls) make(ctx context.Context, items ...string) (client.Created, error) {
	return c.Invalidate(ctx, c.DemoDistribution, client.Wish{CallerReference: fmt.Sprintf("bench-%d", time.Now().UnixNano()), Items: items})
}

// await asks until it is Completed.
func (c *calls) await(ctx context.Context, id string) error {
	for {
		r, err := c.Receipt(ctx, c.DemoDistribution, id)
		if err != nil || r.Invalidation.Status == "Completed" {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// active is the edge's own word.
func (c *calls) active(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", c.Telemetry+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := rulesLine.FindSubmatch(b)
	if found == nil {
		return 0, errors.New("the metrics do not tell how many rules there are")
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	return int(n), err
}

var rulesLine = regexp.MustCompile(`(?m)^warmfront_[a-z_]*invalidation_rules\{[^}]*\} ([0-9.e+]+)$`)
