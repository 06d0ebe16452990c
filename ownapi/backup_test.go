package ownapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestBackup_WholeRefusedAndCut(t *testing.T) {
	at(t, func(h *house) {
		ask := func() (status int, body string, cut bool) {
			defer func() {
				if p := recover(); p != nil {
					if p != http.ErrAbortHandler {
						panic(p)
					}
					cut = true
				}
			}()
			w := httptest.NewRecorder() // not by do, which wants JSON
			h.ServeHTTP(w, signed(t, h.admin, "", "GET", "/backup", ""))
			return w.Code, w.Body.String(), false
		}
		if status, body, _ := ask(); status != 409 {
			t.Errorf("where there is none: %d %s", status, body)
		}
		h.cfg.Backup = func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "all of it")
			return err
		}
		if status, body, _ := ask(); status != 200 || body != "all of it" {
			t.Errorf("whole: %d %q", status, body)
		}
		h.cfg.Backup = func(context.Context, io.Writer) error { return errors.New("the journal is broken") }
		if status, body, _ := ask(); status != 500 {
			t.Errorf("before its beginning: %d %q", status, body)
		}
		h.cfg.Backup = func(_ context.Context, w io.Writer) error {
			w.Write(make([]byte, 1<<20))
			return errors.New("the disk is gone")
		}
		if status, _, cut := ask(); !cut {
			t.Errorf("in the middle: %d, as if it were whole", status)
		}
		h.backups <- struct{}{}
		if status, _, _ := ask(); status != 429 {
			t.Errorf("two at once: %d", status)
		}
		<-h.backups
	})
}
