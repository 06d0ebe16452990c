package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"time"
)

// Laid is where lines begin, each at an address, until Stop.
type Laid struct {
	At   []string
	Stop func()
}

// here lays lines in this process.
func here(_ context.Context, to string, ways []time.Duration) (Laid, error) {
	x, err := lay(to, ways)
	if err != nil {
		return Laid{}, err
	}
	return Laid{x.at, x.close}, nil
}

// wanted is what a process for lines is told.
type wanted struct {
	To   string
	Ways []time.Duration
}

// ServeLines lays the lines that in asks for, says to out where they begin, and takes them up when in ends.
func ServeLines(in io.Reader, out io.Writer) error {
	var w wanted
	d := json.NewDecoder(in)
	if err := d.Decode(&w); err != nil {
		return err
	}
	x, err := lay(w.To, w.Ways)
	if err != nil {
		return err
	}
	defer x.close()
	if err := json.NewEncoder(out).Encode(x.at); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// Apart is for Config.Lines: they are in a process of their own, which command makes and which does ServeLines.
func Apart(command func(context.Context) *exec.Cmd) func(context.Context, string, []time.Duration) (Laid, error) {
	return func(ctx context.Context, to string, ways []time.Duration) (laid Laid, err error) {
		ctx, kill := context.WithCancel(context.WithoutCancel(ctx))
		cmd := command(ctx)
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2); err != nil {
			kill()
			return laid, err
		}
		if err := cmd.Start(); err != nil {
			kill()
			return laid, err
		}
		laid.Stop = func() {
			in.Close()
			cmd.Wait() // it has nothing else to do
			kill()
		}
		if err = json.NewEncoder(in).Encode(wanted{to, ways}); err == nil {
			err = json.NewDecoder(out).Decode(&laid.At)
		}
		if err != nil {
			kill()
			laid.Stop()
		}
		return laid, err
	}
}
