package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi/client"
)

const explainLong = `Tells what the edges make of a URL, without requesting it: which distribution and behavior it meets, its
cache key, on which edges it is stored, where there and how fresh, which other edges are asked for it before the origin and what
those have, and which invalidations match it. With --item it
also tells whether an invalidation of that selector would drop it, if narrowed as --status and the others say, or with
--soft mark it stale.

The URL is one as viewers use it, with the distribution's domain name or an alias as host; or name the
distribution by id, domain name or alias, and give the path as its own argument.`

const explainExample = `  warmfront explain https://www.example.com/images/logo.png
  warmfront explain EDFDVBD6EXAMPLE '/search?q=a'
  warmfront explain https://www.example.com/docs/a.html --item '/docs/*' --item '#handbook'
  warmfront explain https://www.example.com/docs/a.html --item '/*' --status 4xx --soft
  warmfront explain www.example.com / --header 'Accept-Encoding: gzip' --json`

func explainCommand() *cobra.Command {
	var c connection
	var headers, items []string
	var which narrow
	var soft bool
	cmd := &cobra.Command{
		Use: "explain <URL> | <distribution> <path>", Short: "Which rules a URL meets, where it is stored, and what has invalidated it",
		Long: explainLong, Example: explainExample,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && !strings.Contains(args[0], "://"):
				return fmt.Errorf("%q is no URL: begin it with http:// or https://, or give a distribution and a path", args[0])
			case len(args) == 1 || len(args) == 2 && strings.HasPrefix(args[1], "/"):
				return nil
			case len(args) == 2:
				return fmt.Errorf("the path %q does not begin with a slash", args[1])
			}
			return errors.New("give a URL, or a distribution and a path")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := readHeaders(headers)
			if err != nil {
				return err
			}
			q := client.Question{Headers: fields, Items: items}
			if q.Where, err = which.read(cmd.Flags().Changed, time.Now()); err != nil {
				return err
			}
			if soft {
				q.Mode = "stale"
			}
			if len(items) == 0 && (q.Where != nil || soft) {
				return usage("--soft, --status and the others say how --item would be invalidated: give one")
			}
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			x, err := c.explain(cmd.Context(), api, args, q)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), x, false)
			}
			return printExplanation(cmd.OutOrStdout(), x)
		},
	}
	cmd.Flags().StringArrayVar(&items, "item", nil, "tell whether this `selector` means it; may be repeated")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "a header of the request, as `'Name: value'`; may be repeated")
	cmd.Flags().BoolVar(&soft, "soft", false, "tell it of an invalidation that marks stale instead of removing")
	which.flags(cmd)
	c.flags(cmd, "print the explanation as JSON")
	return cmd
}

func readHeaders(all []string) (map[string]string, error) {
	out := map[string]string{}
	for _, h := range all {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			return nil, usage("--header %q: write it as 'Name: value'", h)
		}
		if _, twice := out[name]; twice {
			return nil, usage("--header: %s is given twice; put both values into one, with a comma", name)
		}
		out[name] = value
	}
	return out, nil
}

func (c *connection) explain(ctx context.Context, api *client.Client, args []string, q client.Question) (*client.Explanation, error) {
	if len(args) == 1 {
		q.URL = args[0]
	} else {
		d, err := c.find(ctx, api, args[0])
		if err != nil {
			return nil, err
		}
		q.DistributionID, q.Path = d.ID, args[1]
	}
	x, err := api.Explain(ctx, q)
	var no *client.Error
	if errors.As(err, &no) && no.Code == "NotFound" && q.URL != "" {
		all, listErr := api.Distributions(ctx, 0)
		if listErr != nil {
			return nil, c.failed(listErr)
		}
		return nil, hint(fmt.Errorf("no distribution answers to the host of %s", q.URL), suggest(all)...)
	}
	return x, c.failed(err)
}

func printExplanation(out io.Writer, x *client.Explanation) error {
	var t table
	t.row("Distribution", x.DistributionID+" ("+x.DomainName+")")
	t.row("Behavior", behavior(x))
	if o := x.Behavior.Origins; len(o) > 0 {
		t.row("Origin", strings.Join(o, ", if it fails "))
	}
	if x.CachePolicy != nil {
		t.row("Cache policy", x.CachePolicy.Name+" ("+x.CachePolicy.ID+")")
	}
	t.row("Cache key", x.CacheKey.Readable)
	t.row("Selectors see", subject(x))
	t.row()
	if err := t.print(out); err != nil {
		return err
	}
	t = nil
	t.row("EDGE", "STORED", "IN", "STATUS", "AGE", "SIZE", "HITS", "STAMP")
	for _, e := range x.Edges {
		if e.Error != "" {
			t.row(e.Edge, "not known: "+clean(e.Error), "", "", "", "", "", "")
			continue
		}
		if !e.Stored {
			t.row(e.Edge, "no", "", "", "", "", "", "")
			continue
		}
		t.row(e.Edge, freshness(&e), tiers(&e), fmt.Sprint(e.Status), span(time.Duration(e.AgeSeconds)*time.Second), size(e.Bytes), number(e.Hits), fmt.Sprint(e.Stamp))
	}
	if err := t.print(out); err != nil {
		return err
	}
	if err := printThrough(out, x); err != nil {
		return err
	}
	if err := printMatches(out, x); err != nil {
		return err
	}
	return printItems(out, x)
}

