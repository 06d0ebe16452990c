package jetstream

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/warmfront/warmfront/journal"
)

// A log that was opened in spite of a loss, restored, or put back from a copy, is doubted (journal.Doubtful), across starts until that has been
// settled. Two files beside the store say so:
//
//	doubtful   it is; empty. A cluster's new replicas get it by the stream's metadata (carriedDoubt)
//	home       the number of the file "head" in its file system, and when it was made: in a copy one of them is another one,
//	           for a file system may give the number of what was removed to what is put into its place
//
// A copy that is written over the files themselves is not noticed, nor is a file system that was set back, or a directory that was moved aside
// and back.
const (
	doubtful = "doubtful"
	home     = "home"
)

var _ journal.Doubtful = (*Log)(nil)

// Doubt implements journal.Doubtful. Without a network the edges are of this process, and none of them has outlived the one before.
func (l *Log) Doubt() bool { return l.doubt && l.c.Network != nil }

// Doubted implements journal.Doubtful.
func (l *Log) Doubted() error { return l.c.doubts() }

// Settled implements journal.Doubtful.
func (l *Log) Settled() error {
	err := os.Remove(l.c.path(doubtful))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncFile(l.c.Dir))
}

// doubts marks the log, durably.
func (c Config) doubts() error {
	err := os.WriteFile(c.path(doubtful), nil, 0o600)
	if err == nil {
		err = syncFile(c.Dir)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// moved reports whether the log is a copy. Where nothing is known it is none.
func (c Config) moved() bool {
	b, err := os.ReadFile(c.path(home))
	at := c.at()
	return err == nil && bytes.HasSuffix(b, []byte("\n")) && at != "" && string(b) != at
}

// at is what "home" says where nothing was copied; "": there is no log.
func (c Config) at() string {
	i, err := os.Lstat(c.path("head"))
	if err != nil {
		return ""
	}
	s, ok := i.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d%s\n", s.Ino, born(c.path("head")))
}

// settles notes where the log is now. It is not synced: a torn note says nothing.
func (c Config) settles() {
	at := c.at()
	if b, err := os.ReadFile(c.path(home)); at == "" || err == nil && string(b) == at {
		return
	}
	if err := os.WriteFile(c.path(home), []byte(at), 0o600); err != nil {
		c.Logger.Warn("journal: where it is cannot be noted: it will be taken for a copy, or a copy of it will not be known as one", "err", err)
	}
}

// examine finds out whether the log is doubted, before it is opened.
func (l *Log) examine() error {
	c := l.c
	loss := c.AcceptLoss || c.old != nil && c.old.doubt
	if copied := c.moved(); copied || loss {
		if copied {
			c.Logger.Warn("this journal is a copy, or was put back from one: there may be edges that it does not know", "dir", c.Dir)
		}
		if err := c.doubts(); err != nil {
			return err
		}
	}
	l.doubt = exists(c.path(doubtful))
	return nil
}
