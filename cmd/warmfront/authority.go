package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/admission"
)

func authorityCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "authority", Short: "The authority by which control nodes and edges know each other"}
	cmd.AddCommand(authorityShowCommand(), authorityRenewCommand())
	return cmd
}

func authorityShowCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "show", Short: "Show the authority of a data directory, and when it ends",
		Long:    "Shows the authority of a control node's data directory: its fingerprint, when it ends, and the one before it while that counts too.",
		Example: "  warmfront authority show --data /var/lib/warmfront", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := filepath.Join(data, "authority")
			expires, err := admission.LookAtAuthority(dir)
			if err != nil {
				return err
			}
			if expires.IsZero() {
				return fmt.Errorf("there is no authority in %s; warmfront control makes one at its first start", dir)
			}
			a, err := admission.OpenAuthority(dir, nil)
			if err != nil {
				return err
			}
			return printAuthority(cmd, a)
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData(), "`directory` of warmfront control")
	return cmd
}

const authorityRenewLong = `Makes a new authority beside the one of a control node's data directory. Nothing changes until control nodes start again: from
then on they show certificates of the new one, which edges and tokens trust that know the old one alone, and within minutes each
edge that is connected has changed over by itself. The old one counts until it ends, but its key is gone. It lasts ten years:
there is no hurry.

With several control nodes, run this on one, copy the directory "authority" to the others, and start one after the other again. An
edge that is off meanwhile changes over when it is back, as long as the old one has not ended, nor a second renewal come.

To distrust the old one at once, as when its key may have been read by others, remove previous.pem from the directory too, and admit
all edges anew, each with a token. secret.pem, which a renewal leaves there, is what users and access keys in the journal are sealed by.
Whoever had the old key may have read them: remove secret.pem as well, start once with an access key and a password in the environment
(warmfront control --help), and make users and keys anew.`

func authorityRenewCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "renew", Short: "Make a new authority beside the old one",
		Long: authorityRenewLong, Example: "  warmfront authority renew --data /var/lib/warmfront", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := admission.RenewAuthority(filepath.Join(data, "authority"), nil)
			if err != nil {
				return err
			}
			if err := printAuthority(cmd, a); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "It counts when the control nodes have been started again.")
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData(), "`directory` of warmfront control")
	return cmd
}

func printAuthority(cmd *cobra.Command, a *admission.Authority) error {
	t := table{{"AUTHORITY", "ENDS", ""}}
	t.row(a.Fingerprint(), a.Expires().UTC().Format(time.RFC3339), "signs")
	if fp, ends := a.Previous(); fp != "" {
		t.row(fp, ends.UTC().Format(time.RFC3339), "is trusted")
	}
	return t.print(cmd.OutOrStdout())
}
