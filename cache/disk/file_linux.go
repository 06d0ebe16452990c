package disk

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quickFile is a File of Linux.
type quickFile struct {
	*os.File
	fd      uintptr
	grain   int64        // holes are whole multiples of it
	free    bool         // who sends what is in the kernel's memory takes no lock that others hold for long
	reading atomic.Int64 // reads that may be waiting for the disk
}

func quicken(f *os.File) File {
	q := &quickFile{File: f, fd: f.Fd(), grain: pageSize}
	if is := (unix.Statfs_t{}); unix.Fstatfs(int(q.fd), &is) == nil {
		q.grain = max(q.grain, int64(is.Bsize))
	}
	// Objects are read one by one, each as a whole: what lies behind one is nobody's next wish.
	_ = unix.Fadvise(int(q.fd), 0, 0, unix.FADV_RANDOM)
	q.free = untimed(int(q.fd)) && lockless(int(q.fd))
	return q
}

// untimed has the kernel not note when the file was read. It would after each write, in the file system's own journal, and
// whoever reads next would wait for that.
func untimed(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_NOATIME)
	}
	return err == nil
}

// lockless tells whether the file system has what is in memory read while it is written to. Others, XFS among them, have
// those who read wait for who writes, and him for the disk.
func lockless(fd int) bool {
	var is unix.Statfs_t
	if unix.Fstatfs(fd, &is) != nil {
		return false
	}
	switch int64(is.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// ReadAt implements File.
func (f *quickFile) ReadAt(p []byte, off int64) (int, error) {
	f.reading.Add(1)
	defer f.reading.Add(-1)
	return f.File.ReadAt(p, off)
}

// Prompt implements Quick.
func (f *quickFile) Prompt() bool { return f.free && f.reading.Load() == 0 }

// Punch implements Quick. Where the kernel keeps files in larger pages, or the file system in larger blocks, than slots are aligned to,
// a part of one would be overwritten with zeros in its place, also under who sends it: there it cannot be done.
func (f *quickFile) Punch(off, size int64) error {
	if off%f.grain != 0 || size%f.grain != 0 {
		return errors.ErrUnsupported
	}
	return unix.Fallocate(int(f.fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, size)
}

// Descriptor implements Quick.
func (f *quickFile) Descriptor() (fd uintptr, ok bool) { return f.fd, true }

// Resident implements Quick. Before Linux 6.5 nobody tells of so many pages: there it is the last one's. Now and then the
// kernel counts too few (seen with 6.18, a few times in a hundred thousand on a busy core), and all when it is asked again.
func (f *quickFile) Resident(off, size int64) bool {
	all := uint64((off+size-1)/pageSize - off/pageSize + 1)
	n, ok := f.pages(off, size)
	if ok && n < all {
		n, ok = f.pages(off, size)
	}
	if !ok {
		var last [1]byte
		return f.ReadNow(last[:], off+size-1)
	}
	return n == all
}

// pages is how many there are in memory; ok is false where the kernel does not tell.
func (f *quickFile) pages(off, size int64) (n uint64, ok bool) {
	in, is := unix.CachestatRange{Off: uint64(off), Len: uint64(size)}, unix.Cachestat_t{}
	_, _, errno := syscall.RawSyscall6(unix.SYS_CACHESTAT, f.fd, uintptr(unsafe.Pointer(&in)), uintptr(unsafe.Pointer(&is)), 0, 0, 0)
	return is.Cache, errno == 0
}

var pageSize = int64(os.Getpagesize())

// ReadNow implements Quick. It copies and never waits, so it goes around the scheduler's bookkeeping. File systems that
// cannot tell whether they would have to wait are as if they always had to.
func (f *quickFile) ReadNow(p []byte, off int64) bool {
	if len(p) == 0 {
		return true
	}
	for {
		iov := syscall.Iovec{Base: unsafe.SliceData(p)}
		iov.SetLen(len(p))
		n, _, errno := syscall.RawSyscall6(unix.SYS_PREADV2, f.fd, uintptr(unsafe.Pointer(&iov)), 1, uintptr(off), 0, unix.RWF_NOWAIT)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return false
		default:
			return int(n) == len(p)
		}
	}
}
