package e2e

import (
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// point makes the story's environment that of somebody who has loaded aws.env.
func point(ts *testscript.TestScript) {
	w := of(ts)
	if w.proc == nil || w.proc.ready.API == "" {
		return
	}
	ts.Setenv("AWS_ENDPOINT_URL_CLOUDFRONT", w.proc.ready.API)
	ts.Setenv("AWS_ACCESS_KEY_ID", w.proc.ready.AccessKeyID)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", w.proc.ready.SecretAccessKey)
	ts.Setenv("CA", w.proc.ready.CA)
	for i, e := range w.proc.ready.Edges {
		ts.Setenv("EDGE"+strconv.Itoa(i+1), e.URL)
		_, port, _ := strings.Cut(strings.TrimPrefix(e.HTTPS, "https://"), ":")
		ts.Setenv("HTTPS"+strconv.Itoa(i+1), port)
	}
}

// warmfront ARG...: the binary as a command.
func warmfront(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(binary(), args...)
	of(ts).code = 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		of(ts).code = exit.ExitCode()
	}
	check(ts, neg, err)
}

// tells REGEXP ARG...: what the binary, as a command, says on standard output before long, however often it is asked.
func tells(ts *testscript.TestScript, neg bool, args []string) {
	wanted, err := regexp.Compile(args[0])
	ts.Check(err)
	check(ts, neg, of(ts).until(patience, func() (bool, error) {
		err := ts.Exec(binary(), args[1:]...)
		return err == nil && wanted.MatchString(ts.ReadFile("stdout")), err
	}))
}

// code N: the last command line ended with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(of(ts).code); (got == args[0]) == neg {
		ts.Fatalf("the exit code was %s", got)
	}
}
