package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/node"
)

// addNATS adds what says that the journal is elsewhere.
func addNATS(cmd *cobra.Command, c *node.Config) {
	addNATSAccess(cmd, c)
	f := cmd.Flags()
	f.IntVar(&c.NATSReplicas, "nats-replicas", 0, "replicas of the stream that is made, or that there must be, `1, 3 or 5` (default 3 in a cluster, else 1)")
	f.BoolVar(&c.NATSSyncAlways, "nats-sync-always", false, "all its servers run with \"sync_interval: always\"; without that what was accepted could be lost when the power fails")
}

// addNATSAccess adds what it takes to come there.
func addNATSAccess(cmd *cobra.Command, c *node.Config) {
	f := cmd.Flags()
	f.Var((*natsURLs)(&c.NATS), "nats", "`URLs` of a NATS of yours that has the journal, nats:// or tls://, instead of this machine; in a password, %2C is a comma; not with --peers")
	f.StringVar(&c.NATSCreds, "nats-creds", "", "`file` with this Warmfront's credentials for it: a JWT and its seed")
	f.StringVar(&c.NATSCA, "nats-ca", "", "`file` of the certificates to believe its servers by (default the system's)")
	f.StringVar(&c.NATSCert, "nats-cert", "", "`file` with the certificate that its servers are shown")
	f.StringVar(&c.NATSKey, "nats-key", "", "`file` with the key of --nats-cert")
	f.StringVar(&c.NATSPrefix, "nats-prefix", "", "what the names of stream and subjects begin with: `letters` (default WARMFRONT)")
}

// natsURLs is a flag of URLs, with commas between them, in which there may be passwords. A list of pflag's own is CSV: of a text that is none it says
// what the text is.
type natsURLs []string

func (u *natsURLs) Set(text string) error {
	if text == "" {
		return nil
	}
	for s := range strings.SplitSeq(text, ",") {
		*u = append(*u, strings.TrimSpace(s))
	}
	return nil
}

// String is the value as it may be shown.
func (u *natsURLs) String() string { return strings.Join(jetstream.Redacted(*u), ",") }

func (u *natsURLs) Type() string { return "stringSlice" }

func (u *natsURLs) Append(s string) error { *u = append(*u, s); return nil }

func (u *natsURLs) Replace(all []string) error { *u = all; return nil }

func (u *natsURLs) GetSlice() []string { return *u }
