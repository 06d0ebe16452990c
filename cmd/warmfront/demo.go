package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/demosite"
)

func demoCommand() *cobra.Command {
	demo := &cobra.Command{Use: "demo", Short: "The demonstration site of warmfront dev"}
	var address string
	var asJSON bool
	change := &cobra.Command{
		Use:   "change",
		Short: "Change the content of every page, style and image of the demonstration site",
		Long: `Changes the demonstration site at the origin. What the edges have cached stays as it was
until it expires or is invalidated: that is the point of trying it.`,
		Example: `  warmfront demo change
  warmfront demo change --demo 127.0.0.1:8090`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			state, err := demosite.Change(cmd.Context(), address)
			if err != nil {
				return fmt.Errorf("%w; its demonstration site is looked for at %s (--demo)", err, address)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), state, false)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the demonstration site is at edition %d now: %s\n", state.Edition, state.Name)
			return nil
		},
	}
	change.Flags().StringVar(&address, "demo", "127.0.0.1:8090", "`address` of the demonstration site")
	change.Flags().BoolVar(&asJSON, "json", false, "print the site's new state as JSON")
	demo.AddCommand(change)
	return demo
}
