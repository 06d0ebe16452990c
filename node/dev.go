// Package node knows how the roles of one process are wired together, in which order they start and
// stop, and what a person or a script is told about it. It alone may import every floor; it decides
// nothing else.
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/warmfront/warmfront/admission"
	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/certificate"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
	"github.com/warmfront/warmfront/origin"
	"github.com/warmfront/warmfront/ownapi"
	"github.com/warmfront/warmfront/telemetry"
)

// Config is what a process can be told; a role reads what concerns it. Addresses are host:port, port 0 takes a free one.
type Config struct {
	Data      string // directory of everything that is kept
	ReadyFile string // "" writes none

	Control string
	Edges   []string // one edge location each
	// EdgesHTTPS are the addresses of the same edges for https; empty: they speak plain HTTP only.
	EdgesHTTPS []string
	Demo       string // or "off"
	Telemetry  string // or "off"

	Journal   string   // of a control node: where edges of other machines come to
	Advertise []string // of a control node: where they find that, host:port
	Token     string   // of an edge, a relay or a control node that is none yet

	Relay  string   // of a relay: where edges come to
	Relays []string // of an edge: what it goes to instead of the control nodes, host:port

	// Of one of several control nodes.
	Name           string
	Peers          []string // all of them, "name=host:port" each; empty: this is the only one
	ClusterAddress string   // where the others come to; "": as Peers says

	// Of a control node whose journal is in a NATS of the operator's; see jetstream.External.
	NATS                                 []string // URLs; empty: it is here
	NATSCreds, NATSCA, NATSCert, NATSKey string   // files
	NATSPrefix                           string
	NATSReplicas                         int
	NATSSyncAlways                       bool

	Tier          string // where other edges ask this one; "" or "off": nowhere
	TierAdvertise string // where they find that, host:port; "": the address itself

	ProxyProtocol bool // connections to edges begin with a header of the PROXY protocol

	Certificates string // directory of the operator's certificates; "": none
	ACME         bool   // obtain certificates for the aliases of distributions
	ACMEEmail    string
	ACMECA       string // URL of the authority's directory; "": Let's Encrypt

	Suffix      string   // distributions answer at dXXXX.<suffix>
	Origins     []string // "name=address" each
	OriginsFile string
	// OriginRequests bounds the requests of an edge on their way to one address of an origin; 0: 4,096.
	OriginRequests int
	CacheSize      int64             // bytes per edge
	DiskCache      int64             // bytes of each edge's file below that; 0: none
	AccessLog      string            // file that gets a line per request, "-" for Err; "": none
	AccessFormat   string            // one of telemetry.AccessLogFormats
	H2C            bool              // HTTP/2 on the plain addresses too
	HTTP3          bool              // on the UDP ports of EdgesHTTPS
	Limits         httpserver.Limits // of viewers, for each address of an edge
	Quotas         control.Limits    // of what the API makes
	RatePerKey     int               // calls a second of each access key

	Getenv func(string) string // may give the access key and the password

	// AcceptJournalLoss starts on a journal that has lost what it had confirmed; see jetstream.Config.
	AcceptJournalLoss bool

	Version string
	Logger  *slog.Logger
	Out     io.Writer // what people are told
	Err     io.Writer // where an access log goes that has no file

	// JournalEntries is how many the journal may have before it is looked whether it is worth compacting; 0: it never is by itself.
	JournalEntries int

	// For tests in this package.
	serving      func(*process) // called once everything serves
	compactTail  uint64         // what stays as it is, whatever its age, instead of what JournalEntries says
	compactEvery time.Duration  // instead of the constant
}

// Dev runs the whole of Warmfront in this process until ctx ends, then stops it cleanly. An error
// is for the user: it says what to do.
func Dev(ctx context.Context, c Config) error {
	resolve, err := origins(c)
	if err != nil {
		return err
	}
	unlock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer unlock()
	c.Tier = "127.0.0.1:0"
	ls, err := openListeners(c)
	if err != nil {
		return err
	}
	defer ls.close()
	own, err := admission.OpenAuthority(filepath.Join(c.Data, "authority"), nil)
	if err != nil {
		return err
	}
	who, err := newCredentials(c, own.Secret())
	if err != nil {
		return err
	}
	log, err := c.openJournal(ctx, jetstream.Config{})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	c.Limits = fit(c.Limits, len(ls.edges)+len(ls.secure), descriptors(), c.Logger)
	d := &process{Config: c, ls: ls, who: who, log: log, health: log.Health, resolve: resolve, metrics: telemetry.New()}
	return errors.Join(d.run(ctx), log.Close())
}

