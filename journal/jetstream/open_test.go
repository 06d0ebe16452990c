package jetstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

func TestOpen_InUse(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	if _, err := tryOpen(t, Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	l.Close()
	open(t, Config{Dir: dir})
}

func TestOpen_Unusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := t.TempDir()
	if err := os.WriteFile(filepath.Join(blocked, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		config Config
		want   error
	}{
		"no directory":        {Config{}, ErrConfig},
		"a file":              {Config{Dir: file}, nil},
		"engine cannot write": {Config{Dir: blocked}, ErrEngine},
		"others could reach":  {Config{Dir: t.TempDir(), Listen: "0.0.0.0:4222"}, ErrConfig},
		"no port":             {Config{Dir: t.TempDir(), Listen: "127.0.0.1"}, ErrConfig},
		"port in use":         {Config{Dir: t.TempDir(), Listen: taken.Addr().String()}, ErrEngine},
	} {
		if _, err := tryOpen(t, c.config); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func TestOpen_ListensOnlyIfTold(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	if a := l.srv.Addr(); a != nil {
		t.Errorf("listens on %v", a)
	}
	l = open(t, Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(l.srv.ClientURL(), unhurried)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

// A stream whose config was changed by hand is not the log that the protocol was proved for.
func TestOpen_ForeignConfig(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	c := streamConfig(1, 1)
	c.MaxAge = time.Hour
	if _, err := l.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err := tryOpen(t, Config{Dir: dir})
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "MaxAge is 1h0m0s, not 0s") {
		t.Fatal(err)
	}
}

// The engine refuses what would make a hole.
func TestStream_CannotForget(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	s, err := l.js.Stream(t.Context(), streamName)
	if err != nil {
		t.Fatal(err)
	}
	if !(Config{}).keptConfig(3, 9, 3, "").DenyPurge {
		t.Error("what no compaction purges can be purged")
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("deleted")
	}
	m := nats.NewMsg(logSubject)
	m.Header.Set("Nats-TTL", "1s")
	if _, err := l.js.PublishMsg(t.Context(), m); err == nil {
		t.Error("stored with a time to live")
	}
	m = nats.NewMsg(logSubject)
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupAll)
	if _, err := l.js.PublishMsg(t.Context(), m); err == nil {
		t.Error("rolled up")
	}
}

func TestAssertDurable(t *testing.T) {
	o, err := options(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	o.SyncAlways = false
	o.NoLog = true
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if err := assertDurable(srv); !errors.Is(err, ErrUnsafe) {
		t.Fatal(err)
	}
}

func TestToken(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"", "_", "FRA50-1", "fra.1", "fra_1", "fra_2e1", "a b", "*", ">", "é"} {
		got := token(name)
		if strings.ContainsAny(got, ".*> \t") || got == "" {
			t.Errorf("%q: %q is no subject token", name, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", name, other, got)
		}
		seen[got] = name
	}
}

// TestKill: what was confirmed before a process was killed is there, and what was in doubt is there once
// or not at all.
func TestKill(t *testing.T) {
	const child = "WARMFRONT_JOURNAL_KILL_TEST"
	if dir := os.Getenv(child); dir != "" {
		appendForEver(dir)
	}
	dir := t.TempDir()
	confirmed := map[string]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), child+"="+dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 20 + 30*round {
			if !lines.Scan() {
				t.Fatalf("the process ended: %v", cmd.Wait())
			}
			confirmed[lines.Text()] = true
		}
		cmd.Process.Kill() // in the middle of an append
		for lines.Scan() {
			confirmed[lines.Text()] = true
		}
		cmd.Wait()
		check(t, dir, confirmed)
	}
}

// appendForEver is the process that is killed: it prints the id of each confirmed entry.
func appendForEver(dir string) {
	l, err := Open(context.Background(), Config{Dir: dir, Logger: slog.Default()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	w := journal.NewWriter(journal.WriterConfig{Log: l})
	for i := 0; ; i++ {
		e, err := w.Commit(context.Background(), fact(i))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(e.ID)
	}
}

func check(t *testing.T, dir string, confirmed map[string]bool) {
	t.Helper()
	l := open(t, Config{Dir: dir})
	defer l.Close()
	found := map[string]int{}
	w := journal.NewWriter(journal.WriterConfig{Log: l, Apply: func(e *journal.Entry) { found[string(e.ID)]++ }})
	if err := w.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id := range confirmed {
		if found[id] != 1 {
			t.Errorf("confirmed entry %s is there %d times", id, found[id])
		}
	}
}
