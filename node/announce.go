package node

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/warmfront/warmfront/internal/durable"
)

// Ready is what --ready-file holds: everything that a script needs to use this Warmfront.
type Ready struct {
	PID              int
	Version          string
	Console          string   `json:",omitempty"`
	API              string   `json:",omitempty"`
	Journal          []string `json:",omitempty"` // where edges of other machines find it
	Relay            string   `json:",omitempty"` // where edges come to a relay
	Edges            []ReadyEdge
	Demo             string `json:",omitempty"`
	DemoDistribution string `json:",omitempty"` // its id
	DemoDomain       string `json:",omitempty"`
	Telemetry        string `json:",omitempty"`
	User             string `json:",omitempty"`
	AccessKeyID      string `json:",omitempty"`
	SecretAccessKey  string `json:",omitempty"`
	AWSEnv           string `json:",omitempty"` // path of aws.env
	Data             string
	CA               string `json:",omitempty"` // path of the certificate to trust for the edges' https
}

// ReadyEdge is one edge of Ready.
type ReadyEdge struct {
	Name  string
	URL   string
	HTTPS string `json:",omitempty"` // URL
}

func (e *ReadyEdge) urls() string {
	if e.HTTPS == "" {
		return e.URL
	}
	return e.URL + "   " + e.HTTPS
}

// awsEnv is the environment that turns any AWS client to this Warmfront.
func (r *Ready) awsEnv() string {
	return strings.Join([]string{
		"export AWS_ACCESS_KEY_ID=" + r.AccessKeyID,
		"export AWS_SECRET_ACCESS_KEY=" + r.SecretAccessKey,
		"export AWS_DEFAULT_REGION=us-east-1",
		"export AWS_ENDPOINT_URL_CLOUDFRONT=" + r.API,
	}, "\n") + "\n"
}

// isKept tells whether what is written to out goes into the log of the machine's supervisor, which more people read than may know a secret:
// systemd says which file that is in JOURNAL_STREAM, by device and inode (systemd.exec(5)). A process that writes elsewhere inherits that too.
func isKept(out io.Writer, getenv func(string) string) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", s.Dev, s.Ino)
}

// announce prints where everything is. password is shown as it is given; it may be a hint. discreet: of the secret key is told where it lies.
func (r *Ready) announce(out io.Writer, password string, discreet bool) {
	fmt.Fprintf(out, "\nWarmfront %s is serving. Ctrl-C stops it; its data stays in %s.\n\n", r.Version, r.Data)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "  Console\t%s\n", r.Console)
	fmt.Fprintf(t, "  Sign in\tuser %s, password %s\n", r.User, password)
	fmt.Fprintf(t, "  API endpoint\t%s\n", r.API)
	if len(r.Journal) > 0 {
		fmt.Fprintf(t, "  For edges of other machines\t%s\n", strings.Join(r.Journal, ", "))
	}
	for _, e := range r.Edges {
		fmt.Fprintf(t, "  Edge %s\t%s\n", e.Name, e.urls())
	}
	if r.Demo != "" {
		fmt.Fprintf(t, "  Demonstration site (origin)\t%s\n", r.Demo)
		_, port, _ := strings.Cut(strings.TrimPrefix(r.Edges[0].URL, "http://"), ":")
		fmt.Fprintf(t, "  The same through an edge\thttp://%s:%s/   (distribution %s)\n", r.DemoDomain, port, r.DemoDistribution)
	}
	if r.Telemetry != "" {
		fmt.Fprintf(t, "  Telemetry\t%s/metrics\n", r.Telemetry)
	}
	t.Flush()
	if discreet {
		fmt.Fprintf(out, "\nFor the AWS CLI and SDKs:\n\n  . %s\n", r.AWSEnv)
	} else {
		fmt.Fprintf(out, "\nFor the AWS CLI and SDKs (also in %s):\n\n", r.AWSEnv)
		for _, line := range strings.Split(strings.TrimSpace(r.awsEnv()), "\n") {
			fmt.Fprintf(out, "  %s\n", line)
		}
	}
	r.announceTrust(out)
	fmt.Fprintf(out, "\nAn AWS CLI before 1.29 or 2.13 needs --endpoint-url %s instead of AWS_ENDPOINT_URL_CLOUDFRONT.\n\n", r.API)
}

// announceEdge is the same for an edge alone.
func (r *Ready) announceEdge(out io.Writer) {
	e := r.Edges[0]
	fmt.Fprintf(out, "\nEdge %s, Warmfront %s, is serving. Ctrl-C stops it; what it keeps stays in %s.\n\n", e.Name, r.Version, r.Data)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "  Viewers\t%s\n", e.urls())
	fmt.Fprintf(t, "  Control plane\t%s\n", strings.Join(r.Journal, ", "))
	if r.Telemetry != "" {
		fmt.Fprintf(t, "  Telemetry\t%s/metrics\n", r.Telemetry)
	}
	t.Flush()
	r.announceTrust(out)
	fmt.Fprintln(out)
}

// announceRelay is the same for a relay.
func (r *Ready) announceRelay(out io.Writer, name string) {
	fmt.Fprintf(out, "\nRelay %s, Warmfront %s, is passing on. Ctrl-C stops it; what it keeps stays in %s.\n\n", name, r.Version, r.Data)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "  For edges\t%s   warmfront edge --relays ...\n", r.Relay)
	fmt.Fprintf(t, "  Control plane\t%s\n", strings.Join(r.Journal, ", "))
	if r.Telemetry != "" {
		fmt.Fprintf(t, "  Telemetry\t%s/metrics\n", r.Telemetry)
	}
	t.Flush()
	fmt.Fprintln(out)
}

// announceTrust says how to make clients take the edges' certificates.
func (r *Ready) announceTrust(out io.Writer) {
	if r.CA == "" {
		return
	}
	fmt.Fprintf(out, `
The edges' https has certificates of this Warmfront's own authority. To trust it:

  curl                  --cacert %[1]s
  most programs         SSL_CERT_FILE=%[1]s
  Debian, everything    sudo cp %[1]s /usr/local/share/ca-certificates/warmfront.crt && sudo update-ca-certificates
  browsers              import that file as an authority for web sites
`, r.CA)
}

// writeReady writes aws.env, and the ready file when one is asked for. A reader never sees half of it.
func (r *Ready) write(readyFile string) error {
	if r.AWSEnv != "" {
		if err := writeFile(r.AWSEnv, []byte(r.awsEnv())); err != nil {
			return err
		}
	}
	if readyFile == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(readyFile, append(b, '\n')); err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	return nil
}

// writeFile replaces a file as a whole, readable by its owner only: all of these hold a secret.
func writeFile(path string, b []byte) error { return durable.Write(path, b, 0o600) }
