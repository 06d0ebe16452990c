package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"time"
)

// Laid is where lines begin, or relays stand, each at an address, until Stop.
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
	return stay(in, out, x.at)
}

// stay says where a process is to be found, and returns when in ends.
func stay(in io.Reader, out io.Writer, at []string) error {
	if err := json.NewEncoder(out).Encode(at); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

// Apart is for Config.Lines: they are in a process of their own, which command makes and which does ServeLines.
func Apart(command func(context.Context) *exec.Cmd) func(context.Context, string, []time.Duration) (Laid, error) {
	return func(ctx context.Context, to string, ways []time.Duration) (Laid, error) {
		return lodge(command(context.WithoutCancel(ctx)), wanted{to, ways}) // until Stop
	}
}

// lodge begins a process that stays, for what it is told.
func lodge(cmd *exec.Cmd, what any) (laid Laid, err error) {
	p, err := begin(cmd)
	if err != nil {
		return laid, err
	}
	if err = p.tell(what); err == nil {
		err = p.hear(&laid.At)
	}
	if err != nil {
		p.end()
	}
	laid.Stop = p.end
	return laid, err
}

// process is one of another program, which is told and says things, each a JSON value, and ends when it is told nothing more.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func begin(cmd *exec.Cmd) (*process, error) {
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &process{cmd, in, json.NewDecoder(out)}, cmd.Start()
}

func (p *process) tell(what any) error { return json.NewEncoder(p.in).Encode(what) }
func (p *process) hear(what any) error { return p.out.Decode(what) }

func (p *process) end() {
	p.in.Close()
	p.cmd.Wait() // it has nothing else to do
}
