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

// OpenFile opens the file, or makes it. The octets of a sparse file take no room until they are written.
func OpenFile(path string) (File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
