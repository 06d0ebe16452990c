package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/warmfront/warmfront/journal"
)

// Protocol is the version of what edges and control plane say to each other. Both sides must have the same.
const Protocol = 2

// Desk is what a control node does for edges on other machines, beside answering probes. All members but Enter and
// Addresses are required, and called concurrently.
type Desk struct {
	// Join makes an edge a member. serial is of the certificate that it has; "": it is of an earlier version, and does not say.
	Join  func(ctx context.Context, j journal.EdgeJoined, serial string) error
	Leave func(context.Context, journal.EdgeLeft) error

	// Tick appends an entry and returns its number: with replicas it tells the end of the log, which a read does not.
	Tick func(context.Context) (uint64, error)

	// Admit makes an edge of who asks for it with the token whose public half is given. Its errors are told as they are.
	Admit func(ctx context.Context, token string, a Application) (*Admission, error)

	// Renew gives an edge another certificate, or says by whom it would be.
	Renew func(context.Context, Renewal) (*Renewed, error)

	// Enter gives the papers of a control node to who has the token. known is false of a token that another node has made.
	Enter func(ctx context.Context, token string) (papers []byte, known bool, err error)

	// Addresses are where edges find the control nodes; nil says nothing, and they go on with what they know.
	Addresses func() []string

	// Answer answers what an edge asks, in words that are the callers' affair. Its errors are told as they are.
	Answer func(ctx context.Context, edge string, question []byte) ([]byte, error)

	// Shown tells a relay whether a certificate is an edge's.
	Shown func(Shown) bool

	Version string
}

// Renewal is how an edge asks for another certificate. Without a request it asks whether it is time.
type Renewal struct {
	Edge    string
	Serial  string // of the one that it has
	Request []byte `json:",omitempty"` // PKCS #10, DER
}

// Renewed is the answer.
type Renewed struct {
	Authority   string // fingerprint of who gives certificates now
	Certificate []byte `json:",omitempty"` // DER
	Root        []byte `json:",omitempty"` // DER: the authority's
}

// Application is how somebody asks to become an edge.
type Application struct {
	Protocol int
	Version  string
	Token    string // all of it
	Request  []byte // for a certificate: PKCS #10, DER
}

// Admission is the answer.
type Admission struct {
	Protocol int
	Version  string
	Now      time.Time // by the control plane's clock

	Edge, Location string
	Certificate    []byte   // DER
	Root           []byte   // DER: the authority's, which may be newer than the token
	Addresses      []string // of all control nodes
}

// What a desk does at once (L9), for all edges and for one of them: what one asks is no reason not to answer another. Beyond it
// there is no answer, and the edge asks again; but to what is somebody else's wish, who waits for an answer, it is ErrBusy at once. What an edge has given up to read may still be under way.
var (
	mostReads        = bound{4096, 8} // of a fleet that comes back at once, each waits for its turn (mostDeskReads)
	mostParts        = bound{4096, 4} // the same, for company
	mostWants        = bound{256, 64}
	mostApplications = bound{16, 16} // of who has no name yet; and of control nodes
	mostEntering     = bound{4, 4}
)

// ServeEdges answers the edges until stop. Several nodes share them.
func (l *Log) ServeEdges(d Desk) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, s := range []struct {
		queue   string
		subject string
		most    bound
		answer  func(context.Context, *nats.Msg)
	}{
		{"desk", readPrefix + "*", mostReads, func(ctx context.Context, m *nats.Msg) { l.answerRead(ctx, d, m) }},
		{"desk", partPrefix + "*", mostParts, func(ctx context.Context, m *nats.Msg) { l.answerPart(ctx, d, m) }},
		{"desk", wantPrefix + "*", mostWants, func(ctx context.Context, m *nats.Msg) { l.answerWant(ctx, d, m) }},
		{"desk", relayPrefix + "*", mostShown, func(_ context.Context, m *nats.Msg) { l.answerShown(d, m) }},
		{"desk", application, mostApplications, func(ctx context.Context, m *nats.Msg) { l.answerApplication(ctx, d, m) }},
		{"", entering, mostEntering, func(ctx context.Context, m *nats.Msg) { l.answerEntering(ctx, d, m) }}, // all hear it; one knows the token
	} {
		beyond := func(*nats.Msg) {}
		if s.subject == wantPrefix+"*" {
			beyond = func(m *nats.Msg) { l.respond(m, wantAnswer{refusal: refuse(errDesk)}) }
		}
		f, err := l.serveOr(s.subject, s.queue, s.most, s.answer, beyond)
		if err != nil {
			stop()
			return nil, err
		}
		stops = append(stops, f)
	}
	return stop, nil
}

var errDesk = fmt.Errorf("%w: this control node answers as many questions of edges as it may", journal.ErrBusy)

