package disk

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// health of one direction, reading or writing. After a failure the disk is left alone for a while, and
// each time it fails again for twice as long. It is said once that it fails and once that it works again.
type health struct {
	log     *slog.Logger
	what    string
	failing atomic.Bool

	mu    sync.Mutex
	until time.Time
	pause time.Duration
}

const (
	leastPause = time.Second
	mostPause  = 5 * time.Minute
)

// well tells whether the disk may be asked: it does not fail, or has been left alone for long enough.
func (h *health) well() bool {
	if !h.failing.Load() {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return !time.Now().Before(h.until)
}

func (h *health) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.failing.Load() && now.Before(h.until) {
		return // one of several that were under way at once
	}
	if !h.failing.Load() {
		h.log.Error("disk cache fails; going on without it", "op", h.what, "err", err)
	}
	h.pause = min(max(leastPause, 2*h.pause), mostPause)
	h.until = now.Add(h.pause)
	h.failing.Store(true)
}

func (h *health) worked() {
	if !h.failing.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing.Load() && !time.Now().Before(h.until) {
		h.log.Info("disk cache works again", "op", h.what)
		h.failing.Store(false)
		h.pause = 0
	}
}
