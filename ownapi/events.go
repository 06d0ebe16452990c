package ownapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/control"
)

const (
	heartbeat  = 15 * time.Second // a comment: proxies drop what is silent
	writeLimit = 10 * time.Second // a client that does not read is dropped
)

type changeBody struct {
	Kind           string `json:"kind"`
	ID             string `json:"id"`
	DistributionID string `json:"distributionId"`
	Status         string `json:"status"`
	Seq            uint64 `json:"seq"`
}

// streamEvents tells of changes as server-sent events until the client goes, the process stops, or the
// key that asked is no longer good: a session's credentials run out, and the client asks again with
// fresh ones. A client that is slower than the changes is told "missed" and asks for what it shows.
func streamEvents(c *call, w http.ResponseWriter) error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if err := c.h.streams.enter(); err != nil {
		return err
	}
	defer c.h.streams.leave()
	changes, stop := c.h.cfg.Control.Watch()
	defer stop()

	s := stream{w: w, rc: http.NewResponseController(w)}
	_ = s.rc.SetReadDeadline(time.Time{}) // the server's limit for reading a request would end the stream
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it
	w.WriteHeader(http.StatusOK)
	defer s.rc.SetWriteDeadline(time.Time{}) // the connection may live on
	s.send([]byte(": hello\n\n"))
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for s.err == nil {
		select {
		case <-c.Context().Done():
			return nil
		case <-c.h.closing:
			return nil
		case <-beat.C:
			if !c.stillGood() {
				return nil
			}
			s.send([]byte(": .\n\n"))
		case change, ok := <-changes:
			if !ok {
				return nil
			}
			s.send(eventOf(change))
		}
	}
	return nil
}

// stillGood tells whether the key that was admitted would be admitted now.
func (c *call) stillGood() bool { return auth.Still(c.h.cfg.Lookup, c.Request, c.key) }

func eventOf(x control.Change) []byte {
	data, err := json.Marshal(changeBody{x.Kind.String(), x.ID, x.DistributionID, x.Status, x.Seq})
	if err != nil {
		panic("BUG: a change that JSON cannot hold: " + err.Error())
	}
	return append(append([]byte("event: change\ndata: "), data...), '\n', '\n')
}

// stream writes piece by piece, each at once.
type stream struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	err error
}

func (s *stream) send(b []byte) {
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeLimit)) // not every writer has one
	if _, s.err = s.w.Write(b); s.err == nil {
		s.err = s.rc.Flush()
	}
}
