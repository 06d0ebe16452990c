package disk

import (
	"io"
	"os"
)

// File is what a Store needs of the file that it keeps everything in. Tests have one that fails, tears
// and forgets. Its methods may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Quick is a File that can be asked for what is to be had without waiting for a disk.
type Quick interface {
	File
	// ReadNow is ReadAt, if all of p is in the kernel's memory. Otherwise it returns false, and p holds anything.
	ReadNow(p []byte, off int64) bool
	// Resident tells whether the kernel has all of it in memory, or is just reading it.
	Resident(off, size int64) bool
	// Punch lets go of whole pages: what has been sent from them and is still on its way stays what it was, whatever is
	// written there afterwards. They read as zeros. An error says that it cannot be done here.
	Punch(off, size int64) error
	// Descriptor is for the kernel to send from; ok is false if there is none.
	Descriptor() (fd uintptr, ok bool)
	// Prompt tells whether what is Resident is now sent without waiting: neither for a page that is just being read, nor for
	// a lock that is held by who writes.
	Prompt() bool
}

// OpenFile opens the file, or makes it. The octets of a sparse file take no room until they are written.
func OpenFile(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return quicken(f), nil
}
