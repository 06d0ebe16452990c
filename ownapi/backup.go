package ownapi

import (
	"bufio"
	"io"
	"net/http"
	"time"
)

// streamBackup answers with the control plane's data. What goes wrong before the first octets is an answer that says so; later
// the connection is cut, and the backup lacks its end.
func streamBackup(c *call, w http.ResponseWriter) error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if c.h.cfg.Backup == nil {
		return refuse(http.StatusConflict, "Conflict", "This process cannot be backed up.")
	}
	if err := c.h.backups.enter(); err != nil {
		return err
	}
	defer c.h.backups.leave()
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{}) // the server's limit for reading a request would end it
	began := &beginning{w: w}
	out := bufio.NewWriterSize(began, 64<<10)
	err := c.h.cfg.Backup(c.Context(), out)
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
		return nil
	case !began.done:
		return err
	}
	c.h.cfg.Logger.Warn("a backup was cut off", "err", err)
	panic(http.ErrAbortHandler)
}

// beginning writes the head of the answer with its first octets.
type beginning struct {
	w    http.ResponseWriter
	done bool
}

func (b *beginning) Write(p []byte) (int, error) {
	if !b.done {
		b.done = true
		b.w.Header().Set("Content-Type", "application/gzip")
		b.w.WriteHeader(http.StatusOK)
	}
	return b.w.Write(p)
}

var _ io.Writer = (*beginning)(nil)
