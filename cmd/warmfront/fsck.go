package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/node"
)

const fsckLong = `Reads the journal of a data directory, or of a copy of one, from its first entry to its last, and checks that each
continues the chain of those before it and that the last one that was confirmed is there. It changes nothing: what is read
is a copy, made in the directory and removed at the end. The process whose directory it is must not run.

Of one of several control nodes it reads the replica, which may be behind: what it is told to have confirmed, others have too, and it gets it
from them when it starts. To compare the replicas, compare the last entries that this prints.

With --nats it reads the journal in a NATS of yours, while it is in use. Where --data is the directory of a control node, it checks that what was confirmed to that is
there. What a compaction kept, in a stream of its own, belongs to it. Of several replicas NATS lets one or another answer, and
nobody say which: that all can be read is verified, and not each replica. One that is damaged alone may go unnoticed; those that are behind or away, "nats stream info" shows.
If --data has its journal there, what --nats and its companions leave out is
taken from the environment of warmfront control, such as WARMFRONT_CONTROL_NATS, which keeps a password out of the list of processes.

The exit code is 0 when all is in order, 1 when something is missing or damaged, or could not be read.`

const fsckExample = `  warmfront fsck --data /var/lib/warmfront
  warmfront fsck --data /backup/warmfront-2026-05-01
  warmfront fsck --nats tls://nats1.example.com:4222,tls://nats2.example.com:4222 --nats-creds /etc/warmfront/nats.creds`

func fsckCommand() *cobra.Command {
	var data, level, format string
	var c node.Config
	cmd := &cobra.Command{
		Use: "fsck", Short: "Check the journal of a data directory, or in a NATS of yours",
		Long: fsckLong, Args: cobra.NoArgs,
		Example: fsckExample,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := logger(level, format)
			if err != nil {
				return err
			}
			j, err := toInspect(cmd, data, &c)
			if err != nil {
				return err
			}
			j.Logger = log
			return fsck(cmd, j)
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", defaultData(), "`directory` of warmfront control or warmfront dev")
	addNATSAccess(cmd, &c)
	f.Lookup("nats").Usage = "`URLs` of a NATS of yours that has the journal, nats:// or tls://; in a password, %2C is a comma"
	f.StringVar(&level, "log-level", "error", "`level` of what the journal's engine says: debug, info, warn, error")
	f.StringVar(&format, "log-format", "text", "`format`: text, json")
	return cmd
}

// toInspect says where the journal is.
func toInspect(cmd *cobra.Command, data string, c *node.Config) (jetstream.Config, error) {
	j := jetstream.Config{Dir: filepath.Join(data, "journal")}
	inNATS := jetstream.InExternal(j.Dir)
	if inNATS {
		if err := fromControl(cmd); err != nil {
			return j, err
		}
	} else if len(c.NATS) > 0 && !cmd.Flags().Changed("data") {
		j.Dir = "" // the default says nothing
	}
	switch {
	case len(c.NATS) > 0:
		j.External = &jetstream.External{URLs: c.NATS, Credentials: c.NATSCreds, CA: c.NATSCA, Cert: c.NATSCert, Key: c.NATSKey, Prefix: c.NATSPrefix}
	case inNATS:
		return j, usage("the journal of %s is in a NATS of yours: give --nats, or WARMFRONT_CONTROL_NATS in the environment", data)
	case c.NATSCreds != "" || c.NATSCA != "" || c.NATSCert != "" || c.NATSKey != "" || c.NATSPrefix != "":
		return j, usage("--nats-creds, --nats-ca, --nats-cert, --nats-key and --nats-prefix are for --nats, which says where your NATS is")
	}
	return j, nil
}

// fromControl gives the flags about NATS that the command line leaves out what the environment of warmfront control says.
func fromControl(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if v, ok := os.LookupEnv(variable("control", f.Name)); ok && !f.Changed && strings.HasPrefix(f.Name, "nats") {
			err = errors.Join(err, setText(f, v))
		}
	})
	return err
}

func fsck(cmd *cobra.Command, c jetstream.Config) error {
	out, told := cmd.OutOrStdout(), time.Now()
	found, err := jetstream.Inspect(cmd.Context(), c, func(read, of uint64) {
		if time.Since(told) > time.Second {
			fmt.Fprintf(out, "entry %s of about %s\n", number(read), number(of))
			told = time.Now()
		}
	})
	if found.Entries > 0 {
		fmt.Fprintf(out, "%s entries in order, the last is entry %s, %s of %s\n", number(found.Entries), number(found.Last.Seq), found.Last.ID, found.Epoch)
	}
	if found.Base > 0 {
		fmt.Fprintf(out, "what was before entry %s has been compacted\n", number(found.Base))
	}
	if found.Confirmed.Seq > 0 {
		fmt.Fprintf(out, "entry %s was the last that is known to have been confirmed\n", number(found.Confirmed.Seq))
	}
	if err != nil {
		return err
	}
	if found.Behind {
		fmt.Fprintf(out, "of what was kept of that, this replica has the first %s entries\n", number(found.Kept))
	}
	if found.Behind || found.Replica && found.Last.Seq < found.Confirmed.Seq {
		_, err = fmt.Fprintln(out, "this replica is in order as far as it goes; it gets the rest from the others when it starts")
		return err
	}
	_, err = fmt.Fprintln(out, "the journal is in order")
	return err
}
