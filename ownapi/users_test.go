package ownapi

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/journal"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

type (
	userT struct{ Name, Role string }
	keyT  struct{ ID, Secret, User, Role string }
)

func TestUsers(t *testing.T) {
	at(t, func(h *house) {
		made := ask[userT](h, 201, "POST", "/users", `{"name":"ops","password":"long enough","role":"invalidator"}`)
		if made != (userT{"ops", "invalidator"}) {
			t.Errorf("%+v", made)
		}
		if got := fmt.Sprint(ask[pageT[userT]](h, 200, "GET", "/users", "").Items); got != "[{admin administrator} {ops invalidator}]" {
			t.Error(got)
		}
		id, _, err := h.sessions.SignIn(h.t.Context(), "ops", "long enough", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		if got := ask[userT](h, 200, "PUT", "/users/ops", `{"role":"viewer"}`); got.Role != "viewer" {
			t.Errorf("%+v", got)
		}
		if _, _, err := h.sessions.Renew(h.t.Context(), id); err == nil {
			t.Error("the session outlives the role")
		}
		ask[userT](h, 200, "PUT", "/users/ops", `{"password":"another one"}`)
		if _, _, err := h.sessions.SignIn(h.t.Context(), "ops", "another one", "192.0.2.1"); err != nil {
			t.Error(err)
		}
		for _, c := range []struct {
			status             int
			code, method, path string
			body               string
		}{
			{409, "Conflict", "POST", "/users", `{"name":"ops","password":"long enough","role":"viewer"}`},
			{400, "InvalidArgument", "POST", "/users", `{"name":"o ps","password":"long enough","role":"viewer"}`},
			{400, "InvalidArgument", "POST", "/users", `{"name":"x","password":"short","role":"viewer"}`},
			{400, "InvalidArgument", "POST", "/users", `{"name":"x","password":"long enough","role":"owner"}`},
			{400, "InvalidArgument", "POST", "/users", `{"name":"x","password":"long enough"}`},
			{400, "InvalidArgument", "PUT", "/users/ops", `{}`},
			{400, "InvalidArgument", "PUT", "/users/ops", `{"role":"owner"}`},
			{404, "NotFound", "PUT", "/users/nobody", `{"role":"viewer"}`},
			{404, "NotFound", "DELETE", "/users/nobody", ""},
			{409, "Conflict", "DELETE", "/users/admin", ""},
			{409, "Conflict", "PUT", "/users/admin", `{"role":"viewer"}`},
		} {
			h.wantRefusal(c.status, c.code, c.method, c.path, c.body)
		}
		ask[any](h, 204, "DELETE", "/users/ops", "")
		h.wantRefusal(404, "NotFound", "DELETE", "/users/ops", "")

		// What was done is in the audit trail, newest first; what was refused is not.
		var trail []string
		for _, e := range ask[pageT[struct{ Action, Resource string }]](h, 200, "GET", "/audit", "").Items {
			if e.Resource == "user/ops" {
				trail = append(trail, e.Action)
			}
		}
		if got := fmt.Sprint(trail); got != "[DeleteUser UpdateUser UpdateUser CreateUser]" {
			t.Error(got)
		}
	})
}

func TestAccessKeys(t *testing.T) {
	at(t, func(h *house) {
		k := ask[keyT](h, 201, "POST", "/access-keys", `{"user":"ci","role":"invalidator"}`)
		if len(k.Secret) != 40 || k.User != "ci" || k.Role != "invalidator" {
			t.Errorf("%+v", k)
		}
		as := auth.AccessKey{ID: k.ID, Secret: k.Secret}
		if w := h.do(signed(t, as, "", "GET", "/about", "")); w.Code != 200 {
			t.Error(w.Code, w.Body)
		}
		all := ask[pageT[keyT]](h, 200, "GET", "/access-keys", "").Items
		if len(all) != 4 {
			t.Errorf("%+v", all)
		}
		for _, x := range all {
			if x.Secret != "" {
				t.Error("a secret is shown again")
			}
		}
		ask[any](h, 204, "DELETE", "/access-keys/"+k.ID, "")
		if w := h.do(signed(t, as, "", "GET", "/about", "")); w.Code != 401 {
			t.Error("a deleted key works", w.Code)
		}
		h.wantRefusal(404, "NotFound", "DELETE", "/access-keys/"+k.ID, "")
		h.wantRefusal(409, "Conflict", "DELETE", "/access-keys/"+h.admin.ID, "")
		h.wantRefusal(400, "InvalidArgument", "POST", "/access-keys", `{"user":"","role":"viewer"}`)
		h.wantRefusal(400, "InvalidArgument", "POST", "/access-keys", `{"user":"ci","role":"owner"}`)
	})
}

// A key that has been deleted at another control node makes nothing any more, not even where nobody has heard of that yet: it could
// make another key.
func TestAccessKeys_DeletedElsewhereMakeNothing(t *testing.T) {
	at(t, func(h *house) {
		k := ask[keyT](h, 201, "POST", "/access-keys", `{"user":"ci","role":"administrator"}`)
		thief := auth.AccessKey{ID: k.ID, Secret: k.Secret}

		behind := open(t, h.log, nil)
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { behind.control.Run(ctx) })
		defer running.Wait()
		defer stop()
		<-behind.control.Ready()
		synctest.Wait() // it reads once more when it begins to listen
		h.log.(*journalmemory.Log).SetFaults(journalmemory.Faults{Push: func(*journal.Entry) journalmemory.Push { return journalmemory.Dropped }})
		ask[any](h, 204, "DELETE", "/access-keys/"+k.ID, "")

		if w := behind.do(signed(t, thief, "", "GET", "/about", "")); w.Code != 200 {
			t.Fatalf("it has heard of the deletion: %d", w.Code)
		}
		if w := behind.do(signed(t, thief, "", "POST", "/access-keys", `{"user":"mallory","role":"administrator"}`)); w.Code != 403 || !strings.Contains(w.Body.String(), "AccessDenied") {
			t.Errorf("a deleted key has made another: %d %s", w.Code, w.Body)
		}
	})
}

// A user's keys do not outlive the user, nor do they more than the user may.
func TestAccessKeys_AndTheirUsers(t *testing.T) {
	at(t, func(h *house) {
		ask[userT](h, 201, "POST", "/users", `{"name":"ops","password":"long enough","role":"invalidator"}`)
		h.wantRefusal(400, "InvalidArgument", "POST", "/access-keys", `{"user":"ops","role":"administrator"}`)
		k := ask[keyT](h, 201, "POST", "/access-keys", `{"user":"ops","role":"invalidator"}`)
		h.wantRefusal(409, "Conflict", "DELETE", "/users/ops", "")
		h.wantRefusal(409, "Conflict", "PUT", "/users/ops", `{"role":"viewer"}`)
		ask[userT](h, 200, "PUT", "/users/ops", `{"role":"administrator"}`)
		ask[any](h, 204, "DELETE", "/access-keys/"+k.ID, "")
		ask[any](h, 204, "DELETE", "/users/ops", "")
	})
}
