//go:build planted

package node

import (
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/cache/disk"
)

// suffering has the disk caches of a build for tests stall, if WARMFRONT_DISK says so.
func suffering(f disk.File) disk.File {
	if q, ok := f.(disk.Quick); ok && os.Getenv("WARMFRONT_DISK") == "stalls" {
		return &stalling{Quick: q, from: time.Now().Add(stallFor)}
	}
	return f
}

// stalling is a file on a disk that does not answer some reads for a while, longer than anybody waits for it. Half of what the kernel
// has in its memory is as if it had not.
type stalling struct {
	disk.Quick
	from time.Time // before that it is being opened
	now  atomic.Int64
}

const (
	stallFor  = 2 * time.Second
	stallMost = 3 // at once: what is read on an old snapshot keeps its rules from being forgotten
)

// ReadAt implements disk.File.
func (f *stalling) ReadAt(p []byte, off int64) (int, error) {
	if rand.IntN(4) == 0 && time.Now().After(f.from) {
		if f.now.Add(1) <= stallMost {
			<-time.After(stallFor)
		}
		f.now.Add(-1)
	}
	return f.Quick.ReadAt(p, off)
}

// ReadNow implements disk.Quick.
func (f *stalling) ReadNow(p []byte, off int64) bool {
	return rand.IntN(2) == 0 && f.Quick.ReadNow(p, off)
}
