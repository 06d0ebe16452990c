package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/node"
)

const relayLong = `Starts a relay: edges come to it instead of the control nodes (warmfront edge --relays), so that a control node writes what is
pushed once for all of them. At its first start it needs a token, which warmfront relay token makes where the control plane runs; from then
on the data directory says who it is.

It is trusted with reading the journal, and with nothing else: what it passes on is signed by the control plane's authority, and what edges
say to control nodes goes through it within their own TLS. One that is stolen can keep back and delay. When it is lost, its edges go
to another one of theirs, or to the control nodes.`

const relayExample = `  warmfront relay --token wfe1.eyJ5Ijp0... --listen 0.0.0.0:4445
  WARMFRONT_RELAY_TOKEN=wfe1.eyJ5Ijp0... warmfront relay --data /var/lib/warmfront-relay
  warmfront relay token fra1
  warmfront relay remove fra1`

func relayCommand(do doing) *cobra.Command {
	var c node.Config
	var common *commonFlags
	cmd := &cobra.Command{
		Use: "relay", Short: "A relay, which hundreds of edges go to instead of the control nodes",
		Long: relayLong, Example: relayExample, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return common.run(role{node.Relay, node.CheckRelay}) },
	}
	common = addProcess(cmd, &c, do)
	f := cmd.Flags()
	f.StringVar(&c.Relay, "listen", "127.0.0.1:4445", "`address` to which edges come")
	f.StringVar(&c.Token, "token", "", "`token` with which this machine becomes a relay, once; $WARMFRONT_RELAY_TOKEN keeps it out of the list of processes")
	return cmd
}

func relayTokenCommand() *cobra.Command {
	var c connection
	var life time.Duration
	cmd := &cobra.Command{
		Use: "token <relay>", Short: "Make a token with which a machine becomes a relay",
		Long: `Makes a token with which one machine becomes a relay, once, before it expires. A token for a name that there is already is for a
machine that takes its place: when the token is used, the other one is let in no more.`,
		Args: cobra.ExactArgs(1), Example: "  warmfront relay token fra1\n  warmfront relay token fra1 --life 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if life%time.Minute != 0 || life < time.Minute {
				return usage("--life %v: whole minutes", life)
			}
			t, err := api.EdgeToken(cmd.Context(), admission.Relay(args[0]), "", int(life/time.Minute))
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), t, false)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", t.Token)
			fmt.Fprintf(cmd.ErrOrStderr(), "Good once, until %s, for relay %s: warmfront relay --token ...\n", t.Expires.Format(time.RFC3339), args[0])
			return err
		},
	}
	cmd.Flags().DurationVar(&life, "life", time.Hour, "how long the token is good, up to 168h")
	c.flags(cmd, "print the token as JSON, with what it is for")
	return cmd
}

func relayRemoveCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "remove <relay>", Short: "Take back what made a machine a relay",
		Long: `Ends the admission of a relay: its certificate counts no more, and it hears nothing of the journal from then on. Its edges go to another
relay of theirs, or to the control nodes. What they serve is not affected.`,
		Example: "  warmfront relay remove fra1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.removeMachine(cmd, args[0], admission.Relay(args[0]))
		},
	}
	c.flags(cmd, "print nothing when it is done")
	return cmd
}
