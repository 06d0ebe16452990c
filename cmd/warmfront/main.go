// Command warmfront is a content delivery network of one's own that speaks CloudFront's language.
// This package knows flags, exit codes, and how to talk to people; package node knows how the roles are
// wired, package ownapi/client how a program talks to a running Warmfront.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "development"

func main() {
	// The first Ctrl-C asks for a clean stop, the second ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, newRoot(), os.Stderr))
}

// Exit codes.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2 // a mistake in the command line: nothing was asked of anybody
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "warmfront",
		Short:         "A content delivery network of one's own that speaks CloudFront's language",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  warmfront dev                    everything in one process, with a demonstration site
  warmfront control                a control node, for edges on other machines
  warmfront edge                   one of those
  warmfront relay                  a relay between the two, for hundreds of edges
  warmfront demo change            change the demonstration site's content
  warmfront invalidate --help      drop what is cached, and know when it is gone everywhere
  warmfront status                 the edges and how they are`,
	}
	edge := edgeCommand(start)
	control := controlCommand(start)
	control.AddCommand(controlTokenCommand())
	edge.AddCommand(edgeTokenCommand(), edgeDrainCommand(), edgeRemoveCommand())
	relay := relayCommand(start)
	relay.AddCommand(relayTokenCommand(), relayRemoveCommand())
	root.AddCommand(devCommand(start), control, edge, relay, configCommand(), authorityCommand(), demoCommand(), guaranteeCommand(),
		invalidateCommand(), withdrawCommand(), explainCommand(), historyCommand(), statusCommand(), fsckCommand(), backupCommand(), restoreCommand(), compactCommand(), placeCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w%s; see %s --help", plainly{err}, otherwise(cmd, err), cmd.CommandPath())
	})
	mistakes(root)
	return root
}

// plainly is an error of a flag without the names of the functions that have read it.
type plainly struct{ error }

var parsing = regexp.MustCompile(`strconv\.\w+: parsing ".*": `)

func (e plainly) Error() string { return parsing.ReplaceAllString(e.error.Error(), "") }

func (e plainly) Unwrap() error { return e.error }

// mistakes makes errors in arguments usage errors, and an unknown command an error at all.
func mistakes(cmd *cobra.Command) {
	switch check := cmd.Args; {
	case check != nil:
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err != nil && strings.HasPrefix(err.Error(), "accepts ") { // cobra.ExactArgs
				return usage("use %s %s; see %[1]s --help", cmd.CommandPath(), strings.TrimPrefix(cmd.Use, cmd.Name()+" "))
			}
			if err != nil {
				return usage("%w; see %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	case cmd.HasSubCommands():
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q%s; see %s --help", cmd.CommandPath()+" "+args[0], otherCommand(cmd, args[0]), cmd.CommandPath())
			}
			return nil
		}
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		mistakes(sub)
	}
}

// run runs a command line, says on stderr what went wrong and what to do, and returns the exit code.
func run(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "warmfront:", clean(err.Error()))
	var h *hinted
	if errors.As(err, &h) {
		for _, line := range h.hints {
			fmt.Fprintln(stderr, "  hint:", clean(line))
		}
	}
	var mistake usageError
	if errors.As(err, &mistake) {
		return exitUsage
	}
	return exitRefused
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// hinted is an error and what to do about it.
type hinted struct {
	error
	hints []string
}

func (e *hinted) Unwrap() error { return e.error }

func hint(err error, hints ...string) error { return &hinted{err, hints} }
