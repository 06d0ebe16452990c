package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
)

// Error is a refusal. Code is CloudFront's error code: wire.ErrorStatus has the HTTP status of all but
// InvalidationBatchAlreadyExists (409), ServiceUnavailable (503) and Throttling, which each API has its own status for. Message says what to do.
type Error struct {
	Code    string
	Message string
	Err     error // what the journal said, for the log; nil for a plain refusal
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// outcome gives what a commit came back with the form that doors expect: refusals as they are, a
// caller that went away as it is, and everything else as the journal's trouble, which may pass.
func outcome(err error) error {
	var refusal *Error
	var invalid *distribution.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &invalid):
		return &Error{Code: invalid.Code, Message: invalid.Message}
	case errors.Is(err, journal.ErrDoubt):
		return &Error{Code: "ServiceUnavailable", Err: err,
			Message: "The journal does not answer, so it is not known whether the request took effect. Repeat it with the same caller reference or ETag, or look first at what there is."}
	case errors.Is(err, journal.ErrBusy):
		return &Error{Code: "Throttling", Err: err,
			Message: "More is asked for than the journal takes. Nothing was changed: repeat the request in a moment, and several items in one."}
	case errors.Is(err, journal.ErrTooLarge):
		return &Error{Code: "EntitySizeLimitExceeded", Err: err,
			Message: "What the request would write is too large for one entry of the journal. Make it smaller; for a policy, let fewer distributions use it."}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &Error{Code: "ServiceUnavailable", Err: err,
		Message: "The journal cannot be written at the moment. Nothing was changed: repeat the request."}
}
