package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/warmfront/warmfront/journal"
)

// head is the file that remembers the last confirmed entry, as a witness against the store. It is written
// after each append, and each read of what others may have appended, and never synced: it survives the death of the process, and after a power cut it is at
// worst a little behind, which makes it a weaker witness and never a false one.
//
// Two lines of equal size, written in turn, so that a torn write leaves the other:
//
//	crc32 of the JSON, 8 hex digits | space | {"Epoch":…,"Seq":…,"ID":…} | spaces | newline
type head struct {
	mu   sync.Mutex
	f    *os.File
	pos  journal.Position
	line int64 // where to write next: 0 or 1
}

const headLine = 256

// openHead reads the file, or makes it. A file without a readable line knows nothing.
func openHead(name string) (*head, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	h := &head{f: f}
	if err := h.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	return h, nil
}

// readHead reads what a file remembers, which may be in use.
func readHead(name string) (journal.Position, error) {
	f, err := os.Open(name)
	if err != nil {
		return journal.Position{}, err
	}
	defer f.Close()
	h := head{f: f}
	err = h.read()
	return h.pos, err
}

func (h *head) read() error {
	for line := range int64(2) {
		b := make([]byte, headLine)
		if n, err := h.f.ReadAt(b, line*headLine); n < headLine && err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if p, ok := parseHead(b); ok && p.Seq > h.pos.Seq {
			h.pos, h.line = p, 1-line
		}
	}
	return nil
}

func parseHead(b []byte) (p journal.Position, ok bool) {
	var sum uint32
	if _, err := fmt.Sscanf(string(b[:8]), "%08x", &sum); err != nil {
		return p, false
	}
	body := b[9:]
	if crc32.ChecksumIEEE(body) != sum || json.Unmarshal(body, &p) != nil {
		return journal.Position{}, false
	}
	return p, true
}

// last returns the last confirmed position, zero if none is known.
func (h *head) last() journal.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos
}

// note remembers a confirmed position. Confirmations may come in any order; the greatest counts.
func (h *head) note(p journal.Position) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.Seq <= h.pos.Seq {
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	body := fmt.Appendf(nil, "%-*s\n", headLine-10, b)
	if _, err := h.f.WriteAt(fmt.Appendf(nil, "%08x %s", crc32.ChecksumIEEE(body), body), h.line*headLine); err != nil {
		return err
	}
	h.pos, h.line = p, 1-h.line
	return nil
}

// witnesses remembers an entry that others may have appended: whoever has read it knows that it was confirmed. Of a log that nobody else writes that is
// known already.
func (l *Log) witnesses(e *journal.Entry) {
	if !l.MayLag() || !l.opened.Load() || l.closed.Load() || e.Base > 0 {
		return
	}
	if err := l.head.note(journal.PositionOf(e)); err != nil && !l.closed.Load() {
		l.log.Warn("journal head not written", "err", err) // a weaker witness
	}
}

// forget makes a new beginning.
func (h *head) forget() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos, h.line = journal.Position{}, 0
	return h.f.Truncate(0)
}

func (h *head) close() error { return h.f.Close() }
