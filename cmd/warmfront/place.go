package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi/client"
)

const placeLong = `Edge locations, and which one the misses of another go to. What is missing in a place is asked of its parent before the origin; and
the machines of one place share what they have, each key in the one that owns it. A place is named as in X-Amz-Cf-Pop. That
changes take effect needs no restart. Edges that are to be asked by others need --tier.`

func placeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "place", Short: "Places, and through which others they fill", Long: placeLong,
		Example: "  warmfront place list\n  warmfront place set FRA50 --parent LHR50\n  warmfront place set LHR50 --region eu-west-2",
	}
	cmd.AddCommand(placeListCommand(), placeSetCommand(), placeRemoveCommand())
	return cmd
}

func placeListCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "list", Short: "List the places", Args: cobra.NoArgs,
		Long:    "Lists all places that have edges, or of which something has been said: their parents, the Origin Shield regions that they serve,\nand how many of their edges others can ask.",
		Example: "  warmfront place list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			all, err := api.Places(cmd.Context())
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), all, false)
			}
			return printPlaces(cmd.OutOrStdout(), all)
		},
	}
	c.flags(cmd, "print the places as JSON")
	return cmd
}

func printPlaces(w io.Writer, all []client.Place) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "No places.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLACE\tPARENT\tEDGES ASKED BY OTHERS\tSHIELD REGIONS")
	for _, p := range all {
		parent := p.Parent
		if parent == "" {
			parent = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", p.Place, parent, p.Edges, strings.Join(p.Regions, ", "))
	}
	return t.Flush()
}

func placeSetCommand() *cobra.Command {
	var c connection
	var parent string
	var regions []string
	cmd := &cobra.Command{
		Use: "set <place>", Short: "Say which place another one fills through",
		Long: `Says all that is said of a place, in place of what was said before: its parent, and the Origin Shield regions that it serves. Without
--parent it fills from the origin. Without --region it serves the region of the airport in its name, if there is one
there: FRA50 serves eu-central-1.`,
		Example: "  warmfront place set FRA50 --parent LHR50\n  warmfront place set LHR50 --region eu-west-2 --region eu-west-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			p, err := api.SetPlace(cmd.Context(), args[0], parent, regions)
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), p, false)
			}
			if err := printPlaces(cmd.OutOrStdout(), []client.Place{*p}); err != nil {
				return err
			}
			return noteLonely(cmd, api, p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&parent, "parent", "", "`place` that its misses go to (default none: the origin)")
	f.StringArrayVar(&regions, "region", nil, "Origin Shield `region` that it serves; may be repeated")
	c.flags(cmd, "print the place as JSON")
	return cmd
}

// noteLonely says when what was set has no effect yet.
func noteLonely(cmd *cobra.Command, api *client.Client, p *client.Place) error {
	all, err := api.Places(cmd.Context())
	if err != nil {
		return nil
	}
	for _, x := range all {
		if x.Edges == 0 && (x.Place == p.Parent || x.Place == p.Place && len(p.Regions) > 0) {
			fmt.Fprintf(cmd.ErrOrStderr(), "No edge of %s can be asked by others yet: start one with --tier.\n", x.Place)
		}
	}
	return nil
}

func placeRemoveCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "remove <place>", Short: "Take back what was said of a place",
		Long:    "Takes back what was said of a place. Its edges stay, and fill from the origin.",
		Example: "  warmfront place remove FRA50", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if err := api.RemovePlace(cmd.Context(), args[0]); err != nil {
				return c.failed(err)
			}
			if c.json {
				return nil
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing is said of", args[0], "any more")
			return err
		},
	}
	c.flags(cmd, "print nothing when it is done")
	return cmd
}
