package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/ownapi/client"
)

const invalidateLong = `Drops objects from all edges. The distribution is named by its id, its domain name or an alias. Selectors
are those of CloudFront's invalidations, with * at any place, and # before a tag; - reads more of them from
standard input, one a line:
  /index.html   one object           /*.css      by the end
  /images/*     all below            /a/*/b*.js  by the middle
  '#product:7'  everything that the origin has given this tag

Quote selectors with * or #: the shell has its own ideas about them.

Without --wait it prints the invalidation's id and status as soon as the invalidation is accepted: it
cannot get lost from then on. With --wait it ends when the invalidation is Completed: no edge answers with
an object from before it any more. On a terminal it shows meanwhile how each edge gets on.

With --soft what is matched is marked stale instead of dropped: it is shown to whoever asks while one request asks the origin
in the background, and not after that. Completed means then that every edge knows. A distribution with the tag
warmfront:invalidation-mode=stale does that by default, and --soft=false drops.

With --at or --when it is accepted now, and survives any restart, but comes into force later: at a time, or when a URL
of one of the distribution's origins answers with a field's value, as after a deploy. It is looked at every 5 seconds.
Until then it can be withdrawn: see warmfront withdraw --help.

With --pace each edge asks origins only so often for what the invalidation has dropped: viewers of that wait in
order, and those who would wait for more than 10 seconds are told to come again (503, Retry-After). With --preview it
says what origins have to expect. With --refetch edges ask for what was wanted most by themselves, within that.

With --by-location it is in force at one edge location first, and at the next when every edge has applied that and --pause
is over; Completed when it is everywhere. Until the last turn the rest can be withdrawn.

With --status, --content-type, --host and --stored-before only those of the selected objects are meant of which each is true;
of several values of one, one has to be. With --preview they say what would be dropped then.

Sent again with the same --reference, selectors and options it is the same invalidation, so that a script can try
again after a failure.`

const invalidateExample = `  warmfront invalidate EDFDVBD6EXAMPLE /index.html '/images/*'
  warmfront invalidate www.example.com '/*' --wait
  warmfront invalidate www.example.com '/docs/*' '#product:7' --preview
  warmfront invalidate www.example.com '/*' --soft
  warmfront invalidate www.example.com '/*' --status 404,5xx
  warmfront invalidate www.example.com '/img/*' --comment 'the new logo, ticket 4711'
  warmfront invalidate www.example.com '/sale/*' --at 2026-11-27T00:00
  warmfront invalidate www.example.com '/*' --when 'https://origin.example.com/version.txt ETag: "v42"'
  warmfront invalidate www.example.com '/*' --by-location --first GRU50 --pause 2m --wait
  warmfront invalidate www.example.com '/*' --pace 20/s --refetch --wait
  git diff --name-only HEAD^ -- site | sed 's|^site||' | warmfront invalidate www.example.com - --wait --reference "$GITHUB_SHA"`

// invalidate is one run of the command.
type invalidate struct {
	connection
	preview   bool
	wait      bool
	reference string
	comment   string
	at, when  string
	soft      bool
	narrow    narrow
	gently    gently
	timeout   time.Duration

	planned client.Wish // At, When, Where, Mode and Pace, read

	api *client.Client
	out io.Writer
}

func invalidateCommand() *cobra.Command {
	var c invalidate
	cmd := &cobra.Command{
		Use: "invalidate <distribution> <selector>...", Short: "Drop what is cached, and know when it is gone everywhere",
		Long: invalidateLong, Example: invalidateExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a distribution and what to drop of it")
			} else if len(args) == 1 {
				return errors.New("no selector is given: a tag must be quoted, as in '#news', and - reads selectors from standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := c.check(cmd); err != nil {
				return err
			}
			items, err := readSelectors(args[1:], cmd.InOrStdin())
			if err != nil {
				return err
			}
			if c.api, err = c.open(cmd); err != nil {
				return err
			}
			c.out = cmd.OutOrStdout()
			d, err := c.find(cmd.Context(), c.api, args[0])
			if err != nil {
				return err
			}
			if c.preview {
				return c.runPreview(cmd.Context(), d, items)
			}
			return c.run(cmd.Context(), d, items)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.preview, "preview", false, "only tell what would be dropped; nothing is")
	f.BoolVar(&c.wait, "wait", false, "wait until it is Completed")
	f.DurationVar(&c.timeout, "timeout", 10*time.Minute, "`time` that --wait waits at most; 0: as long as it takes")
	f.StringVar(&c.comment, "comment", "", "why, for the history; one `line`")
	f.StringVar(&c.at, "at", "", "only come into force at a `time`: 2h, 2026-11-25T18:00, 2026-11-25T18:00:00Z")
	f.StringVar(&c.when, "when", "", "only come into force when an origin answers so: `'URL field: value'`")
	f.StringVar(&c.reference, "reference", "", "the invalidation's caller `reference` (default: a new one)")
	f.BoolVar(&c.soft, "soft", false, "mark stale instead of dropping (default: as the distribution's tag says)")
	c.narrow.flags(cmd)
	c.gently.flags(cmd)
	c.flags(cmd, "print the invalidation as JSON, with --wait its receipt, with --preview the preview")
	return cmd
}

