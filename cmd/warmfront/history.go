package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/ownapi/client"
)

const historyLong = `Lists invalidations, newest first: who made them, when, from where, why, and how long they took until they were
Completed. Without a distribution, those of all distributions. Flags narrow it down; all of them must hold.

With --json each is a line, with all its selectors and what each edge did when: with --all too, that is the whole
history, for keeping it longer than Warmfront does.`

const historyExample = `  warmfront history
  warmfront history www.example.com --max 5
  warmfront history --text /images/ --by anna --since 7d
  warmfront history --since 2026-11-01 --until 2026-12-01 --all --json > november.jsonl
  warmfront history EDFDVBD6EXAMPLE --json | jq -r 'select(.status == "InProgress") | .id'`

// history is one run of the command.
type history struct {
	connection
	client.Search
	most         int
	all          bool
	since, until string
}

func historyCommand() *cobra.Command {
	var c history
	cmd := &cobra.Command{
		Use: "history [distribution]", Short: "Which invalidations there were: who, when, why, how long they took",
		Long: historyLong, Example: historyExample, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.check(cmd, time.Now()); err != nil {
				return err
			}
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				d, err := c.find(cmd.Context(), api, args[0])
				if err != nil {
					return err
				}
				c.Distribution = d.ID
			}
			return c.run(cmd, api, len(args) == 0)
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.most, "max", 20, "how many at most")
	f.BoolVar(&c.all, "all", false, "all of them")
	f.StringVar(&c.Text, "text", "", "only those with this `text` in a selector, a condition, the comment, the reference or the id")
	f.StringVar(&c.By, "by", "", "only those of a `user`, an access key or an address")
	f.StringVar(&c.Status, "status", "", "only those with this `status`: "+strings.Join(statuses, ", "))
	f.StringVar(&c.since, "since", "", "only those accepted since a `time`: 7d, 90m, 2026-11-25, 2026-11-25T18:00:00Z")
	f.StringVar(&c.until, "until", "", "only those accepted before a `time`")
	c.flags(cmd, "print each invalidation as JSON, one a line, with what each edge did")
	return cmd
}

// errEnough ends a search that has found more than is wanted.
var errEnough = errors.New("there are more")

// run prints what is found; with says whether distributions are named. Of more than is wanted it says so.
func (c *history) run(cmd *cobra.Command, api *client.Client, with bool) error {
	var all []client.Past
	n, ask := 0, c.most
	if ask > 0 {
		ask++
	}
	err := api.History(cmd.Context(), c.Search, ask, func(p client.Past) error {
		if n++; n == ask {
			return errEnough
		}
		if c.json { // as they come: there may be many
			return printJSON(cmd.OutOrStdout(), p, true)
		}
		all = append(all, p)
		return nil
	})
	more := err == errEnough
	if err != nil && !more {
		return c.failed(err)
	}
	switch {
	case c.json:
	case n == 0 && c.narrowed():
		fmt.Fprintln(cmd.OutOrStdout(), "No invalidation matches.")
	default:
		if err := printHistory(cmd.OutOrStdout(), all, with); err != nil {
			return err
		}
	}
	if more {
		fmt.Fprintln(cmd.ErrOrStderr(), "There are older ones: --all, or a greater --max, shows them.")
	}
	return nil
}

// narrowed tells whether only some invalidations are looked for, of those of a distribution or of all.
func (c *history) narrowed() bool {
	s := c.Search
	s.Distribution = ""
	return s != client.Search{}
}

var statuses = []string{control.Scheduled, control.InProgress, control.Completed, control.Withdrawn}

func (c *history) check(cmd *cobra.Command, now time.Time) (err error) {
	switch {
	case c.most < 1:
		return usage("--max %d: ask for at least one", c.most)
	case c.all && cmd.Flags().Changed("max"):
		return usage("--all and --max exclude each other")
	case c.Status != "" && !slices.Contains(statuses, c.Status):
		return usage("--status %q: use %s", c.Status, strings.Join(statuses, ", "))
	case c.all:
		c.most = 0
	}
	if c.From, err = parseMoment(c.since, now); err != nil {
		return usage("--since %w", err)
	}
	if c.Before, err = parseMoment(c.until, now); err != nil {
		return usage("--until %w", err)
	}
	return nil
}

// parseMoment reads a time, or how long ago it was; "" is the zero time.
func parseMoment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := parseDays(s); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	if t, ok := parseTime(s); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q: use a time as in 2026-11-25 or 2026-11-25T18:00:00Z, or how long ago it was, as in 7d or 90m", s)
}

// parseTime reads a time as people write it; without a zone it is the local one's.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", dateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

const dateTime = "2006-01-02 15:04:05"

// softText says what an invalidation does, if it is not what is expected.
func softText(mode string) string {
	if mode == distribution.InvalidationStale {
		return "marks stale"
	}
	return ""
}

// printHistory prints a table; with says whether it names distributions.
func printHistory(out io.Writer, all []client.Past, with bool) error {
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
			long = took(p.TookMs)
		}
		who := dash(p.By.User)
		if p.By.AccessKey != "" {
			who += " (" + p.By.AccessKey + ")"
		}
		what := few(p.Items, 3)
		if p.Status == control.Scheduled {
			what += "  " + planText(p.Plan)
		}
		if p.Plan != nil && p.Plan.InForce != nil {
			what += "  in force since " + p.Plan.InForce.Local().Format(dateTime)
		}
		for _, more := range []string{whereText(p.Where), softText(p.Mode), paceText(p.Pace), withdrawnText(&p.Invalidation)} {
			if more != "" {
				what += "  " + more
			}
		}
		if p.Comment != "" {
			what += "  " + p.Comment
		}
		row(p.DistributionID, p.ID, p.Status, p.CreateTime.Local().Format(dateTime), long, who, dash(p.By.Address), what)
	}
	return t.print(out)
}
