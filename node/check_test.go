package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// says demands that one of the lines has the text, or that there is none.
func says(t *testing.T, what string, lines []string, text string) {
	t.Helper()
	all := strings.Join(lines, "\n")
	if text == "" && len(lines) > 0 || !strings.Contains(all, text) {
		t.Errorf("%s: %q, want %q", what, all, text)
	}
}

func TestCheck_OfRunningProcesses(t *testing.T) {
	cc := controlConfig(t)
	says(t, "before the first start", CheckControl(cc).Faults, "")
	d, stop := startRole(t, Control, cc)
	cc.Journal, cc.Control = d.ready.Journal[0], strings.TrimPrefix(d.ready.API, "http://")
	f := CheckControl(cc) // its ports are in use, by itself
	says(t, "running", f.Faults, "")
	says(t, "running", f.Notes, "its ports are not tried")

	ec := edgeConfig(t, tokenFor(t, d, "FRA50-1"))
	says(t, "an edge with a token", CheckEdge(ec).Faults, "")
	_, stopEdge := startRole(t, Edge, ec)
	if err := stopEdge(); err != nil {
		t.Fatal(err)
	}
	f = CheckEdge(ec)
	says(t, "a used token", f.Faults, "")
	says(t, "a used token", f.Notes, "left unused")
	ec.Token = ""
	ec.Edges = []string{cc.Journal}
	says(t, "another's port", CheckEdge(ec).Faults, "is in use")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(cc.Data, "authority", "authority.pem")); err != nil {
		t.Fatal(err)
	}
	says(t, "half an authority", CheckControl(cc).Faults, "authority.pem is missing")
}

func TestCheck_Faults(t *testing.T) {
	for _, r := range []struct {
		name   string
		change func(c *Config)
		says   string
	}{
		{"token", func(c *Config) { c.Token = "wfe1.x" }, "--token"},
		{"origin", func(c *Config) { c.Origins = []string{"x"} }, "--origin"},
		{"origins file", func(c *Config) { c.OriginsFile = filepath.Join(c.Data, "none") }, "--origins-file"},
		{"certificates", func(c *Config) { c.EdgesHTTPS, c.Certificates = []string{"127.0.0.1:0"}, c.Data }, "--certificates"},
		{"certificates without https", func(c *Config) { c.EdgesHTTPS, c.Certificates = nil, c.Data }, "https, which is off"},
		{"ready file", func(c *Config) { c.ReadyFile = filepath.Join(c.Data, "file", "ready") }, "--ready-file"},
		{"access log", func(c *Config) { c.AccessLog = filepath.Join(c.Data, "file", "log") }, "--access-log"},
		{"data is a file", func(c *Config) { c.Data = filepath.Join(c.Data, "file") }, "is no directory"},
		{"address", func(c *Config) { c.Edges = []string{"80"} }, "--http"},
		{"tier", func(c *Config) { c.Tier = "4445" }, "--tier"},
		{"tier address", func(c *Config) { c.Tier, c.TierAdvertise = "127.0.0.1:0", "edge1" }, "--tier-advertise"},
		{"tier address without tier", func(c *Config) { c.TierAdvertise = "192.0.2.1:4445" }, "--tier, which is off"},
		{"memory", func(c *Config) { c.CacheSize = 1 << 60 }, "--cache-size"},
		{"disk", func(c *Config) { c.DiskCache = 1 << 60 }, "--disk-cache"},
	} {
		c := edgeConfig(t, "")
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"file": "", "x.crt": "x"} {
			if err := os.WriteFile(filepath.Join(c.Data, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.change(&c)
		says(t, r.name, CheckEdge(c).Faults, r.says)
	}
	c := testConfig(t)
	c.EdgesHTTPS = []string{"127.0.0.1:0"}
	says(t, "fewer https", CheckDev(c).Faults, "--edges-https has 1")
	c.EdgesHTTPS = nil
	c.Getenv = func(name string) string {
		if name == "WARMFRONT_ACCESS_KEY_ID" {
			return "only"
		}
		return ""
	}
	says(t, "half a key", CheckDev(c).Faults, "WARMFRONT_SECRET_ACCESS_KEY")
}
