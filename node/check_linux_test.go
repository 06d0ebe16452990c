package node

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Where the data directory is a file system of its own, root has something in it.
func TestCheck_LostAndFound(t *testing.T) {
	c := edgeConfig(t, "")
	for _, name := range []string{"lost+found", "journal"} {
		if err := os.MkdirAll(filepath.Join(c.Data, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for dir := c.Data; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lost+found", "journal"} {
		if err := os.Chmod(filepath.Join(c.Data, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	var f Findings
	done := make(chan struct{})
	go func() { // the thread ends with it: it is nobody's who may do everything
		defer close(done)
		runtime.LockOSThread()
		const nobody = 65534
		unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
		f.directory("data", c.Data)
	}()
	<-done
	says(t, "another's directory", f.Faults, "journal")
	if strings.Contains(strings.Join(f.Faults, " "), "lost+found") {
		t.Errorf("%q", f.Faults)
	}
}
