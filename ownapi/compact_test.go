package ownapi

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
)

func TestCompact_DoneAndRefused(t *testing.T) {
	at(t, func(h *house) {
		ask := func() (int, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, signed(t, h.admin, "", "POST", "/journal/compact", "{}"))
			return w.Code, w.Body.String()
		}
		if status, body := ask(); status != 409 {
			t.Errorf("where there is none: %d %s", status, body)
		}
		for _, c := range []struct {
			err    error
			status int
		}{{nil, 200}, {ErrNotCompacted, 409}, {errors.New("the disk is gone"), 500}} {
			h.cfg.Compact = func(context.Context) (*Compacted, error) { return &Compacted{1000, 10, 995}, c.err }
			status, body := ask()
			if status != c.status || status == 200 && body != `{"before":1000,"after":10,"base":995}`+"\n" {
				t.Errorf("%v: %d %s", c.err, status, body)
			}
		}
		h.compactions <- struct{}{}
		if status, _ := ask(); status != 429 {
			t.Errorf("two at once: %d", status)
		}
		<-h.compactions
	})
}
