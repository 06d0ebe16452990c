package edge

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/warmfront/warmfront/httpcache"
	"github.com/warmfront/warmfront/internal/compress"
	"github.com/warmfront/warmfront/origin"
)

// Compression. What an origin sends as it is, and a behavior compresses, is compressed on its way into the
// flight: its readers and the store get the compressed octets, and a hit costs what every hit costs. The object
// lies under the key of what its viewers accept, and remembers what the origin had said of entity tag and Vary:
// the origin is asked about its own tag, viewers about the weak one (RFC 9110 section 8.8.1).

// compressWait is how long a fill waits, with its head, for its turn when others take all the memory.
const compressWait = time.Second

// compressors bounds what compressing costs, and counts it.
type compressors struct {
	room    *semaphore.Weighted
	busy    atomic.Int64  // octets in use
	done    atomic.Uint64 // bodies compressed, or begun to be
	refused atomic.Uint64 // bodies left as they were, because there was no room
}

// reserve takes the memory for one body, or says that there is none.
func (c *compressors) reserve(ctx context.Context, n int64) bool {
	wait, cancel := context.WithTimeout(ctx, compressWait)
	defer cancel()
	if c.room.Acquire(wait, n) != nil {
		if ctx.Err() == nil {
			c.refused.Add(1)
		}
		return false
	}
	c.busy.Add(n)
	c.done.Add(1)
	return true
}

func (c *compressors) release(n int64) {
	c.busy.Add(-n)
	c.room.Release(n)
}

// compress changes head and body of an answer that is to be compressed; done gives back what that takes. f.marks is
// what the object then has beside its fields.
func (f *flight) compress(resp *origin.Response, h *head) (done func()) {
	coding := f.behavior.ContentCoding(f.request)
	if coding == "" || h.sliced || f.span != "" || httpcache.CanCompress(resp.Status, resp.Fields, resp.ContentLength) != httpcache.Compressible {
		return func() {}
	}
	need, pool := compress.Memory(coding, resp.ContentLength), &f.e.compressors
	if !pool.reserve(f.ctx, need) {
		return func() {}
	}
	f.marks = compressionMarks(h.shared, coding)
	h.fields, h.shared = httpcache.Compressed(h.fields, coding), httpcache.Compressed(h.shared, coding)
	h.source, h.length = h.length, -1
	r := compress.New(resp.Body, coding, resp.ContentLength, f.cancel)
	resp.Body = r
	return func() {
		r.Close()
		pool.release(need)
	}
}
