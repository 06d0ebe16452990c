package distribution

import (
	"fmt"
	"strings"
)

// Error is a refusal in CloudFront's words. Doors map Code to a status with wire.ErrorStatus.
type Error struct {
	Code    string // CloudFront's error code, e.g. "InvalidTTLOrder"
	Message string // names the field and says what to do
	Field   string // path of the member, e.g. "DistributionConfig.Origins.Items[0].OriginPath"; "" when no single one is at fault
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// fail makes an *Error; the field's path begins the message unless the format already names it.
func fail(code, field, format string, args ...any) *Error {
	m := fmt.Sprintf(format, args...)
	if field != "" && !strings.Contains(m, field) {
		m = field + ": " + m
	}
	return &Error{Code: code, Message: m, Field: field}
}

// unsupported refuses what the edge does not do yet: accepted and ignored would be a lie.
func unsupported(code, field, advice string) *Error {
	return &Error{Code: code, Field: field,
		Message: "Warmfront does not support " + field + " yet: " + advice}
}
