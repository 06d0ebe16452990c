package jetstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// External is a NATS of the operator's that has the log: one server, a cluster or a supercluster. This process is one of its clients; others may
// be, with the same prefix, and then are control nodes of the same control plane. Edges never come there: they come to Config.Network, where an
// engine without a store passes on to them what is pushed, and from them what is acknowledged.
//
// What is done there, with P for Prefix, and so what the account must permit:
//
//	P_0                            the stream; $JS.API.STREAM.INFO, .CREATE, .UPDATE, .PURGE and .MSG.GET of it, and $JS.API.DIRECT.GET
//	P_0_KEPT_N_…                   what a compaction keeps: the same, and .DELETE, of any stream, for their names are made; $JS.API.STREAM.NAMES
//	P.log.0   P.push.0             appended to; pushed by the stream
//	P.ack.0.NAME                   acknowledgements, for all control nodes
//	P.kept.0.N                     appended to by who compacts
//	P.control   P.ask              control nodes tell of themselves, and ask each other for edges
//	P.inbox.>                      answers
//
// Without what is for compactions the log is not compacted, and that is said (Log.Compact).
//
// Whoever else may publish there could break the journal, or complete what is not: the account, or at least P.>, is for Warmfront alone.
//
// URLs and SyncAlways are required.
type External struct {
	URLs []string // nats:// or tls://; the client finds the other servers of a cluster by one

	Credentials string // file of a JWT and its seed
	CA          string // file of certificates to believe the servers by; "": the system's
	Cert, Key   string // files that the client shows
	Prefix      string // of all names; "": DefaultPrefix
	Replicas    int    // of a stream that is made; 0: three in a cluster, else one. Of one that there is it must be so, unless 0

	// SyncAlways is the operator's word that all servers with JetStream run with "sync_interval: always". A client cannot find out, and without it
	// what was confirmed may be lost, and its number used again, when the power fails.
	SyncAlways bool

	Node   string // this control node's name, for people
	Joined bool   // it has joined a control plane just now, whose log is there: it never begins one
	New    bool   // it is of no control plane yet: it begins one, and never follows a log that is there
	Idle   bool   // it does not compact the log by itself (Compacts), and another one may

	Waiting func(why string) // as Cluster.Waiting
}

// DefaultPrefix is that of an External which names none.
const DefaultPrefix = "WARMFRONT"

// leastNATS is the first version that answers a read of several entries.
const leastNATS = "2.11"

// external is where Config.Dir has what is kept of an external log.
const external = "external"

// ErrNATS says that an external NATS cannot be reached, or does not answer.
var ErrNATS = errors.New("journal: NATS does not answer")

var prefixes = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (x *External) prefix() string { return cmp.Or(x.Prefix, DefaultPrefix) }

func (x *External) names() naming {
	p := x.prefix()
	return naming{p + "_0", p + ".log.0", p + ".push.0", p + ".ack.0.", p + ".kept.0."}
}

// String names where it is, without passwords.
func (x *External) String() string { return strings.Join(Redacted(x.URLs), ", ") }

// isURL tells whether a text is the URL of a NATS. A password that has a character which means something in URLs ends too early: what is left of
// it must not be taken for host and port, nor be shown.
func isURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" {
		return false
	}
	return !strings.ContainsAny(strings.TrimPrefix(s, u.Scheme+"://"), "/?#") && !strings.Contains(u.Host, ",")
}

