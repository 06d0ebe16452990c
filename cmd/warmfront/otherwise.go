package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherwise returns the flags of a command that one which it has not may have meant, as in "; there is --edges-https": those that begin or end
// with its name, or the other way round, for what warmfront edge calls --https is --edges-https of warmfront dev; else those of which it is a
// misspelling. "": there is none.
func otherwise(cmd *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return ""
	}
	meant := "-" + unknown.GetSpecifiedName() + "-"
	if len(meant) < len("-xx-") { // -x
		return ""
	}
	var all, spelled []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		is := "-" + f.Name + "-"
		near := strings.HasPrefix(is, meant) || strings.HasSuffix(is, meant) || strings.HasPrefix(meant, is) || strings.HasSuffix(meant, is)
		viewers := is == "-edges-" && meant == "-http-" || is == "-http-" && meant == "-edges-"
		if (near || viewers) && !f.Hidden {
			all = append(all, "--"+f.Name)
		}
		if misspelled(unknown.GetSpecifiedName(), f.Name) && !f.Hidden {
			spelled = append(spelled, "--"+f.Name)
		}
	})
	if len(all) == 0 {
		all = spelled
	}
	if len(all) == 0 || len(all) > 3 {
		return ""
	}
	return "; there is " + strings.Join(all, ", ")
}

// otherCommand returns the commands below one that another may have meant, as in "; there is history". "": there is none.
func otherCommand(cmd *cobra.Command, meant string) string {
	var all []string
	for _, sub := range cmd.Commands() {
		if near := len(meant) > 2 && strings.HasPrefix(sub.Name(), meant) || misspelled(meant, sub.Name()); near && sub.IsAvailableCommand() {
			all = append(all, sub.Name())
		}
	}
	if len(all) == 0 || len(all) > 3 {
		return ""
	}
	return "; there is " + strings.Join(all, ", ")
}

// misspelled tells whether one word becomes the other with one letter more, less or another, or two that change places; of long ones, two such.
func misspelled(a, b string) bool {
	most := 1
	if len(a) > 5 {
		most = 2
	}
	var before, last []int // distances of a[:i-2] and a[:i-1] from each b[:j]
	for i := range len(a) + 1 {
		row := make([]int, len(b)+1)
		for j := range row {
			switch {
			case i == 0 || j == 0:
				row[j] = i + j
				continue
			case a[i-1] == b[j-1]:
				row[j] = last[j-1]
			default:
				row[j] = 1 + min(last[j], row[j-1], last[j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], 1+before[j-2])
			}
		}
		before, last = last, row
	}
	return last[len(b)] <= most
}
