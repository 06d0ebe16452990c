package jetstream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/warmfront/warmfront/journal"
)

// An external log is compacted as that of several nodes is (meanwhile.go, online.go), by any of the control nodes; one of them takes it upon itself (Compacts). That takes more of the account than
// appending and reading do. What it takes is found out before anything is begun, by questions that change nothing: NATS says nothing to who asks what it may not, but for
// a remark on the connection.

// permits is what has been asked just to find out whether the account permits it.
type permits struct {
	mu      sync.Mutex
	stream  string          // a name that no stream has; guarded by mu
	asked   map[string]bool // subjects; guarded by mu
	refused chan<- string   // of these; nil: nobody is asking. Guarded by mu
}

// question is one of these.
type question struct {
	subject, body string
	reads         bool // to read what others have kept takes it, too
}

// questions are what compacting takes of an account.
func (c Config) questions(nowhere string) []question {
	other := `{"name":"-"}` // than the subject says: refused
	return []question{
		{"$JS.API.STREAM.NAMES", `{}`, true},
		{"$JS.API.STREAM.INFO." + nowhere, ``, true},
		{"$JS.API.STREAM.MSG.GET." + nowhere, `{"seq":1}`, true},
		{directGets + nowhere, `{"seq":1}`, true},
		{"$JS.API.STREAM.CREATE." + nowhere, other, false},
		{"$JS.API.STREAM.UPDATE." + nowhere, other, false},
		{"$JS.API.STREAM.DELETE." + nowhere, ``, false},
		{c.names().kept + "0", ``, false}, // to what no stream has: none is of the base 0
		{"$JS.API.STREAM.PURGE." + c.names().stream, fmt.Sprintf(`{"seq":1,"filter":"%snone"}`, c.names().kept), false}, // of what is before the first, and of nothing
	}
}

var publishTo = regexp.MustCompile(`(?i)publish to "(\S+)"`)

// asks tells whether an error is the answer to a question.
func (p *permits) asks(err error) bool {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	m := publishTo.FindStringSubmatch(err.Error())
	if m == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked[m[1]] {
		return false
	}
	select {
	case p.refused <- m[1]:
	default:
	}
	return true
}

// ask begins: what is refused comes from the channel.
func (p *permits) ask(c Config) ([]question, <-chan string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == "" {
		p.stream, p.asked = c.names().stream+keptInfix+"0_"+string(journal.NewID()), map[string]bool{}
	}
	all := c.questions(p.stream)
	for _, q := range all {
		p.asked[q.subject] = true
	}
	refused := make(chan string, len(all))
	p.refused = refused
	return all, refused
}

// refusals finds out what the account does not permit of what compacting takes. What is not answered in time counts as permitted.
func (l *Log) refusals(ctx context.Context) (refused []question, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	nc := l.engine.nc
	all, no := l.permits.ask(l.c)
	inbox, answers := nc.NewInbox(), make(chan *nats.Msg, len(all))
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, l.wrap("permissions", err)
	}
	defer sub.Unsubscribe()
	for _, q := range all {
		if err := nc.PublishRequest(q.subject, inbox, []byte(q.body)); err != nil {
			return nil, l.wrap("permissions", err)
		}
	}
	for range all {
		select {
		case <-answers:
		case subject := <-no:
			for _, q := range all {
				if q.subject == subject {
					refused = append(refused, q)
				}
			}
		case <-ctx.Done():
			return refused, nil
		}
	}
	return refused, nil
}

// mayCompact finds out whether an external log can be compacted by this node; if not, that is said once. Without what reading takes it does not look for what others
// have kept, either.
func (l *Log) mayCompact(ctx context.Context, info *jetstream.StreamInfo) (why string, err error) {
	why, fixed := "", info.Config.DenyPurge
	if fixed {
		why = earlier
	} else {
		refused, err := l.refusals(ctx)
		if err != nil {
			return "", err
		}
		var subjects []string
		for _, q := range refused {
			fixed = fixed || q.reads
			subject := strings.Replace(q.subject, l.permits.nowhere(), "*", 1)
			if kept := l.c.names().kept; strings.HasPrefix(subject, kept) {
				subject = kept + "*"
			}
			subjects = append(subjects, subject)
		}
		if len(subjects) > 0 {
			why = "its account does not permit to publish to " + strings.Join(subjects, ", ")
		}
	}
	l.fixed.Store(fixed)
	if before := l.uncompacted.Swap(&why); why != "" && (before == nil || *before != why) {
		l.log.Warn("the journal in NATS is not compacted by this node, and grows if no other may", "why", why)
	}
	return why, nil
}

// unseen says of what is wrong with a log that the account does not permit to look for what was kept of it.
func (l *Log) unseen(err error, s jetstream.StreamState) error {
	if err == nil || s.FirstSeq <= 1 || !l.fixed.Load() {
		return err
	}
	return fmt.Errorf("%w. It seems to have been compacted; what was kept of the entries below %d cannot be looked for: %s", err, s.FirstSeq, l.Uncompacted())
}

func (p *permits) nowhere() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stream
}

// earlier is why a log is not compacted that an earlier version has made: its stream was told for good not to be purged.
const earlier = "an earlier version has made it"

// Uncompacted says why this node does not compact the log while it runs; "": it does, when it Compacts. Another one may.
func (l *Log) Uncompacted() string {
	if l.c.Cluster != nil && l.fixed.Load() {
		return earlier
	}
	if why := l.uncompacted.Load(); why != nil {
		return *why
	}
	return ""
}