// check refuses flags that would do nothing.
func (c *invalidate) check(cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	switch {
	case c.preview && (c.wait || given("reference") || given("timeout") || given("comment") || given("at") || given("when") || given("by-location")):
		return usage("--preview invalidates nothing: leave out --wait, --timeout, --comment, --reference, --at, --when and --by-location")
	case given("at") && given("when"):
		return usage("--at and --when exclude each other")
	case given("timeout") && !c.wait:
		return usage("--timeout is for --wait")
	case c.timeout < 0:
		return usage("--timeout %s is in the past", c.timeout)
	case given("reference") && c.reference == "":
		return usage("--reference is empty: is the variable set that it comes from?")
	}
	if given("soft") {
		c.planned.Mode = distribution.InvalidationRemove
		if c.soft {
			c.planned.Mode = distribution.InvalidationStale
		}
	}
	var err error
	if c.planned.Where, err = c.narrow.read(given, time.Now()); err != nil {
		return err
	}
	if c.planned.Pace, err = c.gently.read(given); err != nil {
		return err
	}
	return c.readPlan(given("at"), given("when"), time.Now())
}

// readSelectors takes selectors as they are given; in the place of - come the lines of in.
func readSelectors(args []string, in io.Reader) ([]string, error) {
	if expanded(args) {
		return nil, usage("the shell has replaced /* by the files of this machine: quote it, as in '/*'")
	}
	var items []string
	for i, a := range args {
		if a != "-" {
			items = append(items, a)
			continue
		}
		if slices.Contains(args[i+1:], "-") {
			return nil, usage("standard input can be read once: give - once")
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if l := strings.TrimSuffix(lines.Text(), "\r"); l != "" {
				items = append(items, l)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
	}
	if len(items) == 0 {
		return nil, usage("standard input held no selector")
	}
	return items, nil
}

// expanded tells whether the selectors are what a shell makes of an unquoted /*: then "everything" would
// silently become a few paths that no web site has.
func expanded(args []string) bool {
	root, err := filepath.Glob("/*")
	if err != nil {
		return false
	}
	// Shells leave hidden files out, Glob does not.
	root = slices.DeleteFunc(root, func(f string) bool { return strings.HasPrefix(f, "/.") })
	return len(root) > 2 && !slices.ContainsFunc(root, func(f string) bool { return !slices.Contains(args, f) })
}

func (c *invalidate) run(ctx context.Context, d client.Distribution, items []string) error {
	if c.reference == "" {
		c.reference = "warmfront-" + time.Now().UTC().Format("20060102T150405.000Z") + "-" + rand.Text()[:8]
	}
	if c.wait {
		return c.runWait(ctx, d, items)
	}
	inv, err := c.create(ctx, d, items)
	if err != nil {
		return err
	}
	if c.json {
		return printJSON(c.out, inv, false)
	}
	_, err = fmt.Fprintln(c.out, inv.ID, inv.Status)
	return err
}

func (c *invalidate) create(ctx context.Context, d client.Distribution, items []string) (client.Created, error) {
	inv, err := c.api.Invalidate(ctx, d.ID, client.Wish{
		Items: items, CallerReference: c.reference, Comment: c.comment, At: c.planned.At, When: c.planned.When, Where: c.planned.Where, Pace: c.planned.Pace, Mode: c.planned.Mode})
	var no *client.Error
	switch {
	case err == nil, errors.As(err, &no) && no.Status < 500:
		return inv, c.failed(err)
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	if no == nil || no.Code != "ServiceUnavailable" { // which says itself whether anything has been changed
		err = fmt.Errorf("it is not known whether the invalidation was accepted: %w", err)
	}
	return inv, hint(err, "It is safe to try again with the same selectors and --reference "+c.reference+": it is then one invalidation.",
		"Or see first whether there is one: warmfront history "+d.ID+" --text "+c.reference)
}