// process is one run of a role.
type process struct {
	Config
	ls      *listeners
	who     *credentials
	log     journal.Log
	health  func() error // of the log; nil: it is another machine's
	state   *health      // of a control node, from before there is a log
	resolve map[string]string

	// How an edge of this process joins and leaves.
	join  func(context.Context, journal.EdgeJoined) error
	leave func(context.Context, journal.EdgeLeft) error

	control *control.Control
	metrics *telemetry.Metrics
	meter   *ownapi.Meter        // the recent past, for the console
	access  *telemetry.AccessLog // nil: none
	places  []*place
	kin     func(name, location string, i int) (*kinship, error)   // of the i-th edge
	fleet   *fleet                                                 // nil: no edges on other machines
	gate    *gate                                                  // the same
	rate    *auth.Rate                                             // of calls per key, over all doors
	door    *door                                                  // nil: the control listener opens when everything serves
	purge   func(context.Context, edge.Purge) (edge.Purged, error) // what viewers purge goes there
	ready   Ready

	authority *certificate.Authority // nil: no https
	store     *certificate.Store     // nil: nobody's certificates but the authority's
}

// run starts the roles bottom up and stops them top down: viewers first, the journal last. Each
// phase has its own context, ended in the order of the defers.
func (d *process) run(ctx context.Context) (err error) {
	base := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, base.stop()) }()
	if err := d.startControl(ctx, base); err != nil {
		return err
	}
	if err := d.buryDeadEdges(ctx); err != nil {
		return err
	}
	if err := d.startDemo(ctx, base); err != nil {
		return err
	}
	if err := d.openCertificates(ctx, base); err != nil {
		return err
	}
	if err := d.startAccessLog(base); err != nil {
		return err
	}
	edges := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, edges.stop()) }()
	if err := d.relate(); err != nil {
		return err
	}
	if err := d.startEdges(ctx, edges); err != nil {
		return err
	}
	doors := newPhase(context.WithoutCancel(ctx))
	defer func() { err = errors.Join(err, doors.stop()) }()
	if err := d.startDoors(doors); err != nil {
		return err
	}
	d.startTelemetry(doors)
	if err := d.announce(); err != nil {
		return err
	}
	defer d.retract()
	return d.untilStopped(ctx, base, edges, doors)
}

// startControl starts the control plane and waits until it has read the journal.
func (d *process) startControl(ctx context.Context, p *phase) (err error) {
	d.meter = ownapi.NewMeter(nil)
	looks, err := newLooker(d.resolve)
	if err != nil {
		return err
	}
	if d.control, err = control.New(control.Config{Log: d.log, Suffix: d.Suffix, Limits: d.Quotas, Look: looks.look, Access: d.who.access, Logger: d.Logger.With("role", "control")}); err != nil {
		return err
	}
	d.metrics.AddControl(d.controlState)
	d.rate = auth.NewRate(cmp.Or(d.RatePerKey, auth.DefaultRate), nil)
	d.purge = (&purger{control: d.control, keys: auth.NewBearer(d.who.lookup, nil), known: d.who.known, rate: d.rate}).purge
	d.join = func(ctx context.Context, j journal.EdgeJoined) error {
		_, err := d.control.Join(ctx, j)
		return err
	}
	d.leave = d.control.Leave
	p.run(func(ctx context.Context) error {
		defer looks.origins.Close()
		return d.control.Run(ctx)
	})
	reading := func() { fmt.Fprintf(d.Out, "Reading the journal: entry %d.\n", d.control.Seq()) }
	if err := p.wait(ctx, d.control.Ready(), reading); err != nil {
		return err
	}
	d.keepJournalShort(p)
	return d.who.open(ctx, d.Config, d.control)
}

func (d *process) announce() error {
	d.ready.PID, d.ready.Version, d.ready.Data = os.Getpid(), d.Version, d.Data
	d.ready.API, d.ready.Console = url(d.ls.control), url(d.ls.control)+"/"
	d.ready.User, d.ready.AccessKeyID, d.ready.SecretAccessKey = auth.FirstUser, d.who.key.ID, d.who.key.Secret
	d.ready.AWSEnv = filepath.Join(d.Data, "aws.env")
	if err := d.ready.write(d.ReadyFile); err != nil {
		return err
	}
	d.ready.announce(d.Out, d.who.password, isKept(d.Out, d.Getenv))
	return nil
}

// retract takes back what says that we serve.
func (d *process) retract() {
	if d.ReadyFile != "" {
		os.Remove(d.ReadyFile)
	}
}

// origins reads the map of origin names from flags and file.
func origins(c Config) (map[string]string, error) {
	lines := c.Origins
	m, err := origin.ParseResolve(lines)
	if err != nil {
		return nil, fmt.Errorf("--origin: %w", err)
	}
	if c.OriginsFile == "" {
		return m, nil
	}
	f, err := os.Open(c.OriginsFile)
	if err != nil {
		return nil, fmt.Errorf("--origins-file: %w", err)
	}
	defer f.Close()
	more, err := origin.ReadResolve(f, c.OriginsFile)
	if err != nil {
		return nil, fmt.Errorf("--origins-file: %w", err)
	}
	for name, to := range more {
		if _, flag := m[name]; !flag { // what the command line says wins
			m[name] = to
		}
	}
	return m, nil
}
