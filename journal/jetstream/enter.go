package jetstream

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// How a machine becomes a control node: it shows a token to the node that made it, and gets that node's papers.

type enterQuestion struct {
	Protocol int
	Version  string
	Token    string
}

type enterAnswer struct {
	Protocol int
	Version  string
	Now      time.Time
	Papers   []byte `json:",omitempty"`
	refusal
}

func (l *Log) answerEntering(ctx context.Context, d Desk, m *nats.Msg) {
	if d.Enter == nil {
		return
	}
	var q enterQuestion
	err := json.Unmarshal(m.Data, &q)
	if err == nil {
		err = fits("the new node's", q.Protocol, q.Version, d.Version)
	}
	a := enterAnswer{Protocol: Protocol, Version: d.Version, Now: time.Now().UTC()}
	if err == nil {
		var known bool
		if a.Papers, known, err = d.Enter(ctx, q.Token); !known {
			return
		}
	}
	a.refusal = refuse(err)
	l.respond(m, a)
}

// Enter asks a control node for the papers of one. key is the token's public half.
func Enter(ctx context.Context, addresses []string, c *tls.Config, key, line, version string) (papers []byte, err error) {
	nc, err := nats.Connect(strings.Join(urls(addresses), ","), nats.Name("warmfront"), nats.Secure(c), nats.Token(key), nats.Timeout(remoteConnect),
		nats.CustomInboxPrefix(inbox+"_"+token(key)), nats.NoReconnect())
	if err != nil {
		return nil, explain(addresses, err)
	}
	defer nc.Close()
	b, err := json.Marshal(enterQuestion{Protocol, version, line})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	sent := time.Now()
	m, err := nc.RequestWithContext(ctx, entering, b)
	if err != nil {
		return nil, explain(addresses, err)
	}
	var a enterAnswer
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return nil, err
	}
	if err := a.err(); err != nil {
		return nil, err
	}
	if err := fits("the other control node's", a.Protocol, a.Version, version); err != nil {
		return nil, err
	}
	if d := skew(sent, time.Now(), a.Now); d > skewMost {
		return nil, fmt.Errorf("%s: they are %v apart", skewWords, d.Round(time.Second))
	}
	return a.Papers, nil
}
