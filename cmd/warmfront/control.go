package main

import (
	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/node"
)

const controlLong = `Starts a control node: the CloudFront API, the console, and the journal that edges on other machines follow.
Edges come to the --journal address, with TLS and a certificate that they get for a token; see warmfront edge token.
The API and the console speak plain HTTP: put them behind your own TLS if they leave the machine.

It prints where everything is, how to sign in, and the environment for the AWS CLI, and writes that environment to
aws.env in the data directory. What must be backed up there: journal, authority, keys.json and users.json.

Environment, for scripts (otherwise generated at the first start and kept in the data directory):
  WARMFRONT_ACCESS_KEY_ID, WARMFRONT_SECRET_ACCESS_KEY   the administrator's access key
  WARMFRONT_PASSWORD                                     the password of the console's user "admin"`

const controlExample = `  warmfront control --journal 0.0.0.0:4443 --advertise control1.example.com:4443
  warmfront control --data /var/lib/warmfront --ready-file /run/warmfront/ready --suffix cdn.example.com
  warmfront edge token FRA50-1`

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
	return cmd
}
