package jetstream

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// born is when a file was made, in words; "": its file system does not say.
func born(name string) string {
	var s unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &s) != nil || s.Mask&unix.STATX_BTIME == 0 {
		return ""
	}
	return fmt.Sprintf(" %d.%09d", s.Btime.Sec, s.Btime.Nsec)
}
