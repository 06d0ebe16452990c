package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// ready is what the binary writes to its ready file.
type ready struct {
	PID             int
	API             string
	Journal         []string
	Relay           string
	Console         string
	Edges           []struct{ Name, URL, HTTPS string }
	CA              string
	Demo            string
	Telemetry       string
	AccessKeyID     string
	SecretAccessKey string
}

// process is one run of the binary in one of its roles.
type process struct {
	cmd   *exec.Cmd
	ready ready
	log   *syncBuffer
	ended chan struct{}
	err   error
}

// binary is the program under test, built by make.
func binary() string {
	if p := os.Getenv("WARMFRONT"); p != "" {
		return p
	}
	p, _ := filepath.Abs("../bin/warmfront")
	return p
}

// startProcess starts `warmfront dev`.
func startProcess(dir string, args []string) (*process, error) {
	return launch(dir, devArgs(args))
}

func devArgs(args []string) []string {
	return append([]string{"dev", "--control", "127.0.0.1:0", "--cache-size", "32MiB"}, args...)
}

// launch starts a role on the directory's data and waits until it is ready.
func launch(dir string, args []string) (*process, error) { return launchOn(nil, dir, args) }

func launchOn(h *host, dir string, args []string) (*process, error) {
	return launchWith(h.command, dir, args)
}

func launchWith(command func(name string, args ...string) *exec.Cmd, dir string, args []string) (*process, error) {
	p, err := begin(command, dir, args)
	if err != nil {
		return p, err
	}
	return p, p.awaitReady(dir)
}

// begin starts a role, and does not wait.
func begin(command func(name string, args ...string) *exec.Cmd, dir string, args []string) (*process, error) {
	readyFile := filepath.Join(dir, "ready.json")
	os.Remove(readyFile)
	p := &process{log: &syncBuffer{}, ended: make(chan struct{})}
	p.cmd = command(binary(), append(args[:1:1], append([]string{"--data", filepath.Join(dir, "data"), "--ready-file", readyFile,
		"--telemetry", "127.0.0.1:0"}, args[1:]...)...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A test that is killed must not leave its server behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w (run make build)", binary(), err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	return p, nil
}

// awaitReady waits until it serves.
func (p *process) awaitReady(dir string) error {
	readyFile := filepath.Join(dir, "ready.json")
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		b, err := os.ReadFile(readyFile)
		if err == nil && json.Unmarshal(b, &p.ready) == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("warmfront ended: %v\n%s", p.err, p.log)
		}
	}
	p.kill()
	return fmt.Errorf("warmfront was not ready in %v\n%s", patience, p.log)
}

// stop ends the process as Ctrl-C does and checks that it went well.
func (p *process) stop() error {
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("warmfront stopped badly: %v\n%s", p.err, p.log)
		}
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("warmfront did not stop within %v\n%s", patience, p.log)
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// syncBuffer is a buffer that two goroutines may use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
