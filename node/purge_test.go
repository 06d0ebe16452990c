package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/edge"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/journal/jetstream"
)

// Whoever may not invalidate by the API may not by PURGE either, and its bounds are the same: none of these gets to
// the control plane, which is not there.
func TestPurge_WhoMayNot(t *testing.T) {
	keys, err := auth.StaticKeys(
		auth.AccessKey{ID: "AKIDVIEWER", Secret: "averysecretthing", User: "anna", Role: auth.Viewer},
		auth.AccessKey{ID: "AKIDCI", Secret: "averysecretthing", User: "ci", Role: auth.Invalidator})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	x := &purger{keys: auth.NewBearer(keys.Lookup, func() time.Time { return now }), rate: auth.NewRate(1, func() time.Time { return now })}
	for x.rate.Take("AKIDCI") == nil {
	}
	refused := func(id, secret string, status int, after time.Duration) {
		t.Helper()
		_, err := x.purge(t.Context(), edge.Purge{KeyID: id, Secret: secret, Address: "192.0.2.1"})
		var no *edge.PurgeRefused
		if !errors.As(err, &no) || no.Status != status || no.RetryAfter != after || no.Message == "" {
			t.Errorf("%s: %+v, want %d", id, err, status)
		}
	}
	refused("AKIDVIEWER", "averysecretthing", 403, 0)
	refused("AKIDCI", "averysecretthing", 429, time.Second)
	for range 20 {
		refused("AKIDCI", "a guess", 401, 0)
	}
	refused("AKIDCI", "averysecretthing", 429, 10*time.Second)
}

func TestPurge_RefusalsOfControl(t *testing.T) {
	for code, status := range map[string]int{
		"InvalidArgument": 400, "NoSuchDistribution": 404, "BatchTooLarge": 413, "TooManyInvalidationsInProgress": 429, "ServiceUnavailable": 503,
	} {
		var no *edge.PurgeRefused
		if err := purgeRefusal(&control.Error{Code: code, Message: "why"}); !errors.As(err, &no) || no.Status != status || no.Message != "why" {
			t.Errorf("%s: %+v", code, err)
		}
	}
	unknown := errors.New("the disk is on fire")
	if err := purgeRefusal(unknown); err != unknown {
		t.Error(err)
	}
}

// never is a control plane that refuses whatever it is asked.
type never struct{ with error }

func (n never) Ask(context.Context, []byte) ([]byte, error) { return nil, n.with }

// What the control plane has not even looked at is told so, and when to come again; of other errors it is not known.
func TestPurge_ControlPlaneThatTakesNoMore(t *testing.T) {
	for _, with := range []error{fmt.Errorf("asking: %w", journal.ErrBusy), fmt.Errorf("asking: %w", jetstream.ErrAway)} {
		_, err := purgeFrom(never{with})(t.Context(), edge.Purge{})
		var no *edge.PurgeRefused
		if !errors.As(err, &no) || no.Status != 503 || no.RetryAfter != time.Second || !strings.Contains(no.Message, "Nothing was invalidated") {
			t.Errorf("%v: %+v", with, err)
		}
	}
	lost := errors.New("no answer")
	if _, err := purgeFrom(never{lost})(t.Context(), edge.Purge{}); err != lost {
		t.Error(err)
	}
}
