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
}

// OpenFile opens the file, or makes it. The octets of a sparse file take no room until they are written.
func OpenFile(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return quicken(f), nil
}
