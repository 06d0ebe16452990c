// Command warmfront is a content delivery network of one's own that speaks CloudFront's language.
// This package knows flags and exit codes; package node knows how the roles are wired.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "development"

func main() {
	// The first Ctrl-C asks for a clean stop, the second ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	root := &cobra.Command{
		Use:           "warmfront",
		Short:         "A content delivery network of one's own that speaks CloudFront's language",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Example: `  warmfront dev                    everything in one process, with a demonstration site
  warmfront demo change            change the demonstration site's content
  warmfront dev --help             all flags`,
	}
	root.AddCommand(devCommand(), demoCommand(), guaranteeCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "warmfront:", err)
		var usage usageError
		if errors.As(err, &usage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// usageError is a mistake in the command line: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
