package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warmfront/warmfront/node"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check a file with settings, and show which settings count"}
	cmd.AddCommand(configCheckCommand(), configShowCommand())
	return cmd
}

const configCheckLong = `Reads a file with settings as a process does that is started with it and with this environment, and checks everything that can
be checked without starting it: names and values of settings, addresses and whether their ports are free, directories and
whether they can be written to, certificates and how long they last, sizes and whether there is that much. What would stop the
process is a fault; what might surprise is noted. Where the process is running already, its ports are its own, and are not tried.

It changes nothing. Exit code 0: no fault. 1: some.`

// roles makes the commands of all processes that stay.
var roles = map[string]func(doing) *cobra.Command{"control": controlCommand, "dev": devCommand, "edge": edgeCommand, "relay": relayCommand}

func configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check <file> [control|edge|relay|dev]", Short: "Check a file with settings, without starting anything",
		Long: configCheckLong, Args: cobra.RangeArgs(1, 2),
		Example: "  warmfront config check /etc/warmfront/warmfront.toml\n  warmfront config check warmfront.toml edge",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 && !slices.Contains(roleNames, args[1]) {
				return usage("%q is no process that reads a file: use %s", args[1], strings.Join(roleNames, ", "))
			}
			return checkFile(cmd, args[0], args[1:])
		},
	}
}

// checkFile checks the tables of a file, or one of them, and prints what it finds.
func checkFile(cmd *cobra.Command, file string, only []string) error {
	all, err := readTables(file)
	if err != nil {
		return err
	}
	check := sorted(all)
	if len(only) > 0 {
		check = only
	}
	if len(check) == 0 {
		return fmt.Errorf("%s has no table: put settings under %s", file, brackets(roleNames))
	}
	out, faults := cmd.OutOrStdout(), 0
	for _, name := range check {
		found := checkRole(cmd, file, name)
		for _, line := range found.Notes {
			fmt.Fprintf(out, "%s: note: %s\n", name, clean(line))
		}
		for _, line := range found.Faults {
			fmt.Fprintf(out, "%s: fault: %s\n", name, clean(line))
		}
		if len(found.Faults) == 0 {
			fmt.Fprintf(out, "%s: in order\n", name)
		}
		faults += len(found.Faults)
	}
	if faults > 0 {
		return fmt.Errorf("%s has %s", file, count(faults, "fault"))
	}
	return nil
}

func checkRole(parent *cobra.Command, file, name string) (found node.Findings) {
	cmd := roles[name](func(_ *cobra.Command, _ *settings, r role, c node.Config) error {
		found = r.check(c)
		return nil
	})
	mistakes(cmd)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SetArgs([]string{"--config", file})
	if err := cmd.ExecuteContext(parent.Context()); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			var h *hinted
			if errors.As(err, &h) && len(h.hints) > 0 {
				line += " (" + strings.TrimSuffix(h.hints[0], ".") + ")"
			}
			found.Faults = append(found.Faults, line)
		}
	}
	return found
}

const configShowLong = `Prints every setting of the process with the value that counts, and where that comes from: a flag, a variable of the environment,
a file, or the default. It takes the flags that the process takes, reads what it reads, and refuses what it refuses.`

func configShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show which settings count, and where each comes from"}
	for _, name := range roleNames {
		var asJSON bool
		sub := roles[name](func(cmd *cobra.Command, s *settings, _ role, _ node.Config) error {
			return showSettings(cmd.OutOrStdout(), s, asJSON)
		})
		sub.Short, sub.Long = "Settings of warmfront "+name, configShowLong
		sub.Example = "  warmfront config show " + name + " --config /etc/warmfront/warmfront.toml"
		sub.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
		cmd.AddCommand(sub)
	}
	return cmd
}

// shown is a setting that counts.
type shown struct {
	Value  string `json:"value"`
	Source string `json:"source"`
}

func showSettings(out io.Writer, s *settings, asJSON bool) error {
	all, t := map[string]shown{}, table{{"SETTING", "VALUE", "FROM"}}
	s.visit(func(f *pflag.Flag) {
		x := shown{value(f), "default"}
		if from := s.source[f.Name]; from != "" {
			x.Source = from
		}
		all[f.Name] = x
		t.row(f.Name, dash(x.Value), x.Source)
	})
	if asJSON {
		return printJSON(out, all, false)
	}
	return t.print(out)
}

// ownDefault is what a flag's help calls its default, where the value that it begins with only says that nothing was given.
var ownDefault = regexp.MustCompile(`\(default ([^)]*)\)$`)

// value is a flag's value as the environment would say it; a secret is not shown.
func value(f *pflag.Flag) string {
	if m := ownDefault.FindStringSubmatch(f.Usage); m != nil && !f.Changed {
		return m[1]
	}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		if _, secret := list.(*natsURLs); secret {
			return f.Value.String()
		}
		return strings.Join(list.GetSlice(), ",")
	}
	if f.Name == "token" && f.Value.String() != "" {
		return "(not shown)"
	}
	return f.Value.String()
}
