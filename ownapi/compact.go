package ownapi

import (
	"errors"
	"net/http"
	"time"
)

// Compacted is what a compaction of the journal did.
type Compacted struct {
	Before uint64 `json:"before"` // entries; 0: another control node was faster
	After  uint64 `json:"after"`  // the same as before: most of them are needed, it was left alone
	Base   uint64 `json:"base"`   // who stands below that entry drops what it has cached; 0: nobody
}

// ErrNotCompacted is of a Config.Compact that cannot: the journal is of an earlier version, or where this node may not.
var ErrNotCompacted = errors.New("the journal is not compacted while it runs")

// MostKept is the longest time for which what is younger may be told to stay.
const MostKept = 366 * 24 * time.Hour

// postCompact answers when it is done, however long that takes.
func postCompact(c *call, w http.ResponseWriter) error {
	var in struct {
		KeepSeconds *float64 `json:"keepSeconds"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	var keep *time.Duration
	if s := in.KeepSeconds; s != nil {
		if *s < 0 || *s > MostKept.Seconds() {
			return invalid("keepSeconds is from 0 to %.0f.", MostKept.Seconds())
		}
		keep = new(time.Duration)
		*keep = time.Duration(*s * float64(time.Second))
	}
	if c.h.cfg.Compact == nil {
		return refuse(http.StatusConflict, "Conflict", "This process has no journal that could be compacted.")
	}
	if err := c.h.compactions.enter(); err != nil {
		return err
	}
	defer c.h.compactions.leave()
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the server's limit for reading a request would end it
	done, err := c.h.cfg.Compact(c.Context(), keep)
	if errors.Is(err, ErrNotCompacted) {
		return refuse(http.StatusConflict, "Conflict", "A journal that an earlier version has begun is not compacted while it runs, nor one in a NATS whose account does not permit that. The list of nodes, and so warmfront status, says why.")
	}
	if err != nil {
		return err
	}
	encode(http.StatusOK, done).write(w)
	return nil
}

// JournalExtent is how much a journal holds.
type JournalExtent struct {
	Entries   uint64     `json:"entries"`
	Base      uint64     `json:"base"`
	Bytes     uint64     `json:"bytes"`
	Compacted *time.Time `json:"compacted"` // while it ran; nil: not known

	Uncompacted string `json:"uncompacted"` // why this node does not compact it while it runs; "": it does
}