// refusal is the end of every answer: what went wrong, if anything did.
type refusal struct {
	Code  string `json:",omitempty"`
	Error string `json:",omitempty"`
}

// codes are the errors that the other side branches on.
var codes = map[string]error{
	"damaged": journal.ErrDamaged, "broken": journal.ErrBroken, "version": ErrVersion, "refused": ErrRefused, "busy": journal.ErrBusy,
}

func refuse(err error) refusal {
	if err == nil {
		return refusal{}
	}
	for code, known := range codes {
		if errors.Is(err, known) {
			return refusal{code, err.Error()}
		}
	}
	return refusal{"other", err.Error()}
}

// err is what the other side said.
func (r refusal) err() error {
	switch known := codes[r.Code]; {
	case r.Code == "":
		return nil
	case known != nil:
		return &told{r.Error, known}
	}
	return &told{r.Error, nil}
}

// told is an error in the words of the other side.
type told struct {
	words string
	kind  error
}

func (e *told) Error() string { return e.words }
func (e *told) Unwrap() error { return e.kind }

// readQuestion and readAnswer are a read by an edge. An answer is as many messages as it takes, since one holds no
// two large entries; all but the last say More, and each says which it is: one that is lost must not look like a hole in the log.
// A message is the readAnswer, and then the entries as they are stored, each in a line of its own: who is a million of them
// behind has to wait for whatever is done with each.
type readQuestion struct {
	From uint64
	Max  int
}

type readAnswer struct {
	Part int  `json:",omitempty"` // from 0
	More bool `json:",omitempty"`
	refusal
}

// answerBytes is after how much a message is sent. With the largest entry on top it still fits.
const answerBytes = 256 << 10

func (l *Log) answerRead(ctx context.Context, d Desk, m *nats.Msg) {
	var q readQuestion
	if err := json.Unmarshal(m.Data, &q); err != nil {
		l.respondLines(m, readAnswer{refusal: refuse(err)}, nil)
		return
	}
	all, err := l.readFor(ctx, d, q)
	part, from, size := 0, 0, 0
	for i, b := range all {
		if size > 0 && size+len(b) > answerBytes {
			l.respondLines(m, readAnswer{Part: part, More: true}, all[from:i])
			part, from, size = part+1, i, 0
		}
		size += len(b)
	}
	l.respondLines(m, readAnswer{Part: part, refusal: refuse(err)}, all[from:])
}

// respondLines sends a part of an answer.
func (l *Log) respondLines(m *nats.Msg, a readAnswer, entries [][]byte) {
	b, err := json.Marshal(a)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	l.responded(m, m.Respond(lines(b, entries)))
}

// lines joins what has no line breaks.
func lines(first []byte, rest [][]byte) []byte {
	size := len(first)
	for _, b := range rest {
		size += 1 + len(b)
	}
	out := append(make([]byte, 0, size), first...)
	for _, b := range rest {
		out = append(append(out, '\n'), b...)
	}
	return out
}

// readTogether is readStored, with those who wait for the same.
func (l *Log) readTogether(ctx context.Context, q readQuestion) ([][]byte, error) {
	q.Max = min(q.Max, maxBatch)
	return l.desking.do(ctx, q, l.deskReads.enter, func(ctx context.Context) ([][]byte, error) {
		defer l.deskReads.leave()
		return l.readStored(ctx, q.From, q.Max)
	})
}

// readFor reads for an edge. It asks from where it stands, so that no answer tells it that the log is not the one it followed, and
// it drops its cache (E1). A replica that is behind must not say that: then the end is made sure of.
func (l *Log) readFor(ctx context.Context, d Desk, q readQuestion) ([][]byte, error) {
	all, err := l.readTogether(ctx, q)
	if err != nil || len(all) > 0 || q.From <= 1 || q.Max <= 0 || !l.MayLag() {
		return all, err
	}
	z, err := d.Tick(ctx)
	if err != nil || z < q.From {
		return nil, err
	}
	l.known.atLeast(z)
	return l.readTogether(ctx, q)
}

// part is an edge's joining, leaving, or asking for another certificate; one of them is set.
type part struct {
	Protocol int
	Version  string
	Join     *journal.EdgeJoined `json:",omitempty"`
	Leave    *journal.EdgeLeft   `json:",omitempty"`
	Renew    *Renewal            `json:",omitempty"`
	Serial   string              `json:",omitempty"` // of the certificate of who joins
}

func (p *part) what() string {
	if p.Renew != nil {
		return "renew the certificate"
	}
	return "join or leave"
}

type partAnswer struct {
	Version   string
	Now       time.Time
	Addresses []string `json:",omitempty"` // of all control nodes
	Renewed   *Renewed `json:",omitempty"`
	refusal
}

// Errors that an edge meets.
var (
	ErrVersion = errors.New("journal: the versions do not fit")
	ErrRefused = errors.New("journal: the control plane refuses this machine")
	ErrAway    = errors.New("journal: no control node can be reached")
)

