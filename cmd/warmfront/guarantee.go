package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/guarantee"
)

const guaranteeLong = `Checks, from outside, that no edge shows an object in a version older than a Completed invalidation
of it. The checker is the origin, the people who publish and the viewers, all at once; it makes a
distribution for the run and removes it at the end. The edges must be able to reach its origin.

Keys come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. The exit code is 0 when the
guarantee was kept, 1 when it was violated or nothing could be shown, 2 for a mistake in the command line.

What it does, what counts as a violation, and how to read a counterexample: docs/guarantee.md. Stop and kill edges
while it runs: that is what it is for. An edge that is asked over http, HTTP/2 and HTTP/3 is named by each of its URLs.

Other caches are checked by an adapter: what they then need to understand is in docs/guarantee.md.`

const guaranteeExample = `  . ~/.warmfront/aws.env
  warmfront check-guarantee --edges http://127.0.0.1:8081,http://127.0.0.1:8082,http://127.0.0.1:8083
  warmfront check-guarantee --api https://control.example.com --edges https://fra.example.com,https://gru.example.com \
      --origin-listen :8200 --origin-name checker.example.com --duration 1h
  warmfront check-guarantee --edges https://127.0.0.1:8441,https://127.0.0.1:8442 --http3 --ca ~/.warmfront/ca.pem
  warmfront check-guarantee --edges http://127.0.0.1:8081 --tag warmfront:semantics=rfc --answers 200000 --seed 7 --json
  warmfront check-guarantee --adapter varnish-ban --edges http://127.0.0.1:6081 --origin-listen 127.0.0.1:8200 --keep-going`

func guaranteeCommand() *cobra.Command {
	var c guarantee.Config
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check-guarantee", Short: "Prove, from outside, that Completed means what it says",
		Long: guaranteeLong, Example: guaranteeExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for i, e := range c.Edges {
				c.Edges[i] = strings.TrimSuffix(e, "/")
			}
			if c.Answers == 0 && c.Invalidations == 0 && c.Duration == 0 {
				c.Duration = 30 * time.Second
			}
			if c.Seed == 0 {
				c.Seed = uint64(time.Now().UnixNano() % 1e9)
			}
			c.AccessKeyID, c.SecretAccessKey, c.SessionToken = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
			c.Progress, c.Out = cmd.ErrOrStderr(), cmd.OutOrStdout()
			if asJSON {
				c.Out = cmd.ErrOrStderr()
			}
			if err := c.Check(); err != nil {
				return usage("%w", err)
			}
			return checkGuarantee(cmd, c, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Adapter, "adapter", "warmfront", "what is checked: "+strings.Join(guarantee.Adapters, ", "))
	f.StringSliceVar(&c.Edges, "edges", nil, "`URLs` of the edges")
	f.StringVar(&c.Host, "host", "", "`name` to send to the edges as Host (default the distribution's)")
	f.StringVar(&c.CA, "ca", "", "`file` of authorities that the certificates of https edges may be of, beside the system's")
	f.BoolVar(&c.HTTP3, "http3", false, "ask https edges by HTTP/3 as well as by HTTP/2")
	f.StringToStringVar(&c.Tags, "tag", nil, "tag of the run's distribution: `name=value`; may be repeated")
	f.StringVar(&c.API, "api", os.Getenv("AWS_ENDPOINT_URL_CLOUDFRONT"), "`URL` of the API (default $AWS_ENDPOINT_URL_CLOUDFRONT); of several control nodes URL,URL,...")
	f.StringVar(&c.OriginListen, "origin-listen", "127.0.0.1:0", "`address` of the checker's origin")
	f.StringVar(&c.OriginName, "origin-name", "", "`name` by which the edges reach that origin")
	f.Int64Var(&c.Answers, "answers", 0, "end after so many answers with content")
	f.Int64Var(&c.Invalidations, "invalidations", 0, "end after so many invalidations are Completed; with --answers, when both are reached")
	f.DurationVar(&c.Duration, "duration", 0, "end after this `time` (default 30s if neither of these is given)")
	f.IntVar(&c.Objects, "objects", 270, "how many small objects the origin has")
	f.Int64Var(&c.Large, "large", 17<<20, "`octets` of four large objects besides, which are kept in slices; 0: there are none")
	f.IntVar(&c.Readers, "readers", 32, "how many viewers there are")
	f.IntVar(&c.Writers, "writers", 2, "how many publish and invalidate")
	f.DurationVar(&c.Pause, "pause", 60*time.Millisecond, "`time` that a writer rests between two invalidations, on average")
	f.Uint64Var(&c.Seed, "seed", 0, "of everything that is random (default: taken from the time)")
	f.Lookup("seed").DefValue = "0" // the help is the same each time
	f.BoolVar(&c.KeepGoing, "keep-going", false, "do not end at the first violation: count them")
	f.BoolVar(&c.Restored, "restored", false, "the journal is put back to an earlier copy meanwhile: create again what it has forgotten, and count it")
	f.BoolVar(&asJSON, "json", false, "the summary as JSON; counterexamples go to standard error")
	return cmd
}

func checkGuarantee(cmd *cobra.Command, c guarantee.Config, asJSON bool) error {
	report, err := guarantee.Run(cmd.Context(), c)
	if report != nil && asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		err = errors.Join(err, e.Encode(report))
	} else if report != nil {
		report.Print(cmd.OutOrStdout())
	}
	if err == nil && !report.Kept() {
		err = errors.New("the guarantee was violated")
	}
	return err
}
