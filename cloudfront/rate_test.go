package cloudfront

import (
	"net/http"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/control"
)

func TestRate_BeyondItThrottling(t *testing.T) {
	now := time.Unix(1000, 0)
	limited := func(c *Config) { c.Rate = auth.NewRate(1, func() time.Time { return now }) }
	inBubble(t, limited, func(t *testing.T, d *door) {
		for range 2 { // the burst
			if w := d.do("viewer", "GET", "/2020-05-31/distribution", ""); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		w := d.do("viewer", "GET", "/2020-05-31/distribution", "")
		wantError(t, "the third in a second", w, http.StatusBadRequest, "Throttling")
		if got := w.Header().Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After: %q", got)
		}
		if w := d.do("administrator", "GET", "/2020-05-31/distribution", ""); w.Code != http.StatusOK {
			t.Errorf("another key: %d", w.Code)
		}
		r := request("GET", "/2020-05-31/distribution", "")
		sign(r, auth.AccessKey{ID: "AKIDADMIN", Secret: "a stranger's guess"}, "")
		for range 3 {
			wantError(t, "a stranger", d.answer(r), http.StatusForbidden, "SignatureDoesNotMatch")
		}
		if w := d.do("administrator", "GET", "/2020-05-31/distribution", ""); w.Code != http.StatusOK {
			t.Errorf("a stranger has used up the key's rate: %d", w.Code)
		}
		now = now.Add(time.Second)
		if w := d.do("viewer", "GET", "/2020-05-31/distribution", ""); w.Code != http.StatusOK {
			t.Errorf("a second later: %d", w.Code)
		}
	})
}

func TestErrors_WhatPassesSaysWhen(t *testing.T) {
	for code, want := range map[string]time.Duration{
		"TooManyInvalidationsInProgress": 2 * time.Second, "ServiceUnavailable": time.Second, "BatchTooLarge": 0, "InvalidArgument": 0,
	} {
		a := document(translate(&control.Error{Code: code, Message: "m"}, "CreateInvalidation"), "id")
		if a.retryAfter != want || wire.ErrorStatus[code] == 0 && unmodelled[code] == 0 {
			t.Errorf("%s: %v", code, a.retryAfter)
		}
	}
}
