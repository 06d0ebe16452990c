package jetstream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// How a compacted log, written anew, takes the place of the old one. A directory can be, from one to the next:
//
//	jetstream head                                              a log
//	jetstream head  rewriting/{jetstream head}                  being rewritten: the old one counts
//	jetstream head  rewritten/{jetstream head}                  the new one counts
//	                rewritten/{jetstream head}  previous/{…}    while things are moved, one by one
//	jetstream head                              previous/{…}    the new one is in place
//	jetstream head                                              it has been opened: a log
//
// The rename of rewriting to rewritten is the moment. Whatever is found on a start is brought to its end
// by settle: before that moment undone, after it finished. Each change is synced before the next.
const (
	rewriting = "rewriting"
	rewritten = "rewritten"
	previous  = "previous"
)

// parts are what makes up a log. The rest of a directory is its lock.
var parts = []string{"jetstream", "head"}

func (c Config) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// settle brings what a compaction left to a defined end. It runs before anything else looks at the directory.
func (c Config) settle() error {
	if exists(c.path(rewriting)) {
		c.Logger.Info("an unfinished compaction of the journal is dropped", "dir", c.Dir)
		if err := os.RemoveAll(c.path(rewriting)); err != nil {
			return fmt.Errorf("journal: unfinished compaction: %w", err)
		}
	}
	if !exists(c.path(rewritten)) {
		return nil
	}
	if err := c.moveIn(); err != nil {
		return fmt.Errorf("journal: the rewritten log in %s cannot take its place: %w", c.path(rewritten), err)
	}
	return nil
}

// moveIn puts the parts of the rewritten log into their places, as far as they are not there yet.
func (c Config) moveIn() error {
	if c.moved() {
		if err := c.doubts(); err != nil { // it cannot be told any more when head is another one
			return err
		}
	}
	if err := os.Mkdir(c.path(previous), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, part := range parts {
		if !exists(c.path(rewritten, part)) {
			continue
		}
		if exists(c.path(part)) {
			if err := c.rename(part, filepath.Join(previous, part)); err != nil {
				return err
			}
		}
		if err := c.rename(filepath.Join(rewritten, part), part); err != nil {
			return err
		}
	}
	c.settles()
	if err := os.RemoveAll(c.path(rewritten)); err != nil {
		return err
	}
	c.step("remove " + rewritten)
	return syncFile(c.Dir)
}

// removePrevious drops the log from before the compaction: the one that took its place has been opened.
func (c Config) removePrevious() {
	if !exists(c.path(previous)) {
		return
	}
	if err := os.RemoveAll(c.path(previous)); err != nil {
		c.Logger.Warn("the journal from before its compaction cannot be removed", "dir", c.path(previous), "err", err)
	}
	c.step("remove " + previous)
}

// withPrevious adds to the reason why a log does not open that there is an older one.
func (c Config) withPrevious(err error) error {
	if exists(c.path(previous)) {
		err = fmt.Errorf("%w. The log from before it was compacted is still in %s", err, c.path(previous))
	}
	return err
}

// rename moves something inside the directory, durably.
func (c Config) rename(from, to string) error {
	if err := os.Rename(c.path(from), c.path(to)); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(c.path(to)), filepath.Dir(c.path(from))} {
		if err := syncFile(dir); err != nil {
			return err
		}
	}
	c.step("rename " + from + " to " + to)
	return nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// syncTree makes a directory durable, with all that is in it. The engine may be running on it: then it may replace its index, by way of a file that is there for a
// moment.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = syncFile(name)
		}
		if name != dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// syncFile makes a file durable, or the names in a directory.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
