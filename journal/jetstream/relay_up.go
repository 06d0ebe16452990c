// What a relay's connection to a control node does that an edge's does not.

package jetstream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// signatureHeader is that of an entry as it is pushed, in base64.
const signatureHeader = "Warmfront-Signature"

// overhear calls f with what is pushed, as it is stored.
func (l *Remote) overhear(f func(signature, entry []byte)) (stop func(), err error) {
	return l.subscribe(pushSubject, "", func(m *nats.Msg) {
		signature, err := base64.StdEncoding.DecodeString(m.Header.Get(signatureHeader))
		if err != nil || len(signature) == 0 {
			l.log.Warn("journal push without a signature; edges read it") // of a control node that runs an earlier version
			return
		}
		f(signature, m.Data)
	})
}

// again connects elsewhere, if there is a connection; else that is tried already.
func (l *Remote) again() {
	if !l.nc.IsConnected() {
		return
	}
	l.log.Warn("journal connection gives no answers; connecting anew", "to", l.nc.ConnectedAddr())
	l.nc.ForceReconnect()
}

// relayPatience is how long an answer may take.
const relayPatience = 3 * time.Second

type shownAnswer struct {
	Known []bool `json:",omitempty"`
	refusal
}

// shown asks whose certificates these are.
func (l *Remote) shown(ctx context.Context, who []Shown) ([]bool, error) {
	b, err := json.Marshal(who)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, relayPatience)
	defer cancel()
	m, err := l.nc.RequestWithContext(ctx, relayPrefix+token(l.name), b)
	if err != nil {
		return nil, l.wrap("ask", err)
	}
	var a shownAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return nil, l.wrap("ask", err)
	}
	if err := a.err(); err != nil {
		return nil, err
	}
	if len(a.Known) != len(who) {
		return nil, fmt.Errorf("journal: ask: %d answers to %d questions", len(a.Known), len(who))
	}
	return a.Known, nil
}

// mostShown is that of questions of relays (L9).
var mostShown = bound{64, 4}

func (l *Log) answerShown(d Desk, m *nats.Msg) {
	var who []Shown
	var a shownAnswer
	err := json.Unmarshal(m.Data, &who)
	if err == nil && len(who) > mostInquiries {
		err = fmt.Errorf("%d certificates, at most %d", len(who), mostInquiries)
	}
	if err == nil {
		for _, w := range who {
			a.Known = append(a.Known, d.Shown(w))
		}
	}
	a.refusal = refuse(err)
	l.respond(m, a)
}

// permitRelay is all that a relay may do.
func permitRelay(name string) *server.Permissions {
	return &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{pushSubject, inbox + "_" + name + ".>", askPrefix + name}},
		Publish:   &server.SubjectPermission{Allow: []string{partPrefix + name, relayPrefix + name, askInbox + "." + name + ".>"}},
	}
}
