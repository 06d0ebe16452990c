package ownapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/auth"
	"github.com/warmfront/warmfront/control"
	journalmemory "github.com/warmfront/warmfront/journal/memory"
)

// target fills in a route's labels.
func target(rt *route) string {
	return strings.TrimPrefix(regexp.MustCompile(`\{\w+\}`).ReplaceAllString(rt.path, "x"), Prefix)
}

func bodyOf(rt *route) string {
	if rt.method == "POST" || rt.method == "PUT" {
		return "{}"
	}
	return ""
}

func wantAnswer(t *testing.T, what string, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var got refused
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status || got.Code != code {
		t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, code)
	}
}

// Every route, and what is none, is closed to strangers.
func TestRoutes_StrangersAreRefusedEverywhere(t *testing.T) {
	at(t, func(h *house) {
		all := append([]route{{method: "GET", path: Prefix + "/nothing"}, {method: "PATCH", path: Prefix + "/users"}}, routes...)
		for i := range all {
			rt := &all[i]
			plain := httptest.NewRequest(rt.method, Prefix+target(rt), strings.NewReader(bodyOf(rt)))
			wantAnswer(t, "unsigned "+rt.path, h.do(plain), 401, "Unauthenticated")
			wrong := h.admin
			wrong.Secret = "another-secret"
			wantAnswer(t, "wrong secret "+rt.path, h.do(signed(t, wrong, "", rt.method, target(rt), bodyOf(rt))), 401, "Unauthenticated")
			wantAnswer(t, "with a token "+rt.path, h.do(signed(t, h.admin, "token", rt.method, target(rt), bodyOf(rt))), 401, "Unauthenticated")
		}
	})
}

// A role that is too small is refused before anything is looked at; one that suffices is not.
func TestRoutes_RolesAreHeld(t *testing.T) {
	at(t, func(h *house) {
		for i := range routes {
			rt := &routes[i]
			if rt.stream != nil && rt.least == auth.Viewer {
				continue // no role is too small, and it does not end
			}
			for role, key := range keysOf {
				w := h.do(signed(t, key, "", rt.method, target(rt), bodyOf(rt)))
				if role.AtLeast(rt.least) == (w.Code == http.StatusForbidden) {
					t.Errorf("%s as %s: %d %s", rt.name, role, w.Code, w.Body)
				}
			}
			nobody := key("NOBODYKEY", "owner")
			if _, err := h.access.AddKey(nobody); err == nil {
				t.Fatal("a key with an unknown role was stored")
			}
		}
	})
}

func TestRoutes_WhatIsNone(t *testing.T) {
	at(t, func(h *house) {
		h.wantRefusal(404, "NotFound", "GET", "/nothing", "")
		h.wantRefusal(404, "NotFound", "GET", "/distributions/x", "")
		h.wantRefusal(405, "MethodNotAllowed", "PATCH", "/users", "{}")
		h.wantRefusal(405, "MethodNotAllowed", "POST", "/about", "{}")
		h.wantRefusal(405, "MethodNotAllowed", "HEAD", "/about", "")
		h.wantRefusal(400, "InvalidArgument", "GET", "/about?x=1", "")
		h.wantRefusal(400, "InvalidArgument", "GET", "/audit?max=1&max=2", "")
		for _, max := range []string{"0", "101", "x", "-1"} {
			h.wantRefusal(400, "InvalidArgument", "GET", "/audit?max="+max, "")
		}
		h.wantRefusal(400, "InvalidArgument", "POST", "/explain", "{")
		h.wantRefusal(400, "InvalidArgument", "POST", "/explain", "{}{}")
		h.wantRefusal(400, "InvalidArgument", "POST", "/explain", `{"uri":"http://x/"}`)
		h.wantRefusal(413, "InvalidArgument", "POST", "/nothing", `{"url":"`+strings.Repeat("x", auth.DefaultMaxBody)+`"}`)
		if got := ask[map[string]any](h, 200, "GET", "/openapi.json", ""); got["openapi"] != "3.1.0" {
			t.Error(got["openapi"])
		}
	})
}

// A parameter that is not known is refused by name: who writes ?preview=1 must not be taken at half their word.
func TestRoutes_UnknownParametersAreRefused(t *testing.T) {
	at(t, func(h *house) {
		for i := range routes {
			rt := &routes[i]
			got := ask[refused](h, 400, rt.method, target(rt)+"?dry-run=1", bodyOf(rt))
			if !strings.Contains(got.Message, `"dry-run"`) {
				t.Errorf("%s: %+v", rt.name, got)
			}
			h.wantRefusal(400, "InvalidArgument", rt.method, target(rt)+"?a=1;b=2", bodyOf(rt))
			if rt.method != "POST" && rt.method != "PUT" {
				continue
			}
			if got := ask[refused](h, 400, rt.method, target(rt), " "); !strings.Contains(got.Message, "The body is missing") {
				t.Errorf("%s: %+v", rt.name, got)
			}
		}
	})
}

func TestRoutes_BeforeTheJournalIsRead(t *testing.T) {
	h := open(t, journalmemory.New(), nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, signed(t, h.admin, "", "GET", "/about", ""))
	wantAnswer(t, "not ready", w, 503, "ServiceUnavailable")
}

func TestSessionCredentials_WorkUntilTheSessionEnds(t *testing.T) {
	at(t, func(h *house) {
		id, _, err := h.sessions.SignIn(h.t.Context(), "admin", "correct horse", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		_, c, err := h.sessions.Renew(h.t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		k := auth.AccessKey{ID: c.AccessKeyID, Secret: c.SecretAccessKey}
		if w := h.do(signed(t, k, c.SessionToken, "GET", "/users", "")); w.Code != 200 {
			t.Error(w.Code, w.Body)
		}
		h.settle(16 * time.Minute)
		w := h.do(signed(t, k, c.SessionToken, "GET", "/users", ""))
		wantAnswer(t, "expired", w, 401, "Unauthenticated")
		if !strings.Contains(w.Body.String(), "ExpiredToken") {
			t.Error(w.Body)
		}
	})
}

func TestCall_PanicsAreContained(t *testing.T) {
	at(t, func(h *house) {
		var seen Call
		h.cfg.Observe = func(c Call) { seen = c }
		places := h.cfg.Places
		h.cfg.Places = []Place{{Name: "broken"}} // a nil Edge
		h.wantRefusal(500, "InternalFailure", "GET", "/nodes", "")
		if seen.Operation != "ListNodes" || seen.Status != 500 || seen.Code != "InternalFailure" || seen.User != h.admin.User {
			t.Errorf("%+v", seen)
		}
		h.cfg.Places = places
		ask[any](h, 200, "GET", "/nodes", "")
	})
}

func TestTranslate_ControlsCodes(t *testing.T) {
	for code, want := range map[string]*Problem{
		"NoSuchDistribution": {status: 404, Code: "NotFound"},
		"NoSuchInvalidation": {status: 404, Code: "NotFound"},
		"InvalidArgument":    {status: 400, Code: "InvalidArgument"},
		"ServiceUnavailable": {status: 503, Code: "ServiceUnavailable"},
		"PreconditionFailed": {status: 412, Code: "PreconditionFailed"},
	} {
		if got := translate(&control.Error{Code: code}); got == nil || got.status != want.status || got.Code != want.Code {
			t.Errorf("%s: %+v", code, got)
		}
	}
	if got := translate(&control.Error{Code: "NeverHeardOf"}); got != nil {
		t.Errorf("%+v", got)
	}
}