// plain is what can be nothing but an address, with or without a scheme.
var plain = regexp.MustCompile(`^([a-z]+://)?([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// hidden stands for a password, and for whatever may be a part of one.
const hidden = "xxxxx"

// Redacted are URLs of a NATS as they may be shown: nothing of a user, password or token is. Where one of them is none, as when a comma in a password has
// made two of it, any of them may be a part of a password, and nothing is shown of any unless all are addresses.
func Redacted(urls []string) []string {
	not := func(is func(string) bool) bool {
		return slices.ContainsFunc(urls, func(s string) bool { return !is(s) })
	}
	spoiled := not(isURL)
	shown := slices.Clone(urls)
	for i, s := range shown {
		scheme, _, _ := strings.Cut(s, "://")
		switch at := strings.LastIndexByte(s, '@'); {
		case spoiled && not(plain.MatchString):
			shown[i] = hidden
		case !spoiled && at >= 0:
			shown[i] = scheme + "://" + hidden + s[at:]
		}
	}
	return shown
}

// checkURLs says which of them is none, and how to write one.
func (x *External) checkURLs() error {
	if len(x.URLs) == 0 {
		return fmt.Errorf("%w: no URL of a NATS is given", ErrConfig)
	}
	for i, s := range x.URLs {
		if isURL(s) {
			continue
		}
		which := fmt.Sprintf("%q", Redacted(x.URLs)[i])
		if n := len(x.URLs); n > 1 {
			which += fmt.Sprintf(", number %d of %d,", i+1, n)
		}
		return fmt.Errorf("%w: %s is no URL of a NATS: write nats://host:4222, or tls://host:4222; several are a list, or have commas between them. In a password, "+
			"write %%2C for a comma, %%40 for @, %%2F for a slash, %%23 for #, %%3F for ? and %%25 for %%", ErrConfig, which)
	}
	return nil
}

// Check says what is wrong with it, as far as that can be seen from here.
func (x *External) Check() error {
	if err := x.checkURLs(); err != nil {
		return err
	}
	if !prefixes.MatchString(x.prefix()) {
		return fmt.Errorf("%w: %q is no prefix for subjects and a stream: letters, digits, _ and -, at most 64", ErrConfig, x.Prefix)
	}
	if n := x.Replicas; n != 0 && n != 1 && n != 3 && n != 5 {
		return fmt.Errorf("%w: a stream has one, three or five replicas, not %d", ErrConfig, n)
	}
	if (x.Cert == "") != (x.Key == "") {
		return fmt.Errorf("%w: a certificate and its key are given together", ErrConfig)
	}
	if !x.SyncAlways {
		return fmt.Errorf("%w: NATS syncs to its disks every two minutes unless told otherwise, and what it has confirmed in between is lost when the power fails: invalidations that were accepted, "+
			"and distributions. Set \"jetstream { sync_interval: always }\" in the configuration of each of its servers, restart them, and then say so: a client cannot find out", ErrUnsafe)
	}
	_, err := x.options()
	return err
}

// options are how to connect.
func (x *External) options() (o []nats.Option, err error) {
	if x.Credentials != "" {
		if _, err := os.ReadFile(x.Credentials); err != nil {
			return nil, fmt.Errorf("%w: credentials: %w", ErrConfig, err)
		}
		o = append(o, nats.UserCredentials(x.Credentials))
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if x.CA != "" {
		b, err := os.ReadFile(x.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: certificates of NATS's authority: %w", ErrConfig, err)
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%w: %s holds no certificate", ErrConfig, x.CA)
		}
	}
	if x.Cert != "" {
		c, err := tls.LoadX509KeyPair(x.Cert, x.Key)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate for NATS: %w", ErrConfig, err)
		}
		t.Certificates = []tls.Certificate{c}
	}
	if x.CA != "" || x.Cert != "" {
		o = append(o, nats.Secure(t))
	}
	return o, nil
}

// servers is the option of where to connect to: Connect itself takes a text that it splits at commas, those in passwords, too.
func (x *External) servers(o *nats.Options) error {
	o.Servers = x.URLs
	return nil
}

// dial connects, and says meanwhile why it has not yet. What will not pass by itself is an error.
func (l *Log) dial(ctx context.Context) error {
	x := l.c.External
	o, err := x.options()
	if err != nil {
		return err
	}
	e := &session{log: l.log, name: ownName, remote: true, gone: fmt.Errorf("%w: %s", ErrNATS, x), inbox: x.prefix() + ".inbox"}
	o = append(e.options(
		x.servers, e.closes(), nats.Timeout(remoteConnect), nats.SyncQueueLen(mostAnswers), nats.CustomInboxPrefix(e.inbox),
		nats.PingInterval(remotePing), nats.MaxPingsOutstanding(remotePings),
		nats.IgnoreAuthErrorAbort(), nats.CustomReconnectDelay(again),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil && !e.closed.Load() { // nil: move has said why
				l.log.Warn("NATS lost", "err", err)
			}
		}),
		nats.ErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
			if !l.permits.asks(err) {
				e.complain(nc, sub, err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { l.log.Info("NATS reached", "at", nc.ConnectedAddr()) }),
	), o...)
	for {
		e.nc, err = nats.Connect("", o...)
		if err == nil {
			l.engine = e
			l.js, err = jetstream.New(e.nc)
			return err
		}
		if permanent(err) {
			return fmt.Errorf("%w: %s: %w", ErrConfig, x, err)
		}
		l.waits(fmt.Sprintf("NATS at %s cannot be reached: %v", x, err))
		if !sleep(ctx, 500*time.Millisecond) {
			return fmt.Errorf("%w: %s: %w", ErrNATS, x, err)
		}
	}
}

// permanent tells of an error that somebody must mend. A server that wants a certificate, or another one, says so in an alert.
func permanent(err error) bool {
	said := strings.ToLower(err.Error())
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrSecureConnRequired) || errors.Is(err, nats.ErrSecureConnWanted) ||
		strings.Contains(said, "x509:") || strings.Contains(said, "authorization violation") || strings.Contains(said, "remote error: tls:") && strings.Contains(said, "certificate")
}

// suits checks that the server that has taken the connection can do what is needed.
func (x *External) suits(nc *nats.Conn) error {
	if v := nc.ConnectedServerVersion(); older(v, leastNATS) {
		return fmt.Errorf("%w: NATS at %s is version %s; %s is the first that will do", ErrConfig, nc.ConnectedAddr(), v, leastNATS)
	}
	if n := nc.MaxPayload(); n < maxPayload {
		return fmt.Errorf("%w: NATS at %s takes messages of %d octets: set max_payload to 1MB, its default, or more", ErrConfig, nc.ConnectedAddr(), n)
	}
	return nil
}

// older compares the first two numbers of versions.
func older(v, least string) bool {
	number := func(s string, i int) int {
		if parts := strings.SplitN(s, ".", 3); i < len(parts) {
			n, _ := strconv.Atoi(parts[i])
			return n
		}
		return 0
	}
	for i := range 2 {
		if a, b := number(v, i), number(least, i); a != b {
			return a < b
		}
	}
	return false
}

// The engine's words for having no room, which it says before anything is stored.
const (
	errCodeAccountResources = 10002
	errCodeResources        = 10023
)

// full tells whether an append was refused for want of room.
func full(err *jetstream.APIError) bool {
	return err.ErrorCode == errCodeAccountResources || err.ErrorCode == errCodeResources
}