// printThrough says whom edges ask that have it not, and what those have; nothing where all ask the origin.
func printThrough(out io.Writer, x *client.Explanation) error {
	var t table
	for _, e := range x.Edges {
		if len(e.Through) == 0 {
			continue
		}
		var way []string
		for _, of := range e.Through {
			way = append(way, fmt.Sprintf("%s (%s)", of.Edge, has(x, of.Edge)))
		}
		t.row("  "+e.Edge, strings.Join(way, ", then ")+", then the origin")
	}
	if len(t) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nWhat an edge has not, it asks for in this order:")
	return t.print(out)
}

// has says whether an edge has it.
func has(x *client.Explanation, edge string) string {
	for _, e := range x.Edges {
		switch {
		case e.Edge != edge:
		case e.Error != "":
			return "not known"
		case e.Stored:
			return freshness(&e)
		default:
			return "has it not"
		}
	}
	return "not known"
}

// printItems says of each selector that was asked about what it would do.
func printItems(out io.Writer, of *client.Explanation) error {
	if len(of.Items) == 0 {
		return nil
	}
	narrowed := ""
	if of.Where != nil {
		narrowed = ", " + whereText(of.Where) + ","
	}
	fmt.Fprintf(out, "\nAn invalidation%s of\n", narrowed)
	would, stored := "would drop it", 0
	if of.Mode == "stale" {
		would = "would mark it stale"
	}
	for _, e := range of.Edges {
		if e.Stored {
			stored++
		}
	}
	var t table
	for _, x := range of.Items {
		switch {
		case x.Error != nil:
			t.row("  "+clean(x.Item), "would be refused: "+x.Error.Reason+". "+x.Error.Hint)
		case x.Matches && len(x.Edges) < stored:
			t.row("  "+clean(x.Item), strings.TrimSpace(would+" on "+strings.Join(x.Edges, ", ")+". "+x.Warning))
		case x.Matches && x.Warning != "" && stored == 0:
			t.row("  "+clean(x.Item), would+". "+x.Warning)
		case x.Matches:
			t.row("  "+clean(x.Item), would)
		default:
			t.row("  "+clean(x.Item), strings.TrimSpace("would not. "+x.Warning))
		}
	}
	return t.print(out)
}

// tiers says where an edge has it.
func tiers(e *client.ExplainedEdge) string {
	s := "memory"
	switch {
	case e.Memory && e.Disk:
		s = "memory, disk"
	case e.Disk:
		s = "disk"
	}
	if e.Slices > 0 {
		s += fmt.Sprintf(", %s of %s", number(e.SlicesHere), count(e.Slices, "slice"))
	}
	return s
}

func behavior(x *client.Explanation) string {
	if x.Behavior.PathPattern == "*" {
		return "Default (*)"
	}
	return fmt.Sprintf("%s (precedence %d)", x.Behavior.PathPattern, x.Behavior.Precedence)
}

// subject is what selectors are held against.
func subject(x *client.Explanation) string {
	s := x.Subject.Path
	if x.Subject.Query != "" {
		s += "?" + x.Subject.Query
	}
	if len(x.Subject.Tags) > 0 {
		s += " #" + strings.Join(x.Subject.Tags, " #")
	}
	return s
}

func freshness(e *client.ExplainedEdge) string {
	switch {
	case e.Marked && len(e.MatchedBy) > 0:
		return "marked stale by " + e.MatchedBy[0].InvalidationID + from(e)
	case e.Marked:
		return "marked stale" + from(e)
	case len(e.MatchedBy) > 0:
		return "invalidated by " + e.MatchedBy[0].InvalidationID
	case e.Fresh && e.FreshUntil != nil:
		return "fresh for " + span(max(time.Until(*e.FreshUntil), 0)) + from(e)
	case e.Fresh:
		return "fresh" + from(e)
	}
	return "stale" + from(e)
}

// from names the second of a group, if the object is its.
func from(e *client.ExplainedEdge) string {
	if e.Second == "" {
		return ""
	}
	return ", from " + e.Second
}

// printMatches names the invalidations that match, whether they came before the object or after.
func printMatches(out io.Writer, x *client.Explanation) error {
	if len(x.WouldMatch) == 0 {
		_, err := fmt.Fprintln(out, "\nNone of the last invalidations matches it.")
		return err
	}
	fmt.Fprintln(out, "\nOf the last invalidations these match it, newest first:")
	var t table
	for _, m := range x.WouldMatch {
		t.row("  "+m.InvalidationID, brief(m.Item), strings.TrimSpace(softText(m.Mode)+"  "+whereText(m.Where)))
	}
	return t.print(out)
}
