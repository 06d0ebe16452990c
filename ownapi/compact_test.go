package ownapi

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"
)

func TestCompact_DoneAndRefused(t *testing.T) {
	at(t, func(h *house) {
		with := func(in string) (int, string) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, signed(t, h.admin, "", "POST", "/journal/compact", in))
			return w.Code, w.Body.String()
		}
		ask := func() (int, string) { return with("{}") }
		if status, body := ask(); status != 409 {
			t.Errorf("where there is none: %d %s", status, body)
		}
		for _, c := range []struct {
			err    error
			status int
		}{{nil, 200}, {ErrNotCompacted, 409}, {errors.New("the disk is gone"), 500}} {
			h.cfg.Compact = func(context.Context, *time.Duration) (*Compacted, error) { return &Compacted{1000, 10, 995}, c.err }
			status, body := ask()
			if status != c.status || status == 200 && body != `{"before":1000,"after":10,"base":995}`+"\n" {
				t.Errorf("%v: %d %s", c.err, status, body)
			}
		}
		var kept []*time.Duration
		h.cfg.Compact = func(_ context.Context, keep *time.Duration) (*Compacted, error) {
			kept = append(kept, keep)
			return &Compacted{}, nil
		}
		for in, status := range map[string]int{
			`{"keepSeconds":null}`: 200, `{"keepSeconds":0}`: 200, `{"keepSeconds":0.25}`: 200, `{"keepSeconds":31622400}`: 200,
			`{"keepSeconds":-1}`: 400, `{"keepSeconds":31622401}`: 400, `{"keepSeconds":1e300}`: 400, `{"keepSeconds":"1h"}`: 400, `{"keep":1}`: 400,
		} {
			kept = nil
			if got, body := with(in); got != status {
				t.Errorf("%s: %d %s", in, got, body)
			}
			if status == 200 && (len(kept) != 1 || (kept[0] == nil) != (in == `{"keepSeconds":null}`)) || status != 200 && len(kept) > 0 {
				t.Errorf("%s: compacted with %v", in, kept)
			}
		}
		h.compactions <- struct{}{}
		if status, _ := ask(); status != 429 {
			t.Errorf("two at once: %d", status)
		}
		<-h.compactions
	})
}
