package server

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A program that leaves children behind when it is asked to end, as some servers do, leaves none.
func TestProcess_StopLeavesNobody(t *testing.T) {
	p, err := start("0", t.TempDir(), []string{"sh", "-c", "sleep 1000 & setsid sleep 1000 & echo started; wait"})
	if err != nil {
		t.Fatal(err)
	}
	awaitTail(t, p, "started")
	all := family(p.cmd.Process.Pid)
	if len(all) < 3 {
		t.Fatalf("the family has %d members only", len(all))
	}
	p.stop()
	if p.alive() {
		t.Error("it is alive")
	}
	awaitGone(t, all)
}

// A program that was killed leaves its children to nobody; they are stopped all the same.
func TestProcess_StopFindsOrphans(t *testing.T) {
	p, err := start("0", t.TempDir(), []string{"sh", "-c", "sleep 1000 & echo started; wait"})
	if err != nil {
		t.Fatal(err)
	}
	awaitTail(t, p, "started")
	all := family(p.cmd.Process.Pid)
	if len(all) != 2 {
		t.Fatalf("the family has %d members", len(all))
	}
	p.cmd.Process.Kill()
	<-p.done
	p.stop()
	awaitGone(t, all)
}

func awaitGone(t *testing.T, all []member) {
	t.Helper()
	for _, m := range all {
		deadline := time.Now().Add(10 * time.Second)
		for f := stat(m.pid); f != nil && f[0] != "Z" && startOf(m.pid) == m.started; f = stat(m.pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there", m.pid)
			}
		}
	}
}

func awaitTail(t *testing.T, p *process, want string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(p.tail(), want) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it printed %q", p.tail())
		}
	}
}

func TestUsage_CountsWhatTheProcessesUse(t *testing.T) {
	p, err := start("0", t.TempDir(), []string{"sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo worked; sleep 1000"})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{processes: []*process{p}}
	defer s.Stop()
	before := s.Usage()
	awaitTail(t, p, "worked")
	if used := s.Usage().Since(before); used <= 0 {
		t.Errorf("%v used", used)
	}
	if s.Memory() <= 0 {
		t.Error("no memory used")
	}
	if OwnUsage() <= 0 {
		t.Error("the test used nothing")
	}
}

func TestUsage_Since(t *testing.T) {
	before := Usage{1: 5, 2: 7}
	after := Usage{1: 6, 3: 10} // 2 has ended, 3 began
	if got := after.Since(before); got != 11 {
		t.Errorf("%d", got)
	}
}

func TestOrigin_ServesTheObjectsAndCounts(t *testing.T) {
	o, err := StartOrigin()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for path, want := range map[string]int{"/o/1024": 1 << 10, "/o/1048576": 1 << 20, "/k/77": KeySize, "/o/7": -1, "/x": -1} {
		resp, err := http.Get("http://" + o.Address() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if want < 0 {
			if resp.StatusCode != 404 {
				t.Errorf("%s: %s", path, resp.Status)
			}
			continue
		}
		if resp.StatusCode != 200 || len(body) != want || resp.ContentLength != int64(want) {
			t.Errorf("%s: %s, %d octets", path, resp.Status, len(body))
		}
	}
	if o.Requests() != 5 {
		t.Errorf("%d requests counted", o.Requests())
	}
}

func TestLayFiles_AreTheOriginsObjects(t *testing.T) {
	dir := t.TempDir()
	if err := LayFiles(dir, []string{"/k/0", "/k/1"}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int64{"o/1024": 1 << 10, "o/102400": 100 << 10, "k/1": KeySize} {
		i, err := os.Stat(filepath.Join(dir, path))
		if err != nil || i.Size() != want {
			t.Errorf("%s: %v %v", path, i, err)
		}
	}
}

func TestCertificate_IsAPair(t *testing.T) {
	c, err := MakeCertificate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(c.Chain, c.Key); err != nil {
		t.Error(err)
	}
	if _, err := tls.LoadX509KeyPair(c.Together, c.Together); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(c.Dir); len(entries) != 2 {
		t.Errorf("%d files beside each other", len(entries))
	}
}
