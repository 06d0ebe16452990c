package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// A bridge stands between the engine to which edges come and an external NATS that has the log: it passes on to edges what is pushed, and to all
// control nodes what edges acknowledge; and it asks other control nodes for edges that are connected there. What is lost on it, such as while
// NATS is away, edges read, and acknowledge again. Probes, reads and joins need none: the desk answers them by the log.

// joinExternal connects both sides. The log is open.
func (l *Log) joinExternal() (err error) {
	n := l.c.names()
	if _, err = l.engine.subscribe(n.push, "", l.passPush); err != nil {
		return err
	}
	if _, err = l.subscribe(ackPrefix+"*", "", func(m *nats.Msg) {
		// Lost while NATS is away: acknowledgements are repeated.
		l.engine.nc.Publish(n.ack+strings.TrimPrefix(m.Subject, ackPrefix), m.Data)
	}); err != nil {
		return err
	}
	l.others = newPresence(l)
	return l.others.start()
}

// leaveExternal ends it, as far as it was begun.
func (l *Log) leaveExternal() {
	if l.c.External == nil || l.engine == nil {
		return
	}
	l.engine.closed.Store(true)
	if l.others != nil {
		l.others.stop()
	}
	l.engine.nc.Close()
}

// passPush passes on to edges and relays here what the stream has pushed.
func (l *Log) passPush(m *nats.Msg) {
	p := nats.NewMsg(pushSubject)
	p.Data = m.Data
	if s := m.Header.Get(signatureHeader); s != "" {
		p.Header.Set(signatureHeader, s)
	}
	if err := l.nc.PublishMsg(p); err != nil && !l.closed.Load() {
		l.log.Warn("journal push not passed on; edges read it", "err", err)
	}
}

// askingOthers is how a control node asks the others for an edge.
type askingOthers struct {
	From     string // whose presence asks; it does not answer itself
	Edge     string
	Question []byte
}

// notHere is the field of an answer that says that the edge is not connected here.
const notHere = "Warmfront-Not-Here"

// mostAnswers is how many of other control nodes' may lie in a queue. The default of such queues is half a megabyte each.
const mostAnswers = 64

// askOthers asks an edge by way of the control node that it is connected to. ErrAway: none of those that are known has it.
func (l *Log) askOthers(ctx context.Context, edge string, question []byte) ([]byte, error) {
	away := fmt.Errorf("%w: edge %s is not connected", ErrAway, edge)
	waiting := l.others.many()
	if waiting == 0 {
		return nil, away
	}
	b, err := json.Marshal(askingOthers{l.others.id, edge, question})
	if err != nil {
		return nil, err
	}
	reply := l.engine.nc.NewInbox()
	sub, err := l.engine.nc.SubscribeSync(reply)
	if err == nil {
		defer sub.Unsubscribe()
		err = l.engine.nc.PublishRequest(l.c.External.askSubject(), reply, b)
	}
	for ; err == nil && waiting > 0; waiting-- {
		var m *nats.Msg
		if m, err = sub.NextMsgWithContext(ctx); err == nil && m.Header.Get(notHere) == "" {
			return m.Data, nil
		}
	}
	if err != nil {
		return nil, l.wrap("ask "+edge, err)
	}
	return nil, away
}

// answerOthers asks an edge that is connected here for another control node.
func (l *Log) answerOthers(ctx context.Context, m *nats.Msg) {
	var a askingOthers
	if err := json.Unmarshal(m.Data, &a); err != nil || a.From == l.others.id {
		return
	}
	r := nats.NewMsg(m.Reply)
	answer, err := l.askHere(ctx, a.Edge, a.Question)
	switch {
	case errors.Is(err, ErrAway):
		r.Header.Set(notHere, "1")
	case err != nil:
		return // it is here, and silent: whoever asks finds that out
	}
	r.Data = answer
	l.responded(m, l.engine.nc.PublishMsg(r))
}
