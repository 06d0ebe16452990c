package pages

import "golang.org/x/sys/unix"

func reserve(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	// A huge page would be memory for many pieces when one is used. Not every kernel knows them.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(b, unix.MADV_DONTDUMP)
	return b, nil
}

func release(b []byte) { _ = unix.Munmap(b) }

func drop(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
