package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const withdrawLong = `Takes back an invalidation that is scheduled and not in force yet, or, of one that comes location by location, the
turns that are still to come. What is in force cannot be taken back: what edges have dropped cannot be brought back.`

const withdrawExample = `  warmfront history --status Scheduled
  warmfront withdraw www.example.com IY84SGIJPMZPC2`

func withdrawCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "withdraw <distribution> <invalidation>", Short: "Take back an invalidation that is scheduled, or the rest of one that comes by location",
		Long: withdrawLong, Example: withdrawExample, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			d, err := c.find(cmd.Context(), api, args[0])
			if err != nil {
				return err
			}
			inv, err := api.Withdraw(cmd.Context(), d.ID, args[1])
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), inv, false)
			}
			line := inv.ID + " " + inv.Status
			if text := withdrawnText(&inv.Invalidation); text != "" {
				line += ": " + text
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), clean(line))
			return err
		},
	}
	c.flags(cmd, "print the invalidation as JSON")
	return cmd
}
