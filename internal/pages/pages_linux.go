package pages

import "golang.org/x/sys/unix"

// Reserve returns n octets of address space outside of the heap, all zero. Memory is what is written to, until
// it is dropped. The garbage collector knows nothing of it: Release gives it back.
func Reserve(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	// A huge page would be memory for many pieces when one is used. Not every kernel knows them.
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(b, unix.MADV_DONTDUMP)
	return b, nil
}

// Release gives back what Reserve returned.
func Release(b []byte) { _ = unix.Munmap(b) }

// populate does nothing where the kernel does not know how: then pages come when they are written to.
func populate(b []byte) { _ = unix.Madvise(b, unix.MADV_POPULATE_WRITE) }

// Drop gives the memory of whole pages back to the kernel. The addresses stay, and are zero when they are used
// again.
func Drop(b []byte) error { return unix.Madvise(b, unix.MADV_DONTNEED) }
