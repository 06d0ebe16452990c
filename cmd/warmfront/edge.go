package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/node"
	"github.com/warmfront/warmfront/ownapi/client"
)

const edgeLong = `Starts an edge: it serves viewers, and follows the journal of control nodes on other machines. At its first
start it needs a token, which warmfront edge token makes where the control plane runs; its name and place are in it. From
then on the data directory says who it is. A directory is one edge: it must not be copied to a second machine.

While no control node can be reached it goes on: what it has cached is revalidated with the origin once 30 s are over. An edge
that starts then answers 503 until it has reached one.

With --relays it goes to one of them instead of a control node, for as long as one can be reached; see warmfront relay.

With --origin, the names of origins are sent elsewhere on this edge alone.`

const edgeExample = `  warmfront edge --token wfe1.eyJhIjpb... --http 0.0.0.0:80 --https 0.0.0.0:443
  WARMFRONT_EDGE_TOKEN=wfe1.eyJhIjpb... warmfront edge --data /var/lib/warmfront
  warmfront edge --disk-cache 200GiB --certificates /etc/warmfront/certificates
  warmfront edge --relays relay1.example.com:4445,relay2.example.com:4445
  warmfront edge drain FRA50-1`

func edgeCommand(do doing) *cobra.Command {
	var c node.Config
	var http, https string
	var common *commonFlags
	var viewers *viewerFlags
	cmd := &cobra.Command{
		Use: "edge", Short: "An edge, and what is done with edges of other machines",
		Long: edgeLong, Example: edgeExample, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c.Edges = []string{http}
			if https != "off" {
				c.EdgesHTTPS = []string{https}
			}
			if err := viewers.check("https"); err != nil {
				return err
			}
			return common.run(role{node.Edge, node.CheckEdge})
		},
	}
	f := cmd.Flags()
	common = addCommon(cmd, &c, do)
	viewers = addViewers(cmd, &c)
	viewers.limits.grace("1s") // who restarts an edge has viewers
	f.StringVar(&http, "http", "127.0.0.1:8081", "`address` for viewers")
	f.StringVar(&https, "https", "127.0.0.1:8441", "`address` for viewers by https, or \"off\"")
	f.StringVar(&c.Token, "token", "", "`token` with which this machine becomes an edge, once; $WARMFRONT_EDGE_TOKEN keeps it out of the list of processes")
	f.StringSliceVar(&c.Relays, "relays", nil, "`addresses` of relays, host:port, that it goes to instead of the control nodes")
	f.StringVar(&c.Tier, "tier", "off", "`address` at which other edges ask this one for what they miss, or \"off\"; see warmfront place")
	f.StringVar(&c.TierAdvertise, "tier-advertise", "", "`address` at which they find that, host:port (default the address itself, or this machine's name)")
	return cmd
}

const edgeTokenLong = `Makes a token with which one machine becomes an edge, once, before it expires. The edge has the name that is
given here; what it begins with is its edge location: FRA50-1 and FRA50-2 are two machines of FRA50, FRA50-P1 is alone in its
own. A token for a name that there is already is for a machine that replaces it, which must be off: when the token is used, it
is let in no more.`

func edgeTokenCommand() *cobra.Command {
	var c connection
	var location string
	var life time.Duration
	cmd := &cobra.Command{
		Use: "token <edge>", Short: "Make a token with which a machine becomes an edge",
		Long: edgeTokenLong, Args: cobra.ExactArgs(1),
		Example: "  warmfront edge token FRA50-1\n  warmfront edge token fra-rack7 --location FRA50 --life 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if life%time.Minute != 0 || life < time.Minute {
				return usage("--life %v: whole minutes", life)
			}
			t, err := api.EdgeToken(cmd.Context(), args[0], location, int(life/time.Minute))
			if err != nil {
				return c.failed(err)
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), t, false)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", t.Token)
			fmt.Fprintf(cmd.ErrOrStderr(), "Good once, until %s, for edge %s of %s: warmfront edge --token ...\n", t.Expires.Format(time.RFC3339), t.Edge, t.Location)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&location, "location", "", "edge `location`, as in FRA50 or FRA50-P1 (default what the name begins with)")
	f.DurationVar(&life, "life", time.Hour, "how long the token is good, up to 168h")
	c.flags(cmd, "print the token as JSON, with what it is for")
	return cmd
}

func edgeDrainCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "drain <edge>", Short: "Ask an edge to stop: its answers end, then it leaves",
		Long: `Asks an edge on another machine to stop, as Ctrl-C does there: it takes no more connections, ends its answers, leaves, so that
nothing waits for it, and its process ends with exit code 0. It stays admitted: started again, it is back.`,
		Example: "  warmfront edge drain FRA50-1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.open(cmd)
			if err != nil {
				return err
			}
			if err := api.DrainEdge(cmd.Context(), args[0]); err != nil {
				return c.failed(err)
			}
			return c.awaitGone(cmd, api, args[0])
		},
	}
	c.flags(cmd, "print nothing when it is done")
	return cmd
}

// drainTime is how long an edge may take to leave: its answers may take their time.
const drainTime = time.Minute

// awaitGone waits until nothing waits for the edge any more.
func (c *connection) awaitGone(cmd *cobra.Command, api *client.Client, edge string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), drainTime)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		nodes, err := api.Nodes(ctx)
		if err == nil && !slices.ContainsFunc(nodes, func(n client.Node) bool { return n.Edge == edge }) {
			if !c.json {
				fmt.Fprintln(cmd.OutOrStdout(), edge, "has left")
			}
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return c.failed(err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			if cmd.Context().Err() != nil {
				return errors.New("interrupted; the edge has been asked and goes on stopping")
			}
			return fmt.Errorf("%s was asked to stop and has not left within %v: its viewers may take long. See warmfront status", edge, drainTime)
		}
	}
}

func edgeRemoveCommand() *cobra.Command {
	var c connection
	cmd := &cobra.Command{
		Use: "remove <edge>", Short: "Take back what made a machine an edge",
		Long: `Ends the admission of an edge on another machine: its certificate counts no more, and completions do not wait for it. It must
be off, or cut off from its viewers: what it still served could be what has been invalidated. So an edge that was heard in the last half
minute is not removed; drain it first.`,
		Example: "  warmfront edge remove FRA50-1", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.removeMachine(cmd, args[0], args[0])
		},
	}
	c.flags(cmd, "print nothing when it is done")
	return cmd
}

// removeMachine ends the admission of an edge, or of a relay, which the API knows by another name than who types it.
func (c *connection) removeMachine(cmd *cobra.Command, typed, name string) error {
	api, err := c.open(cmd)
	if err != nil {
		return err
	}
	if err := api.RemoveEdge(cmd.Context(), name); err != nil {
		return c.failed(err)
	}
	if c.json {
		return nil
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), typed, "removed")
	return err
}
