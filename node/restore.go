package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/warmfront/warmfront/internal/durable"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// Restore writes a backup to a data directory, which must hold nothing of what is in it, and checks the journal that it then
// holds. What is written last makes it whole: the journal. It returns what the check has found. By root, all of it is given to whom the directory belongs to.
func Restore(ctx context.Context, b *Backup, data string, log *slog.Logger) (found jetstream.Inspected, err error) {
	unlock, err := lockData(data)
	if err != nil {
		return found, err
	}
	defer unlock()
	for _, name := range append([]string{"journal"}, backedUp...) {
		if path := filepath.Join(data, name); exists(path) {
			return found, fmt.Errorf("%s is there: a backup is restored to a directory that holds no control plane. Move it away, or name another with --data", path)
		}
	}
	defer func() { err = errors.Join(err, durable.Give(data)) }()
	for _, f := range b.files {
		path := filepath.Join(data, f.Name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = writeFile(path, f.Data)
		}
		if err != nil {
			return found, err
		}
	}
	c := jetstream.Config{Dir: filepath.Join(data, "journal"), Logger: log}
	if err := jetstream.Restore(ctx, c, b.Entries); err != nil {
		return found, err
	}
	if found, err = jetstream.Inspect(ctx, c, nil); err != nil {
		return found, err
	}
	if found.Entries != uint64(len(b.Entries))+1 {
		err = errors.New("the journal does not hold what was restored to it")
	}
	return found, err
}
