package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/demosite"
)

func demoCommand() *cobra.Command {
	demo := &cobra.Command{Use: "demo", Short: "The demonstration site of warmfront dev"}
	var c connection
	var address string
	change := &cobra.Command{
		Use:   "change",
		Short: "Change the content of every page, style and image of the demonstration site",
		Long: `Changes the demonstration site at the origin. What the edges have cached stays as it was
until it expires or is invalidated: that is the point of trying it. The warmfront dev that runs says where the site is; with --demo it
is not asked.`,
		Example: `  warmfront demo change
  warmfront demo change --data /tmp/another
  warmfront demo change --demo 127.0.0.1:8090`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := address
			if at == "" {
				var err error
				if at, err = c.demoAddress(cmd); err != nil {
					return err
				}
			}
			state, err := demosite.Change(cmd.Context(), at)
			if err != nil {
				return fmt.Errorf("%w; its demonstration site is looked for at %s (--demo)", err, at)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), state, false)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the demonstration site is at edition %d now: %s\n", state.Edition, state.Name)
			return nil
		},
	}
	change.Flags().StringVar(&address, "demo", "", "`address` of the demonstration site (default: asked for)")
	c.flags(change, "print the site's new state as JSON")
	demo.AddCommand(change)
	return demo
}

// demoAddress asks the API where its demonstration site is.
func (c *connection) demoAddress(cmd *cobra.Command) (string, error) {
	api, err := c.open(cmd)
	if err != nil {
		return "", err
	}
	about, err := api.About(cmd.Context())
	if err != nil {
		return "", c.failed(err)
	}
	if about.Demo == nil {
		return "", hint(fmt.Errorf("the Warmfront at %s has no demonstration site", api.Endpoint()), "warmfront dev has one, unless it was started with --demo off.")
	}
	u, err := url.Parse(about.Demo.URL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("the address of the demonstration site is said to be %q", about.Demo.URL)
	}
	return u.Host, nil
}
