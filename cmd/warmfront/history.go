package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi/client"
)

const historyLong = `Lists invalidations, newest first: who made them, when, from where, and how long they took until they were
Completed. Without a distribution, those of all distributions.`

const historyExample = `  warmfront history
  warmfront history www.example.com --max 5
  warmfront history EDFDVBD6EXAMPLE --json | jq -r 'select(.status == "InProgress") | .id'`

func historyCommand() *cobra.Command {
	var c connection
	var most int
	cmd := &cobra.Command{
		Use: "history [distribution]", Short: "Which invalidations there were: who, when, how long they took",
		Long: historyLong, Example: historyExample, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if most < 1 {
				return usage("--max %d: ask for at least one", most)
			}
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			all, err := c.history(cmd.Context(), api, args, most)
			if err != nil {
				return err
			}
			if c.json {
				for _, p := range all {
					if err := printJSON(cmd.OutOrStdout(), p, true); err != nil {
						return err
					}
				}
				return nil
			}
			return printHistory(cmd.OutOrStdout(), all, len(args) == 0)
		},
	}
	cmd.Flags().IntVar(&most, "max", 20, "how many at most")
	c.flags(cmd, "print each invalidation as JSON, one a line")
	return cmd
}

// past is an invalidation and whose it is.
type past struct {
	DistributionID string `json:"distributionId"`
	client.Invalidation
}

func (c *connection) history(ctx context.Context, api *client.Client, args []string, most int) ([]past, error) {
	var of []client.Distribution
	var err error
	if len(args) == 1 {
		of = make([]client.Distribution, 1)
		of[0], err = c.find(ctx, api, args[0])
	} else if of, err = api.Distributions(ctx, 0); err != nil {
		err = c.failed(err)
	}
	if err != nil {
		return nil, err
	}
	var all []past
	for _, d := range of {
		some, err := api.Invalidations(ctx, d.ID, most)
		if err != nil {
			return nil, c.failed(err)
		}
		for _, inv := range some {
			all = append(all, past{d.ID, inv})
		}
		slices.SortStableFunc(all, func(a, b past) int { return b.CreateTime.Compare(a.CreateTime) })
		all = all[:min(len(all), most)]
	}
	return all, nil
}

const dateTime = "2006-01-02 15:04:05"

// printHistory prints a table; with says whether it names distributions.
func printHistory(out io.Writer, all []past, with bool) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "There are no invalidations.")
		return err
	}
	var t table
	row := func(of, id, status, when, long, who, from, what string) {
		if with {
			t.row(id, of, status, when, long, who, from, what)
		} else {
			t.row(id, status, when, long, who, from, what)
		}
	}
	row("DISTRIBUTION", "ID", "STATUS", "CREATED", "TOOK", "BY", "FROM", "SELECTORS")
	for _, p := range all {
		long := "-"
		if p.CompletedTime != nil {
			long = took(float64(max(p.CompletedTime.Sub(p.CreateTime), 0)) / float64(time.Millisecond))
		}
		who := dash(p.By.User)
		if p.By.AccessKey != "" {
			who += " (" + p.By.AccessKey + ")"
		}
		row(p.DistributionID, p.ID, p.Status, p.CreateTime.Local().Format(dateTime), long, who, dash(p.By.Address), few(p.Items, 3))
	}
	return t.print(out)
}
