package disk

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quickFile is a File of Linux.
type quickFile struct {
	*os.File
	fd uintptr
}

func quicken(f *os.File) File {
	q := &quickFile{f, f.Fd()}
	// Objects are read one by one, each as a whole: what lies behind one is nobody's next wish.
	_ = unix.Fadvise(int(q.fd), 0, 0, unix.FADV_RANDOM)
	return q
}

// Punch implements Quick.
func (f *quickFile) Punch(off, size int64) error {
	return unix.Fallocate(int(f.fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, size)
}

// Descriptor implements Quick.
func (f *quickFile) Descriptor() (fd uintptr, ok bool) { return f.fd, true }

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
