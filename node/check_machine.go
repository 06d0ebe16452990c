package node

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/warmfront/warmfront/internal/units"
)

// sizes must be there.
func (f *Findings) sizes(c *Config, edges int) {
	wants := c.CacheSize * int64(edges)
	switch total := ram(); {
	case total == 0:
	case wants > total:
		f.fault("--cache-size: %s, and this machine has %s of memory", units.Size(wants), units.Size(total))
	case wants > total/4*3:
		f.note("--cache-size: %s of this machine's %s of memory leave little for connections and the system", units.Size(wants), units.Size(total))
	}
	if c.DiskCache == 0 {
		return
	}
	dir := filepath.Join(c.Data, "cache")
	has := int64(0)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			has += info.Size()
		}
	}
	if free, err := freeSpace(c.Data); err == nil && c.DiskCache*int64(edges) > free+has {
		f.fault("--disk-cache: %s, and in %s is room for %s", units.Size(c.DiskCache*int64(edges)), c.Data, units.Size(free+has))
	}
}

// freeSpace is what is free where dir is, or will be.
func freeSpace(dir string) (int64, error) {
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(uint64(s.Bavail) * uint64(s.Bsize)), nil
}

// ram is what the machine has; 0: it does not say.
func ram() int64 {
	m, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer m.Close()
	for s := bufio.NewScanner(m); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "MemTotal:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}
