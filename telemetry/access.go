package telemetry

import (
	"context"
	"log/slog"
)

// LogAccess writes the access line of a request: one line, the names of CloudFront's standard log
// where it has one. It is for whoever wants such lines; nothing calls it by default.
func LogAccess(l *slog.Logger, r *Request) {
	l.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.Time("time_received", r.Time),
		slog.String("edge", r.Edge),
		slog.String("edge_location", r.Location),
		slog.String("distribution", r.Distribution),
		slog.String("client", r.Remote.String()),
		slog.String("method", r.Method),
		slog.String("scheme", r.Scheme),
		slog.String("host", r.Host),
		slog.String("uri", r.URI),
		slog.String("protocol", r.Protocol),
		slog.Int("status", r.Status),
		slog.String("result_type", r.Result),
		slog.String("reason", r.Reason),
		slog.Int64("bytes_out", r.BytesOut),
		slog.Float64("time_to_first_byte", r.FirstByte.Seconds()),
		slog.Float64("time_taken", r.Duration.Seconds()),
		slog.String("request_id", r.ID),
		slog.String("user_agent", r.UserAgent),
		slog.String("referer", r.Referer),
	)
}
