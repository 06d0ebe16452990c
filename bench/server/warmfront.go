package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/warmfront/warmfront/ownapi/client"
)

// StartWarmfront runs the real binary with everything on, one edge, the access log off: journal, control plane and API
// are in the same process, and what they use counts.
func StartWarmfront(ctx context.Context, env Env) (*Server, error) {
	return warmfront(ctx, env, "Warmfront")
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

// StartWarmfrontInvalidated is one of its own for invalidations.
func StartWarmfrontInvalidated(ctx context.Context, env Env) (*Server, error) {
	return warmfront(ctx, env, "Warmfront with invalidations")
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
	env.CacheMiB = memoryMiB
	s, err := warmfront(ctx, env, "Warmfront on disk", "--disk-cache", fmt.Sprintf("%dMiB", diskMiB), "--edges", at[0].String(), "--edges-https", at[1].String())
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
		"--demo", "127.0.0.1:0", "--telemetry", "off", "--cache-size", fmt.Sprintf("%dMiB", env.CacheMiB), "--origin", "demo.localhost=" + env.Origin.Address()}
	if !slices.Contains(more, "--edges") {
		more = append(more, "--edges", "127.0.0.1:0")
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
	s.invalidate = invalidator(r)
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

// invalidator calls the API as the command line does; 201 means that the journal has it on disk.
func invalidator(r ready) func(ctx context.Context, i int) error {
	c, err := client.New(client.Config{Endpoint: r.API, AccessKeyID: r.AccessKeyID, SecretAccessKey: r.SecretAccessKey})
	return func(ctx context.Context, i int) error {
		if err != nil {
			return err
		}
		_, err := c.Invalidate(ctx, r.DemoDistribution, client.Wish{CallerReference: fmt.Sprintf("bench-%d", i), Items: []string{fmt.Sprintf("/nothing/%d/*", i)}})
		return err
	}
}
