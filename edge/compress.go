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
const compressWait = 3 * time.Second

// compressors bounds what compressing costs, and counts it. What is gathered and what is streamed have a half of the
// memory each: bodies that come slowly must not keep the others from being compressed.
type compressors struct {
	gathered allowance
	streamed allowance
	done     atomic.Uint64 // bodies compressed, or begun to be
	refused  atomic.Uint64 // bodies left as they were, because there was no room
}

func (c *compressors) busy() int64 { return c.gathered.busy.Load() + c.streamed.busy.Load() }

// allowance is a number of octets that are taken and given back.
type allowance struct {
	room *semaphore.Weighted
	busy atomic.Int64 // octets in use
	vain atomic.Bool  // somebody has waited for nothing, and nothing has been given back since
}

// try takes n octets if they are there.
func (a *allowance) try(n int64) bool {
	if !a.room.TryAcquire(n) {
		return false
	}
	a.busy.Add(n)
	return true
}

// take takes n octets, and waits for them, unless it has turned out to be vain: what is held by bodies that do not
// move must not cost every fill the wait.
func (a *allowance) take(ctx context.Context, n int64) bool {
	if a.try(n) {
		return true
	}
	if a.vain.Load() {
		return false
	}
	wait, cancel := context.WithTimeout(ctx, compressWait)
	defer cancel()
	if a.room.Acquire(wait, n) != nil {
		if ctx.Err() == nil {
			a.vain.Store(true)
		}
		return false
	}
	a.busy.Add(n)
	return true
}

func (a *allowance) give(n int64) {
	a.busy.Add(-n)
	a.room.Release(n)
	a.vain.Store(false)
}

// reserve takes the memory for a body, or says that there is none. more takes what a small one needs besides, if it
// comes in pieces; release gives all of it back.
func (c *compressors) reserve(ctx context.Context, coding string, length int64) (more func() bool, release func(), ok bool) {
	first, besides := compress.Memory(coding, length)
	from := &c.gathered
	if besides == 0 {
		from = &c.streamed
	}
	if !from.take(ctx, first) {
		if ctx.Err() == nil {
			c.refused.Add(1)
		}
		return nil, nil, false
	}
	c.done.Add(1)
	taken := false
	more = func() bool {
		taken = taken || c.streamed.try(besides)
		return taken
	}
	release = func() {
		from.give(first)
		if taken {
			c.streamed.give(besides)
		}
	}
	return more, release, true
}

// compress changes head and body of an answer that is to be compressed; done gives back what that takes. f.marks is
// what the object then has beside its fields.
func (f *flight) compress(resp *origin.Response, h *head) (done func()) {
	coding := f.behavior.ContentCoding(f.request)
	if coding == "" || h.sliced || f.span != "" || httpcache.CanCompress(resp.Status, resp.Fields, resp.ContentLength) != httpcache.Compressible {
		return func() {}
	}
	more, release, ok := f.e.compressors.reserve(f.ctx, coding, resp.ContentLength)
	if !ok {
		return func() {}
	}
	f.marks = compressionMarks(h.shared, coding)
	h.fields, h.shared = httpcache.Compressed(h.fields, coding), httpcache.Compressed(h.shared, coding)
	h.source, h.length = h.length, -1
	r := compress.New(resp.Body, coding, resp.ContentLength, compress.Room{Cancel: f.cancel, More: more})
	resp.Body = r
	return func() {
		r.Close()
		release()
	}
}
