package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// volume is a file system of its own, in an image that lies in a file: it can be full, and what a power cut would leave of it can be
// looked at.
type volume struct {
	image, dir string
}

// newVolume mounts an empty one below dir. An error says why that cannot be done here.
func newVolume(t *testing.T, dir string, mebibytes int64) (*volume, error) {
	t.Helper()
	v := &volume{image: filepath.Join(dir, "image"), dir: filepath.Join(dir, "mounted")}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(v.image)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(mebibytes << 20); err != nil {
		return nil, err
	}
	f.Close()
	if err := run("mkfs.ext4", "-q", v.image); err != nil {
		return nil, err
	}
	if err := v.mount(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { v.unmount() })
	return v, nil
}

func (v *volume) mount() error   { return run("mount", "-o", "loop", v.image, v.dir) }
func (v *volume) unmount() error { return run("umount", v.dir) }

// slow lets whoever writes there, or waits for what is written, wait again and again: the file system stands still, and goes on for
// a moment. Reads go on.
func (v *volume) slow(still, moment time.Duration) (quick func() error, err error) {
	end, ended := make(chan struct{}), make(chan error, 1)
	if err := v.freeze("-f"); err != nil {
		return nil, err
	}
	go func() {
		for {
			<-time.After(still)
			if err := v.freeze("-u"); err != nil {
				ended <- err
				return
			}
			select {
			case <-end:
				ended <- nil
				return
			case <-time.After(moment):
			}
			if err := v.freeze("-f"); err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() error { close(end); return <-ended }, nil
}

func (v *volume) freeze(how string) error { return run("fsfreeze", how, v.dir) }

// cutPower copies what has been written through to the image: what is in the kernel's memory only is lost, as it is when the
// power goes. Who writes there must be standing still.
func (v *volume) cutPower() error { return run("cp", "--sparse=always", v.image, v.image+".cut") }

// powerOn mounts what the cut has left. Nobody has anything open there.
func (v *volume) powerOn() error {
	if err := v.unmount(); err != nil {
		return err
	}
	if err := os.Rename(v.image+".cut", v.image); err != nil {
		return err
	}
	return v.mount()
}

// fill leaves nothing free, until empty.
func (v *volume) fill() (empty func() error, err error) {
	name := filepath.Join(v.dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for b := make([]byte, 1<<20); ; {
		if _, err := f.Write(b); err != nil {
			break
		}
	}
	if i, err := f.Stat(); err != nil || i.Size() == 0 {
		return nil, fmt.Errorf("nothing could be written: %v", err)
	}
	return func() error { return os.Remove(name) }, nil
}
