package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestActiveRules_AreWhatTheMetricsSay(t *testing.T) {
	page := "# HELP warmfront_invalidation_rules Invalidation rules\nwarmfront_invalidation_rules{edge=\"FRA50-P1\"} 10003\nwarmfront_other 1\n"
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(page)) }))
	defer metrics.Close()
	s := &Server{rules: &calls{ready: ready{Telemetry: metrics.URL}}}
	if n, err := s.ActiveRules(t.Context()); n != 10003 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	page = "nothing\n"
	if n, err := s.ActiveRules(t.Context()); err == nil {
		t.Errorf("%d rules where none are told of", n)
	}
}

func TestRules_OfWhoHasNone(t *testing.T) {
	s := &Server{}
	_, err := s.ActiveRules(t.Context())
	for _, err := range []error{err, s.AddRules(t.Context(), 1, 1), s.Drop(t.Context(), "/k/"), s.Invalidate(t.Context(), 1)} {
		if !errors.Is(err, ErrNotServed) {
			t.Error(err)
		}
	}
	if _, ok := s.Objects(t.Context()); ok {
		t.Error("it counts objects")
	}
}
