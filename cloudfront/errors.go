package cloudfront

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
	"github.com/warmfront/warmfront/distribution"
)

// Problem is an error as the client sees it. Code decides the status.
type Problem struct {
	Code    string
	Message string
	status  int // 0: by code

	retryAfter time.Duration // 0: by code
}

func (p *Problem) Error() string { return p.Code + ": " + p.Message }

func refuse(code, format string, args ...any) *Problem {
	return &Problem{Code: code, Message: fmt.Sprintf(format, args...)}
}

// unmodelled has the status of codes that CloudFront answers and the model does not list.
var unmodelled = map[string]int{
	"InternalFailure":                http.StatusInternalServerError,
	"InvalidURI":                     http.StatusBadRequest,
	"InvalidationBatchAlreadyExists": http.StatusConflict,
	"MalformedInput":                 http.StatusBadRequest,
	"MalformedXML":                   http.StatusBadRequest,
	"NotImplemented":                 http.StatusNotImplemented,
	"RequestTimeout":                 http.StatusRequestTimeout,
	"ServiceUnavailable":             http.StatusServiceUnavailable,
	"Throttling":                     http.StatusBadRequest,
	"UnknownOperationException":      http.StatusNotFound,
}

// passing are the codes of what passes by itself, and after how long it is worth asking again. An invalidation is
// Completed in milliseconds, or in half a minute when an edge is silent.
var passing = map[string]time.Duration{
	"ServiceUnavailable":             time.Second,
	"Throttling":                     time.Second,
	"TooManyInvalidationsInProgress": 2 * time.Second,
}

// internalFailure is all that a client learns of what is not in the table.
var internalFailure = &Problem{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error. The log of the server has it under the request id."}

// problem is the one table from errors to the wire. What it does not know is logged in full and never
// shown.
func (h *Handler) problem(err error, done *Call) *Problem {
	log := h.cfg.Logger.With("operation", done.Operation, "request", done.RequestID)
	p := translate(err, done.Operation)
	if refused, ok := sigv4.IsRefusal(err); ok && refused.Canonical != "" {
		log.Debug("wrong signature", "canonical request", refused.Canonical)
	}
	if p == nil || p.statusCode() == 0 {
		log.Error("a call failed", "error", err)
		return internalFailure
	}
	if p.Code == "ServiceUnavailable" {
		log.Warn("a call could not be served", "error", err, "cause", errors.Unwrap(err))
	}
	return p
}

func translate(err error, operation string) *Problem {
	var (
		own     *Problem
		command *control.Error
		config  *distribution.Error
		input   *wire.InputError
		refused *sigv4.Error
		tooFast *auth.Throttled
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &command):
		return &Problem{Code: command.Code, Message: command.Message}
	case errors.As(err, &config):
		return &Problem{Code: config.Code, Message: config.Message}
	case errors.As(err, &input):
		return &Problem{Code: input.Code, Message: input.Message}
	case errors.As(err, &refused):
		return &Problem{Code: refused.Code, Message: refused.Message, status: refused.Status}
	case errors.As(err, &tooFast):
		return &Problem{Code: "Throttling", Message: "Rate exceeded: " + strings.TrimPrefix(tooFast.Error(), "rate exceeded: ") + ". Wait as long as Retry-After says.", retryAfter: tooFast.Wait}
	case errors.Is(err, auth.ErrBodyTooLarge):
		code := "EntitySizeLimitExceeded"
		if strings.HasPrefix(operation, "CreateInvalidation") {
			code = "BatchTooLarge"
		}
		return refuse(code, "The request is too large: %v.", err)
	case errors.Is(err, auth.ErrBodyCut):
		return refuse("RequestTimeout", "The body of the request did not arrive in full.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refuse("ServiceUnavailable", "The request was not answered in time, so it is not known whether it took effect. Repeat it with the same caller reference or ETag, or look first at what there is.")
	}
	return nil
}

// statusCode is 0 for a code that nobody knows.
func (p *Problem) statusCode() int {
	if p.status != 0 {
		return p.status
	}
	if s, ok := wire.ErrorStatus[p.Code]; ok {
		return s
	}
	return unmodelled[p.Code]
}

// document makes the error document. SDKs read it in this wrapper only.
func document(p *Problem, requestID string) *answer {
	status, kind := p.statusCode(), "Sender"
	if status >= 500 {
		kind = "Receiver"
	}
	wait := p.retryAfter
	if wait == 0 {
		wait = passing[p.Code]
	}
	return &answer{status: status, retryAfter: wait, body: []byte("<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"" + wire.Namespace + "\"><Error><Type>" + kind +
		"</Type><Code>" + p.Code + "</Code><Message>" + wire.EscapeText(p.Message) + "</Message></Error><RequestId>" + requestID + "</RequestId></ErrorResponse>")}
}
