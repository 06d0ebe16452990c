package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// AccessLog writes a line for every request (accessline.go). Requests append their lines to one of
// several buffers; one goroutine, Run, writes what has gathered: within half a second, or when a buffer
// has 64 KiB. Make it with OpenAccessLog.
//
// Limits (L9): a buffer takes stripeRoom; what comes while it is full, because the disk is slower than
// the viewers, or what cannot be written, is dropped, counted and reported.
type AccessLog struct {
	path   string // "" writes to out only
	out    io.Writer
	file   *os.File // out, when there is a path; Run's
	format *lineFormat
	log    *slog.Logger

	stripes [lineStripes]lineStripe
	wake    chan struct{} // capacity 1: some buffer has enough
	lost    atomic.Uint64 // lines that could not be written

	// Run's.
	spare    []byte // what the next buffer is exchanged for
	reported uint64 // of dropped
	last     time.Time
	failure  error
}

const (
	lineStripes = 8
	stripeRoom  = 256 << 10
	// fullStripe is how much is written without waiting for more: little enough that it is still in the
	// core's cache.
	fullStripe = 64 << 10
	// lineFlush is how long a line waits at most.
	lineFlush = 500 * time.Millisecond
	// dropReport is how often drops are reported at most.
	dropReport = 10 * time.Second
)

// lineStripe is one buffer with its lock, which is held for as long as it takes to write a line into it.
type lineStripe struct {
	mu      sync.Mutex
	buf     []byte
	clock   lineClock
	dropped uint64
	_       [64]byte // the next one's line
}

// OpenAccessLog opens the file at path for appending, creating it if need be, or writes to out when path is
// "-". The file may be renamed or removed at any time: another one is begun under its name. format is one
// of AccessLogFormats.
func OpenAccessLog(path, format string, out io.Writer, log *slog.Logger) (*AccessLog, error) {
	f := lineFormats[format]
	if f == nil {
		return nil, fmt.Errorf("there is no access log format %q", format)
	}
	l := &AccessLog{path: path, out: out, format: f, log: log, wake: make(chan struct{}, 1)}
	if path == "-" {
		l.path = ""
		_, err := io.WriteString(out, f.head)
		return l, err
	}
	return l, l.open()
}

// Observe appends r's line. It may be called concurrently, does not keep r and does not block.
func (l *AccessLog) Observe(r *Request) {
	s := &l.stripes[r.Stripe%lineStripes]
	s.mu.Lock()
	had := len(s.buf)
	if had >= stripeRoom {
		s.dropped++
		s.mu.Unlock()
		return
	}
	s.buf = l.format.line(s.buf, r, &s.clock)
	filled := had < fullStripe && len(s.buf) >= fullStripe
	s.mu.Unlock()
	if filled {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Run writes until ctx ends, then what is left, and closes the file. Every Observe must be over by then.
func (l *AccessLog) Run(ctx context.Context) error {
	t := time.NewTicker(lineFlush)
	defer t.Stop()
	for {
		select {
		case <-l.wake:
			l.flush()
		case now := <-t.C:
			l.follow()
			l.flush()
			l.report(now)
		case <-ctx.Done():
			l.flush()
			l.last = time.Time{}
			l.report(time.Now())
			if l.file != nil {
				return l.file.Close()
			}
			return nil
		}
	}
}

// flush exchanges one buffer after the other and writes it.
func (l *AccessLog) flush() {
	for i := range l.stripes {
		s := &l.stripes[i]
		s.mu.Lock()
		full := s.buf
		if len(full) > 0 {
			s.buf = l.spare[:0]
		}
		s.mu.Unlock()
		if len(full) == 0 {
			continue
		}
		if n, err := l.out.Write(full); err != nil {
			l.failure = err
			l.lost.Add(uint64(bytes.Count(full[n:], []byte{'\n'})))
		}
		l.spare = full
	}
}

// report says what has been dropped since the last time.
func (l *AccessLog) report(now time.Time) {
	dropped := l.Dropped()
	if dropped == l.reported || now.Sub(l.last) < dropReport {
		return
	}
	l.log.Warn("access log lines dropped", "lines", dropped-l.reported, "err", l.failure)
	l.reported, l.last, l.failure = dropped, now, nil
}

// Dropped is how many lines have been dropped. It may be called concurrently.
func (l *AccessLog) Dropped() uint64 {
	n := l.lost.Load()
	for i := range l.stripes {
		s := &l.stripes[i]
		s.mu.Lock()
		n += s.dropped
		s.mu.Unlock()
	}
	return n
}

// follow begins another file when ours is not under its name any more: whoever rotates logs renames them.
func (l *AccessLog) follow() {
	if l.file == nil {
		return
	}
	ours, err := l.file.Stat()
	if err != nil {
		return
	}
	if there, err := os.Stat(l.path); err == nil && os.SameFile(ours, there) {
		return
	}
	old := l.file
	l.flush() // what was answered before belongs there
	if err := l.open(); err != nil {
		l.log.Warn("access log goes on in the file that was renamed", "path", l.path, "err", err)
		return
	}
	old.Close()
}

func (l *AccessLog) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if st, err := f.Stat(); err == nil && st.Size() == 0 {
		if _, err := io.WriteString(f, l.format.head); err != nil {
			f.Close()
			return err
		}
	}
	l.file, l.out = f, f
	return nil
}
