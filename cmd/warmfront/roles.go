package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/node"
	"github.com/warmfront/warmfront/telemetry"
)

// role is a process that stays.
type role struct {
	run   func(context.Context, node.Config) error
	check func(node.Config) node.Findings
}

// doing is what a command does with a role whose settings make sense: starting it, or something else.
type doing func(cmd *cobra.Command, s *settings, r role, c node.Config) error

// start runs the role until it is stopped.
func start(cmd *cobra.Command, _ *settings, r role, c node.Config) error {
	slog.SetDefault(c.Logger) // a library that prints, prints there: QUIC's, when it finds UDP's buffers small
	if err := r.run(cmd.Context(), c); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil // Ctrl-C before everything served is a clean stop too
}

// commonFlags are those of every process that stays.
type commonFlags struct {
	cmd                 *cobra.Command
	do                  doing
	settings            *settings
	c                   *node.Config
	logLevel, logFormat string
}

// addCommon adds them.
func addCommon(cmd *cobra.Command, c *node.Config, do doing) *commonFlags {
	x := addProcess(cmd, c, do)
	f := cmd.Flags()
	f.StringVar(&c.Suffix, "suffix", "localhost", "`domain` under which distributions answer: dXXXX.<suffix>")
	f.StringArrayVar(&c.Origins, "origin", nil, "send an origin's name elsewhere: `name=address`; \"*.name\" for all below it; may be repeated")
	f.StringVar(&c.OriginsFile, "origins-file", "", "`file` with such lines, # begins a comment")
	return x
}

// addProcess adds those that have nothing to do with distributions. What cmd.RunE does comes after the settings are read.
func addProcess(cmd *cobra.Command, c *node.Config, do doing) *commonFlags {
	x := &commonFlags{cmd: cmd, c: c, do: do, settings: addSettings(cmd)}
	inner := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := x.settings.read(); err != nil {
			return err
		}
		return x.settings.traced(inner(cmd, args))
	}
	f := cmd.Flags()
	f.StringVar(&c.Data, "data", defaultData(), "`directory` for everything that is kept")
	f.StringVar(&c.ReadyFile, "ready-file", "", "`file` to write, as JSON, when everything serves; removed at the stop")
	f.StringVar(&c.Telemetry, "telemetry", "127.0.0.1:9100", "`address` of metrics, health and profiles, or \"off\"")
	f.StringVar(&x.logLevel, "log-level", "warn", "`level`: debug, info, warn, error")
	f.StringVar(&x.logFormat, "log-format", "text", "`format`: text, json")
	return x
}

// run does what the command is for.
func (x *commonFlags) run(r role) (err error) {
	if x.c.Logger, err = logger(x.logLevel, x.logFormat); err != nil {
		return err
	}
	x.c.Version = version
	x.c.Out, x.c.Err = x.cmd.OutOrStdout(), x.cmd.ErrOrStderr()
	x.c.Getenv = os.Getenv
	return x.do(x.cmd, x.settings, r, *x.c)
}

// addControl adds what is said to a control plane alone.
func addControl(cmd *cobra.Command, c *node.Config) {
	f := cmd.Flags()
	f.StringVar(&c.Control, "control", "127.0.0.1:9000", "`address` of the API and the console")
	f.BoolVar(&c.AcceptJournalLoss, "accept-journal-loss", false, "start although the journal has lost facts that it had confirmed; they stay lost")
}

// viewerFlags are those of a process with edges.
type viewerFlags struct {
	cmd                  *cobra.Command
	c                    *node.Config
	cacheSize, diskCache string
	limits               *limitFlags
}

func addViewers(cmd *cobra.Command, c *node.Config) *viewerFlags {
	x := &viewerFlags{cmd: cmd, c: c}
	f := cmd.Flags()
	f.BoolVar(&c.H2C, "h2c", false, "speak HTTP/2 on the plain addresses too, with viewers that begin with it")
	f.BoolVar(&c.HTTP3, "http3", true, "HTTP/3 on the UDP ports of the edges' https, for distributions that want it")
	f.StringVar(&c.Certificates, "certificates", "", "`directory` of certificates for https: NAME.crt with NAME.key, or NAME.pem with both; read again when it changes")
	f.StringVar(&c.ACMEEmail, "acme-email", "", "obtain certificates for the aliases of distributions, with this `address` for the authority; agrees to its terms")
	f.StringVar(&c.ACMECA, "acme-ca", "", "`URL` of the authority's directory (default Let's Encrypt's)")
	f.BoolVar(&c.ProxyProtocol, "proxy-protocol", false, "connections to edges begin with a header of the PROXY protocol (1 or 2); others are closed")
	f.IntVar(&c.OriginRequests, "max-origin-requests", 4096, "most requests of an edge on their way to one address of an origin; more wait for a connection's time, then get 503")
	f.StringVar(&x.cacheSize, "cache-size", "256MiB", "memory for cached objects, per edge")
	f.StringVar(&x.diskCache, "disk-cache", "off", "`size` of a file below that memory, per edge, which outlives the process; or \"off\"")
	x.limits = addLimits(cmd)
	f.StringVar(&c.AccessLog, "access-log", "", "append a line for every request to `file`; without a file to standard error")
	f.Lookup("access-log").NoOptDefVal = "-"
	f.StringVar(&c.AccessFormat, "access-log-format", "w3c", "`format`: w3c, as CloudFront's standard logs; json")
	return x
}

// check puts into the config what flags say as text, or says by name which makes no sense. https is the flag of the
// edges' https.
func (x *viewerFlags) check(https string) (err error) {
	c, set := x.c, x.cmd.Flags().Changed
	if c.CacheSize, err = parseSize(x.cacheSize); err != nil {
		return usage("--cache-size: %w", err)
	}
	if c.DiskCache, err = diskSize(x.diskCache); err != nil {
		return err
	}
	if c.Limits, err = x.limits.check(); err != nil {
		return err
	}
	c.ACME = c.ACMEEmail != ""
	switch {
	case !slices.Contains(telemetry.AccessLogFormats, c.AccessFormat):
		return usage("--access-log-format %q: use %s", c.AccessFormat, strings.Join(telemetry.AccessLogFormats, " or "))
	case c.OriginRequests < 1:
		return usage("--max-origin-requests %d: at least 1", c.OriginRequests)
	case c.ACMECA != "" && !c.ACME:
		return usage("--acme-ca needs --acme-email")
	case set("access-log-format") && c.AccessLog == "":
		return usage("--access-log-format needs --access-log")
	case set("http3") && c.HTTP3 && len(c.EdgesHTTPS) == 0:
		return usage("--http3 is spoken beside https: leave out --%s off", https)
	}
	return nil
}

// into is check, into a config.
func (f *quotaFlags) into(c *node.Config) (err error) {
	c.Quotas, err = f.check()
	c.RatePerKey, c.JournalEntries = f.perSecond, f.entries
	return err
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
