package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherwise returns the flags of a command that one which it has not may have meant, as in "; there is --edges-https": those that begin or end
// with its name, or the other way round, for what warmfront edge calls --https is --edges-https of warmfront dev. "": there is none.
func otherwise(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	meant := "-" + unknown.GetSpecifiedName() + "-"
	if len(meant) < len("-xx-") { // -x
		return ""
	}
	var all []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		is := "-" + f.Name + "-"
		near := strings.HasPrefix(is, meant) || strings.HasSuffix(is, meant) || strings.HasPrefix(meant, is) || strings.HasSuffix(meant, is)
		viewers := is == "-edges-" && meant == "-http-" || is == "-http-" && meant == "-edges-"
		if (near || viewers) && !f.Hidden {
			all = append(all, "--"+f.Name)
		}
	})
	if len(all) == 0 || len(all) > 3 {
		return ""
	}
	return "; there is " + strings.Join(all, ", ")
}
