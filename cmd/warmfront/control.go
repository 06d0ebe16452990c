package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/node"
)

const controlLong = `Starts a control node: the CloudFront API, the console, and the journal that edges on other machines follow.
Edges come to the --journal address, with TLS and a certificate that they get for a token; see warmfront edge token.
The API and the console speak plain HTTP: put them behind your own TLS if they leave the machine.

With --name and --peers it is one of three or five, each with a replica of the journal: what one of them accepts is on the disks of
most of them, and they go on while most of them run. Start one alone; have it make tokens for the others (warmfront control token);
start those with their tokens; start the first again with --peers: it carries its journal over. Control nodes come to each other's
addresses in --peers with TLS and certificates of their own authority. Each serves the API and the console; one that is without most
of the others answers 503.

With --nats the journal is in a NATS of yours, in a stream with JetStream, instead of on this machine. Any number of control nodes may use the same
one: start the first alone, and the others with tokens that it makes. Edges come to the control nodes as ever, and never to NATS. A journal
that is here already is carried over into a new stream. All its servers must run with "sync_interval: always", which no client can find out: --nats-sync-always says so.

It prints where everything is, how to sign in, and the environment for the AWS CLI, and writes that environment to
aws.env in the data directory. What must be backed up there: journal and authority. Users, access keys and sessions are in the
journal, sealed by what is in authority: all control nodes have the same.

Environment, for scripts (otherwise generated at the very first start):
  WARMFRONT_ACCESS_KEY_ID, WARMFRONT_SECRET_ACCESS_KEY   the administrator's access key
  WARMFRONT_PASSWORD                                     the password of the console's user "admin"`

const controlExample = `  warmfront control --journal 0.0.0.0:4443 --advertise control1.example.com:4443
  warmfront control --data /var/lib/warmfront --ready-file /run/warmfront/ready --suffix cdn.example.com
  warmfront edge token FRA50-1
  warmfront control token control2
  warmfront control --name control2 --token wfc1.eyJuIjoi... \
    --peers control1=10.0.0.1:4444,control2=10.0.0.2:4444,control3=10.0.0.3:4444 \
    --journal 0.0.0.0:4443 --advertise control2.example.com:4443
  warmfront control --nats tls://nats1.example.com:4222,tls://nats2.example.com:4222 --nats-creds /etc/warmfront/nats.creds \
    --nats-sync-always --journal 0.0.0.0:4443 --advertise control1.example.com:4443`

func controlCommand(do doing) *cobra.Command {
	var c node.Config
	var common *commonFlags
	var quotas *quotaFlags
	cmd := &cobra.Command{
		Use: "control", Short: "A control node, for edges on other machines",
		Long: controlLong, Example: controlExample, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := quotas.into(&c); err != nil {
				return err
			}
			return common.run(role{node.Control, node.CheckControl})
		},
	}
	f := cmd.Flags()
	common = addCommon(cmd, &c, do)
	addControl(cmd, &c)
	quotas = addQuotas(cmd)
	f.StringVar(&c.Journal, "journal", "127.0.0.1:4443", "`address` to which edges of other machines come")
	f.StringSliceVar(&c.Advertise, "advertise", nil, "`addresses` at which they find that, host:port (default the address itself, or this machine's name)")
	f.StringVar(&c.Name, "name", "", "this control node's `name`, one of those in --peers; it stays the same for ever; with --nats for people (default this machine's name)")
	f.StringSliceVar(&c.Peers, "peers", nil, "all control nodes, this one too: `name=host:port`, three or five")
	f.StringVar(&c.ClusterAddress, "cluster-address", "", "`address` to which the other control nodes come (default this one's in --peers)")
	addNATS(cmd, &c)
	f.StringVar(&c.Token, "token", "", "`token` with which this machine becomes a control node, once; $WARMFRONT_CONTROL_TOKEN keeps it out of the list of processes")
	return cmd
}

const controlTokenLong = `Makes a token with which one machine becomes a control node, once, before it expires. With it the machine gets the keys of the
control plane: carry it like one. The name is the one that the machine has in --peers.

A token for a name that there is already is for a machine that takes the place of one whose disk was lost. That takes a quorum, and all
other control nodes must run until the new one has caught up.`

func controlTokenCommand() *cobra.Command {
	var c connection
	var life time.Duration
	cmd := &cobra.Command{
		Use: "token <node>", Short: "Make a token with which a machine becomes a control node",
		Long: controlTokenLong, Args: cobra.ExactArgs(1),
		Example: "  warmfront control token control2\n  warmfront control token control3 --life 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if life%time.Minute != 0 || life < time.Minute {
				return usage("--life %v: whole minutes", life)
			}
			t, err := api.ControlToken(cmd.Context(), args[0], int(life/time.Minute))
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), t, false)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", t.Token)
			fmt.Fprintf(cmd.ErrOrStderr(), "Good once, until %s, for control node %s: warmfront control --name %s --token ..., and --peers or --nats\n", t.Expires.Format(time.RFC3339), t.Node, t.Node)
			return err
		},
	}
	cmd.Flags().DurationVar(&life, "life", time.Hour, "how long the token is good, up to 168h; it ends with the process that made it, too")
	c.flags(cmd, "print the token as JSON, with what it is for")
	return cmd
}
