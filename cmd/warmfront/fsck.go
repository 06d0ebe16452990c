package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/journal/jetstream"
)

const fsckLong = `Reads the journal of a data directory, or of a copy of one, from its first entry to its last, and checks that each
continues the chain of those before it and that the last one that was confirmed is there. It changes nothing: what is read
is a copy, made in the directory and removed at the end. The process whose directory it is must not run.

Of one of several control nodes it reads the replica, which may be behind: what it is told to have confirmed, others have too, and it gets it
from them when it starts. To compare the replicas, compare the last entries that this prints.

The exit code is 0 when all is in order, 1 when something is missing or damaged, or could not be read.`

func fsckCommand() *cobra.Command {
	var data, level, format string
	cmd := &cobra.Command{
		Use: "fsck", Short: "Check the journal of a data directory",
		Long: fsckLong, Args: cobra.NoArgs,
		Example: "  warmfront fsck --data /var/lib/warmfront\n  warmfront fsck --data /backup/warmfront-2026-05-01",
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logger(level, format)
			if err != nil {
				return err
			}
			return fsck(cmd, data, log)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", defaultData(), "`directory` of warmfront control or warmfront dev")
	f.StringVar(&level, "log-level", "error", "`level` of what the journal's engine says: debug, info, warn, error")
	f.StringVar(&format, "log-format", "text", "`format`: text, json")
	return cmd
}

func fsck(cmd *cobra.Command, data string, log *slog.Logger) error {
	out, told := cmd.OutOrStdout(), time.Now()
	found, err := jetstream.Inspect(cmd.Context(), jetstream.Config{Dir: filepath.Join(data, "journal"), Logger: log}, func(read, of uint64) {
		if time.Since(told) > time.Second {
			fmt.Fprintf(out, "entry %s of about %s\n", number(read), number(of))
			told = time.Now()
		}
	})
	if found.Entries > 0 {
		fmt.Fprintf(out, "%s entries in order, the last is entry %s, %s of %s\n", number(found.Entries), number(found.Last.Seq), found.Last.ID, found.Epoch)
	}
	if found.Base > 0 {
		fmt.Fprintf(out, "what was before entry %s has been compacted\n", number(found.Base))
	}
	if found.Confirmed.Seq > 0 {
		fmt.Fprintf(out, "entry %s was the last that is known to have been confirmed\n", number(found.Confirmed.Seq))
	}
	if err != nil {
		return err
	}
	if found.Replica && found.Last.Seq < found.Confirmed.Seq {
		_, err = fmt.Fprintln(out, "this replica is in order as far as it goes; it gets the rest from the others when it starts")
		return err
	}
	_, err = fmt.Fprintln(out, "the journal is in order")
	return err
}
