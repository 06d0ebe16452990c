package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/ownapi/client"
)

func (c *invalidate) runPreview(ctx context.Context, d client.Distribution, items []string) error {
	p, err := c.api.Preview(ctx, d.ID, items, c.planned.Where)
	if err != nil {
		return c.failed(err)
	}
	if c.json {
		err = printJSON(c.out, p, false)
	} else {
		p.Mode = cmp.Or(c.planned.Mode, p.Mode)
		err = printPreview(c.out, d, p)
		if only := whereText(c.planned.Where); err == nil && only != "" {
			_, err = fmt.Fprintf(c.out, "\nThat is %s.\n", only)
		}
		if load := loadText(c.planned.Pace, &p.Total); err == nil && load != "" {
			_, err = fmt.Fprintf(c.out, "\n%s\n", load)
		}
	}
	if bad := refused(p); err == nil && bad > 0 {
		return errors.New(count(bad, "selector") + " would be refused, and the invalidation with it")
	}
	return err
}

func refused(p *client.Preview) (n int) {
	for i := range p.Items {
		if p.Items[i].Error != nil {
			n++
		}
	}
	return n
}

const samples = 3 // of each selector

// printPreview prints what each selector matches, edge by edge.
func printPreview(out io.Writer, d client.Distribution, p *client.Preview) error {
	would := "drop"
	if p.Mode == distribution.InvalidationStale {
		would = "mark stale"
	}
	fmt.Fprintf(out, "Nothing is invalidated. On %s (%s), %s would %s:\n", d.ID, d.DomainName, count(len(p.Items), "selector"), would)
	for i := range p.Items {
		printPreviewItem(out, &p.Items[i])
	}
	if len(p.Items) > 1 {
		fmt.Fprintf(out, "\nIn total, what several selectors match counted once: %s\n", amount(&p.Total))
		printEdgeCounts(out, p.Total.Edges)
	}
	for _, e := range p.Unanswered {
		fmt.Fprintf(out, "\nNot counted: %s (%s)\n", e.Edge, clean(e.Error))
	}
	return nil
}

func printPreviewItem(out io.Writer, x *client.PreviewItem) {
	if x.Error != nil {
		fmt.Fprintf(out, "\n%s: refused, %s\n  %s\n", clean(x.Item), x.Error.Reason, clean(x.Error.Hint))
		return
	}
	if x.Objects == 0 {
		fmt.Fprintf(out, "\n%s: nothing that is stored\n", clean(x.Item))
	} else {
		fmt.Fprintf(out, "\n%s: %s\n", clean(x.Item), amount(&x.PreviewTotal))
		printEdgeCounts(out, x.Edges)
		if len(x.Sample) > 0 {
			fmt.Fprintf(out, "  for example %s\n", clean(few(x.Sample[:min(len(x.Sample), samples)], samples)))
		}
	}
	if x.Warning != "" {
		fmt.Fprintf(out, "  warning: %s\n", clean(x.Warning))
	}
}

func amount(t *client.PreviewTotal) string {
	s := count(t.Objects, "object") + ", " + size(t.Bytes)
	if t.RequestsPerMinute > 0 {
		s += fmt.Sprintf(", asked for %.1f times a minute: %s to the origin in the first", t.RequestsPerMinute, requests(t.OriginRequests))
	}
	return s
}

// requests says how many there may be.
func requests(n float64) string {
	if n <= 1 {
		return "at most 1 request"
	}
	return fmt.Sprintf("at most %.0f requests", math.Ceil(n))
}

// edgesShown is how many edges have a line of their own below a selector; of more, those that would drop most.
const edgesShown = 12

func printEdgeCounts(out io.Writer, edges []client.EdgeCount) {
	if len(edges) == 0 {
		return
	}
	more := len(edges) - edgesShown
	if more > 0 {
		edges = slices.Clone(edges)
		slices.SortStableFunc(edges, func(a, b client.EdgeCount) int { return cmp.Compare(b.Objects, a.Objects) })
		edges = edges[:edgesShown]
	}
	var t table
	for _, e := range edges {
		t.row("  "+e.Edge, count(e.Objects, "object"), size(e.Bytes))
	}
	t.print(out)
	if more > 0 {
		fmt.Fprintf(out, "  and %s, each with no more\n", count(more, "other edge"))
	}
}
