package jetstream

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockDir takes the file's lock, which the system gives back when the process ends, however it ends. Two
// engines on one directory would destroy it.
func lockDir(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is locked by another process. Is Warmfront running already? Stop it, or give this one a directory of its own", ErrInUse, name)
		}
		return nil, fmt.Errorf("journal: lock %s: %w", name, err)
	}
	return f, nil
}

// free returns how many bytes may still be written below dir.
func free(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // of other types on other systems
}
