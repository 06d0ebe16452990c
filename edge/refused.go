package edge

import (
	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/internal/stripe"
)

// refusals gives each of the engine's reasons its own.
var refusals = map[string]Reason{
	httpserver.ReasonMalformed:   MalformedRequest,
	httpserver.ReasonBadHost:     MalformedHost,
	httpserver.ReasonURITooLong:  TargetTooLong,
	httpserver.ReasonHeaderLarge: HeaderTooBig,
	httpserver.ReasonVersion:     UnknownVersion,
	httpserver.ReasonEncoding:    UnknownCoding,
	httpserver.ReasonPlain:       PlainOnHTTPS,
	httpserver.ReasonTooMany:     TooManyConnections,
	httpserver.ReasonSlowBody:    BodyTooSlow,
	httpserver.ReasonInternal:    Internal,
}

// refusalOutcome is what an answer of the engine's comes to.
func refusalOutcome(status int) Outcome {
	if status == 503 {
		return CapacityExceeded
	}
	return Failed
}

// Refuse answers what never becomes a request (httpserver.Server.Refuse), in the shape of the edge's own
// answers, and tells of it like of them. Of what was a request its visit tells: see replaced.
func (e *Edge) Refuse(w httpserver.ResponseWriter, r *message.Request, status int, reason string) {
	x := Exchange{
		Start: e.now(), Edge: e.cfg.Name, Pop: e.cfg.Location, ID: newID(), Request: r, Stripe: stripe.Here(),
		Outcome: refusalOutcome(status), Reason: refusals[reason], Status: status, ContentType: "text/html",
	}
	body := appendPage(nil, status, "Bad request ("+reason+").", x.ID)
	fields := e.own(pageFields(nil, x.Start), nil, x.Outcome, x.ID)
	x.Aborted = w.Begin(status, fields, int64(len(body))) != nil
	if !x.Aborted {
		w.Write(body)
	}
	if r == nil {
		return
	}
	if r.Method != "HEAD" && !x.Aborted {
		x.Bytes = int64(len(body))
	}
	x.Duration = e.now().Sub(x.Start)
	x.FirstByte = x.Duration
	e.cfg.Observe(&x)
}

// replaced notes that the viewer gets the engine's answer in place of the visit's: its body was malformed or
// late before an answer had begun.
func (v *visit) replaced() {
	if v.begun {
		return
	}
	if status, reason := v.r.Refused(); status != 0 {
		v.x.Outcome, v.x.Reason, v.x.Status, v.x.Aborted, v.x.ContentType = refusalOutcome(status), refusals[reason], status, false, "text/html"
	}
}
