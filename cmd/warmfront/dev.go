package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/cache/disk"
	"github.com/warmfront/warmfront/node"
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

func devCommand(do doing) *cobra.Command {
	var c node.Config
	var common *commonFlags
	var viewers *viewerFlags
	var quotas *quotaFlags
	cmd := &cobra.Command{
		Use: "dev", Short: "Everything in one process, for a laptop or a CI job",
		Long: devLong, Example: devExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("edges") && !cmd.Flags().Changed("edges-https") {
				c.EdgesHTTPS = freePorts(c.Edges)
			} else if len(c.EdgesHTTPS) == 1 && c.EdgesHTTPS[0] == "off" {
				c.EdgesHTTPS = nil
			}
			if err := viewers.check("edges-https"); err != nil {
				return err
			}
			if err := quotas.into(&c); err != nil {
				return err
			}
			return common.run(role{node.Dev, node.CheckDev})
		},
	}
	f := cmd.Flags()
	common = addCommon(cmd, &c, do)
	viewers = addViewers(cmd, &c)
	addControl(cmd, &c)
	f.StringSliceVar(&c.Edges, "edges", []string{"127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083"}, "`addresses` of the edges, one edge location each")
	f.StringSliceVar(&c.EdgesHTTPS, "edges-https", []string{"127.0.0.1:8441", "127.0.0.1:8442", "127.0.0.1:8443"}, "`addresses` of the same edges for https, or \"off\"; free ports where only --edges is given")
	f.StringVar(&c.Demo, "demo", "127.0.0.1:8090", "`address` of the demonstration site, or \"off\"")
	quotas = addQuotas(cmd)
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
