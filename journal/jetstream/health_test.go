package jetstream

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// A machine that is out of breath has not stopped to write.
func TestTroubleOf_IsWhatDoesNotPass(t *testing.T) {
	busy := server.HealthzError{Type: server.HealthzErrorConn, Error: "failed to be ready for connections after 1ms: startup did not complete"}
	full := server.HealthzError{Type: server.HealthzErrorStream, Error: "stream has encountered a write error"}
	for _, k := range []struct {
		errors []server.HealthzError
		want   string
	}{
		{nil, ""},
		{[]server.HealthzError{busy}, ""},
		{[]server.HealthzError{full}, full.Error},
		{[]server.HealthzError{busy, full}, full.Error},
		{[]server.HealthzError{{Type: server.HealthzErrorJetStream, Error: "JetStream not enabled"}}, "JetStream not enabled"},
	} {
		if got := troubleOf(&server.HealthStatus{Errors: k.errors}); got != k.want {
			t.Errorf("%+v: %q, want %q", k.errors, got, k.want)
		}
	}
}
