package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/node"
	"github.com/warmfront/warmfront/telemetry"
)

const devLong = `Starts the whole of Warmfront in one process: the control plane with the CloudFront API and the
console, the journal, three small edges as three edge locations, and a demonstration web site as origin.

It prints where everything is, how to sign in, and the environment for the AWS CLI, and writes that
environment to aws.env in the data directory. Ctrl-C stops it; started again, it has its data.

Environment, for scripts and CI (otherwise generated at the first start and kept in the data directory):
  WARMFRONT_ACCESS_KEY_ID, WARMFRONT_SECRET_ACCESS_KEY   the administrator's access key
  WARMFRONT_PASSWORD                                     the password of the console's user "admin"`

const devExample = `  warmfront dev
  warmfront dev --data /var/tmp/warmfront --ready-file /tmp/ready
  warmfront dev --control 127.0.0.1:0 --edges 127.0.0.1:0,127.0.0.1:0 --demo off --telemetry off
  warmfront dev --edges-https off
  warmfront dev --origin my-bucket.s3.amazonaws.com=127.0.0.1:8090 --origin '*.example.com=http://127.0.0.1:3000'`

func devCommand() *cobra.Command {
	var c node.DevConfig
	var cacheSize, diskCache, logLevel, logFormat string
	var limits *limitFlags
	var quotas *quotaFlags
	cmd := &cobra.Command{
		Use: "dev", Short: "Everything in one process, for a laptop or a CI job",
		Long: devLong, Example: devExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.CacheSize, err = parseSize(cacheSize); err != nil {
				return usage("--cache-size: %w", err)
			}
			if c.DiskCache, err = diskSize(diskCache); err != nil {
				return err
			}
			if c.Limits, err = limits.check(); err != nil {
				return err
			}
			if c.Quotas, err = quotas.check(); err != nil {
				return err
			}
			c.RatePerKey = quotas.perSecond
			if c.Logger, err = logger(logLevel, logFormat); err != nil {
				return err
			}
			slog.SetDefault(c.Logger) // a library that prints, prints there: QUIC's, when it finds UDP's buffers small
			if !slices.Contains(telemetry.AccessLogFormats, c.AccessFormat) {
				return usage("--access-log-format %q: use %s", c.AccessFormat, strings.Join(telemetry.AccessLogFormats, " or "))
			}
			if cmd.Flags().Changed("edges") && !cmd.Flags().Changed("edges-https") {
				c.EdgesHTTPS = freePorts(c.Edges)
			} else if len(c.EdgesHTTPS) == 1 && c.EdgesHTTPS[0] == "off" {
				c.EdgesHTTPS = nil
			}
			if c.OriginRequests < 1 {
				return usage("--max-origin-requests %d: at least 1", c.OriginRequests)
			}
			if c.ACME = c.ACMEEmail != ""; c.ACMECA != "" && !c.ACME {
				return usage("--acme-ca needs --acme-email")
			}
			if cmd.Flags().Changed("access-log-format") && c.AccessLog == "" {
				return usage("--access-log-format needs --access-log")
			}
			if cmd.Flags().Changed("http3") && c.HTTP3 && len(c.EdgesHTTPS) == 0 {
				return usage("--http3 is spoken beside https: leave out --edges-https off")
			}
			c.Version = version
			c.Out, c.Err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			c.Getenv = os.Getenv
			if err := node.Dev(cmd.Context(), c); !errors.Is(err, context.Canceled) {
				return err
			}
			return nil // Ctrl-C before everything served is a clean stop too
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Data, "data", defaultData(), "`directory` for everything that is kept")
	f.StringVar(&c.ReadyFile, "ready-file", "", "`file` to write, as JSON, when everything serves; removed at the stop")
	f.StringVar(&c.Control, "control", "127.0.0.1:9000", "`address` of the API and the console")
	f.StringSliceVar(&c.Edges, "edges", []string{"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"}, "`addresses` of the edges, one edge location each")
	f.StringSliceVar(&c.EdgesHTTPS, "edges-https", []string{"127.0.0.1:8441", "127.0.0.1:8442", "127.0.0.1:8443"}, "`addresses` of the same edges for https, or \"off\"; free ports where only --edges is given")
	f.BoolVar(&c.H2C, "h2c", false, "speak HTTP/2 on the plain addresses too, with viewers that begin with it")
	f.BoolVar(&c.HTTP3, "http3", true, "HTTP/3 on the UDP ports of the edges' https, for distributions that want it")
	f.StringVar(&c.Certificates, "certificates", "", "`directory` of certificates for https: NAME.crt with NAME.key, or NAME.pem with both; read again when it changes")
	f.StringVar(&c.ACMEEmail, "acme-email", "", "obtain certificates for the aliases of distributions, with this `address` for the authority; agrees to its terms")
	f.StringVar(&c.ACMECA, "acme-ca", "", "`URL` of the authority's directory (default Let's Encrypt's)")
	f.BoolVar(&c.ProxyProtocol, "proxy-protocol", false, "connections to edges begin with a header of the PROXY protocol (1 or 2); others are closed")
	f.StringVar(&c.Demo, "demo", "127.0.0.1:8090", "`address` of the demonstration site, or \"off\"")
	f.StringVar(&c.Telemetry, "telemetry", "127.0.0.1:9100", "`address` of metrics, health and profiles, or \"off\"")
	f.StringVar(&c.Suffix, "suffix", "localhost", "`domain` under which distributions answer: dXXXX.<suffix>")
	f.StringArrayVar(&c.Origins, "origin", nil, "send an origin's name elsewhere: `name=address`; \"*.name\" for all below it; may be repeated")
	f.StringVar(&c.OriginsFile, "origins-file", "", "`file` with such lines, # begins a comment")
	f.IntVar(&c.OriginRequests, "max-origin-requests", 4096, "most requests of an edge on their way to one address of an origin; more wait for a connection's time, then get 503")
	f.StringVar(&cacheSize, "cache-size", "256MiB", "memory for cached objects, per edge")
	f.StringVar(&diskCache, "disk-cache", "off", "`size` of a file below that memory, per edge, which outlives the process; or \"off\"")
	limits = addLimits(cmd)
	quotas = addQuotas(cmd)
	f.BoolVar(&c.AcceptJournalLoss, "accept-journal-loss", false, "start although the journal has lost facts that it had confirmed; they stay lost")
	f.StringVar(&c.AccessLog, "access-log", "", "append a line for every request to `file`; without a file to standard error")
	f.Lookup("access-log").NoOptDefVal = "-"
	f.StringVar(&c.AccessFormat, "access-log-format", "w3c", "`format`: w3c, as CloudFront's standard logs; json")
	f.StringVar(&logLevel, "log-level", "warn", "`level`: debug, info, warn, error")
	f.StringVar(&logFormat, "log-format", "text", "`format`: text, json")
	return cmd
}

// diskSize reads --disk-cache; 0 is none.
func diskSize(s string) (int64, error) {
	if s == "off" {
		return 0, nil
	}
	n, err := parseSize(s)
	switch {
	case err != nil:
		return 0, usage("--disk-cache: %w", err)
	case n < disk.MinCapacity:
		return 0, usage("--disk-cache %s: at least %s, or off", s, size(disk.MinCapacity))
	}
	return n, nil
}

// freePorts are addresses with port 0 beside others: whoever chooses the edges' addresses must not run into
// the default ones of https.
func freePorts(addresses []string) []string {
	var free []string
	for _, a := range addresses {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			return nil // the error is about this one
		}
		free = append(free, net.JoinHostPort(host, "0"))
	}
	return free
}

func defaultData() string {
	if d, err := os.UserHomeDir(); err == nil {
		return filepath.Join(d, ".warmfront")
	}
	return ".warmfront"
}

func logger(level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level %q: use debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return nil, usage("--log-format %q: use text or json", format)
}

// parseSize reads "64MiB", "1GB" or a plain number of bytes.
func parseSize(s string) (int64, error) {
	units := []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n <= 0 || n > (1<<62)/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q is not a size: write for example 256MiB", s)
}
