package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/internal/durable"
	"github.com/warmfront/warmfront/node"
)

const backupLong = `Asks a running control node, or warmfront dev, for all that a control plane needs to be there again, and writes it to a file: distributions,
policies, invalidations and their history, who is admitted, from the journal, as far as it is still needed; users, access keys, and the
authority. It is one state, that of the moment; the node goes on meanwhile. What edges have cached is not in it.

The file holds keys in the clear: who has it can make edges and call the API. It is written readable for its owner only, and appears when it
is whole.`

func backupCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "backup <file>", Short: "Write the control plane's data to a file, while it runs",
		Long: backupLong, Args: cobra.ExactArgs(1),
		Example: "  warmfront backup /backup/warmfront-$(date +%F).gz",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			f, err := os.CreateTemp(filepath.Dir(args[0]), "."+filepath.Base(args[0])+"-*")
			if err != nil {
				return err
			}
			defer os.Remove(f.Name())
			defer f.Close()
			if err := api.Backup(cmd.Context(), f); err != nil {
				return c.failed(err)
			}
			if _, err := f.Seek(0, 0); err != nil {
				return err
			}
			b, err := node.ReadBackup(f)
			if err != nil {
				return err
			}
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				return err
			}
			if err := os.Rename(f.Name(), args[0]); err != nil {
				return err
			}
			if err := durable.SyncDir(filepath.Dir(args[0])); err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), aboutBackup{args[0], b.Version, b.Time, len(b.Entries)}, false)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of Warmfront %s, at %s\n", args[0], entries(len(b.Entries)), b.Version, b.Time.Format(time.RFC3339))
			return err
		},
	}
	c.flags(cmd, "print what was written as JSON")
	return cmd
}

type aboutBackup struct {
	File    string    `json:"file"`
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	Entries int       `json:"entries"`
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return number(n) + " entries"
}

const restoreLong = `Writes a backup to a data directory, which must hold no control plane yet, and checks the journal there as warmfront fsck does. Then
warmfront control, or warmfront dev, can be started on it.

What came after the backup was taken is gone: changes, invalidations, and who was admitted or removed. The journal is another history, so each
edge that comes back drops what it has cached, and nothing wrong is served. Edges that were admitted later need a token; those that
were removed later must be removed again. The nodes of the plane that is restored must be off, and stay off.`

func restoreCommand() *cobra.Command {
	var data, level, format string
	cmd := &cobra.Command{
		Use: "restore <file>", Short: "Write a backup to a new data directory",
		Long: restoreLong, Args: cobra.ExactArgs(1),
		Example: "  warmfront restore /backup/warmfront-2026-05-01.gz --data /var/lib/warmfront",
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := logger(level, format)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			b, err := node.ReadBackup(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			found, err := node.Restore(cmd.Context(), b, data, log)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds the backup of %s now: %s, the journal is in order\n", data, b.Time.Format(time.RFC3339), entries(int(found.Entries)))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", defaultData(), "`directory` that becomes a control plane's")
	f.StringVar(&level, "log-level", "error", "`level` of what the journal's engine says: debug, info, warn, error")
	f.StringVar(&format, "log-format", "text", "`format`: text, json")
	return cmd
}
