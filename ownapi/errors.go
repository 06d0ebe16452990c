package ownapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
)

// Problem is an error as the client sees it.
type Problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`

	status     int
	retryAfter int // seconds; 0: not said
}

func (p *Problem) Error() string { return p.Code + ": " + p.Message }

func (p *Problem) answer() *answer {
	a := encode(p.status, p)
	a.retryAfter = p.retryAfter
	return a
}

func refuse(status int, code, format string, args ...any) *Problem {
	return &Problem{Code: code, Message: fmt.Sprintf(format, args...), status: status}
}

func invalid(format string, args ...any) *Problem {
	return refuse(http.StatusBadRequest, "InvalidArgument", format, args...)
}

// unavailable is for what passes by itself.
func unavailable(format string, args ...any) *Problem {
	p := refuse(http.StatusServiceUnavailable, "ServiceUnavailable", format, args...)
	p.retryAfter = 1
	return p
}

func notFound(format string, args ...any) *Problem {
	return refuse(http.StatusNotFound, "NotFound", format, args...)
}

// internalFailure is all that a client learns of what is not in the table.
var internalFailure = refuse(http.StatusInternalServerError, "InternalFailure", "The request failed because of an unknown error. The server's log has it.")

// problem is the one table from errors to the wire. What it does not know is logged in full and never
// shown.
func (h *Handler) problem(err error, done *Call) *Problem {
	log := h.cfg.Logger.With("operation", done.Operation)
	if refused, ok := sigv4.IsRefusal(err); ok && refused.Canonical != "" {
		log.Debug("wrong signature", "canonical request", refused.Canonical)
	}
	p := translate(err)
	if p == nil {
		log.Error("a call failed", "error", err)
		return internalFailure
	}
	return p
}

func translate(err error) *Problem {
	var (
		own     *Problem
		command *control.Error
		refused *sigv4.Error
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &command):
		return ofControl(command)
	case errors.As(err, &refused):
		return refuse(http.StatusUnauthorized, "Unauthenticated", "%s: %s", refused.Code, refused.Message)
	case errors.Is(err, edge.ErrNoDistribution):
		return notFound("No edge of this process knows the distribution.")
	case errors.Is(err, auth.ErrBodyTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "InvalidArgument", "The request is too large: %v.", err)
	case errors.Is(err, auth.ErrBodyCut):
		return refuse(http.StatusRequestTimeout, "InvalidArgument", "The body of the request did not arrive in full.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable("The request was not answered in time. If it was to change something, it is not known whether it has: repeat it with the same caller reference, or look first at what there is.")
	}
	var tooFast *auth.Throttled
	if errors.As(err, &tooFast) {
		p := refuse(http.StatusTooManyRequests, "Throttling", "R%s. Wait as long as Retry-After says.", strings.TrimPrefix(tooFast.Error(), "r"))
		p.retryAfter = int((tooFast.Wait + time.Second - 1) / time.Second)
		return p
	}
	return ofAuth(err)
}

// ofControl keeps what a client branches on: what is not there is NotFound, what is wrong is
// InvalidArgument, whatever CloudFront calls it.
func ofControl(e *control.Error) *Problem {
	status := wire.ErrorStatus[e.Code]
	switch {
	case strings.HasPrefix(e.Code, "NoSuch"):
		return notFound("%s", e.Message)
	case e.Code == "ServiceUnavailable":
		return unavailable("%s", e.Message)
	case e.Code == "Throttling":
		p := refuse(http.StatusTooManyRequests, e.Code, "%s", e.Message)
		p.retryAfter = 1
		return p
	case e.Code == "TooManyInvalidationsInProgress":
		p := refuse(http.StatusTooManyRequests, e.Code, "%s", e.Message)
		p.retryAfter = 2
		return p
	case e.Code == "InvalidationBatchAlreadyExists", e.Code == "Conflict":
		return refuse(http.StatusConflict, e.Code, "%s", e.Message)
	case status == 0:
		return nil
	case status == http.StatusBadRequest:
		return invalid("%s", e.Message)
	}
	return refuse(status, e.Code, "%s", e.Message)
}

// ofAuth says what was wrong with a user or an access key.
func ofAuth(err error) *Problem {
	for _, k := range []struct {
		err    error
		status int
		code   string
	}{
		{auth.ErrNoSuchUser, http.StatusNotFound, "NotFound"},
		{auth.ErrNoSuchKey, http.StatusNotFound, "NotFound"},
		{auth.ErrUserExists, http.StatusConflict, "Conflict"},
		{auth.ErrKeyExists, http.StatusConflict, "Conflict"},
		{auth.ErrLastUser, http.StatusConflict, "Conflict"},
		{auth.ErrLastKey, http.StatusConflict, "Conflict"},
		{auth.ErrGivenKey, http.StatusConflict, "Conflict"},
		{auth.ErrTooMany, http.StatusConflict, "Conflict"},
		{auth.ErrUser, http.StatusBadRequest, "InvalidArgument"},
		{auth.ErrRole, http.StatusBadRequest, "InvalidArgument"},
		{auth.ErrPassword, http.StatusBadRequest, "InvalidArgument"},
	} {
		if errors.Is(err, k.err) {
			return refuse(k.status, k.code, "%s.", strings.ToUpper(k.err.Error()[:1])+k.err.Error()[1:])
		}
	}
	return nil
}

// unrouted tells what is wrong with a path to whoever was admitted.
func (h *Handler) unrouted(r *http.Request) *Problem {
	var allowed []string
	for _, m := range []string{"GET", "POST", "PUT", "DELETE"} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := h.mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return notFound("There is nothing at this path. GET %s/openapi.json lists what there is.", Prefix)
	}
	return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "This path takes %s.", strings.Join(allowed, ", "))
}
