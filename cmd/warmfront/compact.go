package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/ownapi/client"
)

const compactLong = `Asks a running control node, or warmfront dev, to leave out of its journal what is not needed any more, without waiting until it has grown
as --journal-entries says. Everything goes on meanwhile, and history, receipts and audit trail are as before. An edge that has been away since before what is left whole of the
journal, a day in general, drops what it has cached; --keep says another time, and that whatever is older goes; without it, nothing does if that is less
than half. A journal of several control nodes that an earlier version has begun is not compacted while it runs, nor one in a NATS of yours whose account does not permit that;
warmfront status says why.`

func compactCommand() *cobra.Command {
	var c connection
	var keep string
	cmd := &cobra.Command{
		Use: "compact", Short: "Leave out of the journal what is not needed any more",
		Long: compactLong, Args: cobra.NoArgs,
		Example: "  warmfront compact\n  warmfront compact --keep 1h",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var kept *time.Duration
			if cmd.Flags().Changed("keep") {
				d, err := parseDays(keep)
				if err != nil || d < 0 || d > ownapi.MostKept {
					return usage("--keep %q: use a time of up to 366d, as in 7d, 1h or 0s", keep)
				}
				kept = &d
			}
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			done, err := api.Compact(cmd.Context(), kept)
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), done, false)
			}
			return printCompacted(cmd.OutOrStdout(), done, kept != nil)
		},
	}
	cmd.Flags().StringVar(&keep, "keep", "", "leave whole what is younger than this `time`, as in 7d or 1h, and leave out all before that can be, however little; an edge that was away since before drops its cache (default a day, and only if half of the journal goes)")
	c.flags(cmd, "print what was done as JSON")
	return cmd
}

// printCompacted prints what was done for who said how much is to stay (--keep), or did not.
func printCompacted(out io.Writer, done client.Compacted, told bool) error {
	if done.Before == 0 {
		_, err := fmt.Fprintf(out, "Another control node has just compacted the journal. From entry %s on it is whole.\n", number(done.Base))
		return err
	}
	if done.After == done.Before {
		if told {
			_, err := fmt.Fprintf(out, "All that the journal has is needed, or as young as --keep says; it stays as it is: %s.\n", entries(int(done.Before)))
			return err
		}
		_, err := fmt.Fprintf(out, "Most of what the journal has is needed, or too young; it stays as it is: %s.\n", entries(int(done.Before)))
		return err
	}
	_, err := fmt.Fprintf(out, "The journal had %s; compacted, it has %s. From entry %s on it is whole.\n", entries(int(done.Before)), number(done.After), number(done.Base))
	return err
}