// mostPart is the greatest question of this kind, in octets. They wait by the thousand.
const mostPart = 16 << 10

func (l *Log) answerPart(ctx context.Context, d Desk, m *nats.Msg) {
	var p part
	var err error
	if len(m.Data) > mostPart {
		err = fmt.Errorf("%w: %d octets, at most %d", ErrRefused, len(m.Data), mostPart)
	} else {
		err = json.Unmarshal(m.Data, &p)
	}
	if err == nil {
		err = fits("edge", p.Protocol, p.Version, d.Version)
	}
	a := partAnswer{Version: d.Version, Now: time.Now().UTC()}
	switch name := strings.TrimPrefix(m.Subject, partPrefix); {
	case err != nil:
	case p.Renew != nil && token(p.Renew.Edge) == name:
		a.Renewed, err = d.Renew(ctx, *p.Renew)
	default:
		err = d.part(ctx, name, p)
	}
	a.refusal = refuse(err)
	if d.Addresses != nil {
		a.Addresses = d.Addresses()
	}
	l.respond(m, a)
}

// part does what an edge wants, if it speaks for itself: the subject is what it is permitted.
func (d Desk) part(ctx context.Context, name string, p part) error {
	switch {
	case p.Join != nil && token(p.Join.Edge) == name:
		return d.Join(ctx, *p.Join, p.Serial)
	case p.Leave != nil && token(p.Leave.Edge) == name:
		return d.Leave(ctx, *p.Leave)
	}
	return fmt.Errorf("%w: it does not speak for itself", ErrRefused)
}

// fits refuses the other side's protocol when it is another one.
func fits(who string, protocol int, theirs, ours string) error {
	if protocol == Protocol {
		return nil
	}
	return fmt.Errorf("%w: %s %s speaks protocol %d, %s speaks %d; run the same version on both", ErrVersion, who, theirs, protocol, ours, Protocol)
}

func (l *Log) answerApplication(ctx context.Context, d Desk, m *nats.Msg) {
	var a Application
	err := json.Unmarshal(m.Data, &a)
	if err == nil {
		err = fits("the edge's", a.Protocol, a.Version, d.Version)
	}
	answer := applicationAnswer{}
	if err == nil {
		answer.Admission, err = d.Admit(ctx, a.Token, a)
	}
	answer.refusal = refuse(err)
	l.respond(m, answer)
}

type applicationAnswer struct {
	Admission *Admission `json:",omitempty"`
	refusal
}

// want is a question by an edge, under its name. The subject is what it is permitted, so it says who asks.
type want struct {
	Edge     string
	Question []byte
}

type wantAnswer struct {
	Answer []byte `json:",omitempty"`
	refusal
}

func (l *Log) answerWant(ctx context.Context, d Desk, m *nats.Msg) {
	var w want
	err := json.Unmarshal(m.Data, &w)
	if err == nil && m.Subject != wantPrefix+token(w.Edge) {
		err = fmt.Errorf("%w: it does not speak for itself", ErrRefused)
	}
	var a wantAnswer
	if err == nil {
		a.Answer, err = d.Answer(ctx, w.Edge, w.Question)
	}
	a.refusal = refuse(err)
	l.respond(m, a)
}

// askInbox is where edges answer what they are asked, each below its own name, and where nobody guesses: an edge sees where its own answers
// go, and must not answer in the name of others. Nothing else comes there, and it is no edge's own inbox, whatever that is called.
const askInbox = inbox + "-ask"

// Ask asks an edge. Nobody there: ErrAway.
func (l *Log) Ask(ctx context.Context, edge string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := l.askHere(ctx, edge, question)
	if l.c.External != nil && errors.Is(err, ErrAway) {
		return l.askOthers(ctx, edge, question)
	}
	return answer, err
}

// askHere asks an edge that is connected to this engine, or to one that it is clustered with.
func (l *Log) askHere(ctx context.Context, edge string, question []byte) ([]byte, error) {
	if l.asks == nil {
		return nil, ErrAway
	}
	reply := askInbox + "." + token(edge) + "." + rand.Text()
	sub, err := l.asks.SubscribeSync(reply)
	if err != nil {
		return nil, l.wrap("ask "+edge, err)
	}
	defer sub.Unsubscribe()
	err = sub.AutoUnsubscribe(1) // more than one answer would be taken for a slow consumer, and the first lost
	if err == nil {
		err = l.asks.PublishRequest(askPrefix+token(edge), reply, question)
	}
	if err != nil {
		return nil, l.wrap("ask "+edge, err)
	}
	m, err := sub.NextMsgWithContext(ctx)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("%w: edge %s is not connected", ErrAway, edge)
	}
	if err != nil {
		return nil, l.wrap("ask "+edge, err)
	}
	return m.Data, nil
}
