package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	us      = "X-Warmfront: 1"
	jsonish = "Content-Type: application/json"
	right   = `{"user":"admin","password":"` + password + `"}`
)

type answered struct {
	Code, User, Role string
	Credentials      struct {
		AccessKeyID, SecretAccessKey, SessionToken string
		Expiration                                 time.Time
	}
}

func read(t *testing.T, w *httptest.ResponseRecorder) (a answered) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("credentials may be cached")
	}
	return a
}

func TestSession_SignInRenewSignOut(t *testing.T) {
	h := open(t, app())
	w := ask(h, "POST", SessionPath, right, us, jsonish, "Origin: http://example.com", "Sec-Fetch-Site: same-origin")
	a := read(t, w)
	if w.Code != 200 || a.User != "admin" || a.Role != "administrator" || time.Until(a.Credentials.Expiration) < 14*time.Minute {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, err := h.sessions.Lookup(a.Credentials.AccessKeyID, a.Credentials.SessionToken); err != nil {
		t.Error("the credentials are not good:", err)
	}
	set := w.Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteStrictMode || set[0].Path != SessionPath || set[0].MaxAge != 12*3600 || set[0].Secure {
		t.Fatalf("%+v", set)
	}
	cookie := "Cookie: warmfront_session=" + set[0].Value

	b := read(t, ask(h, "GET", SessionPath, "", cookie))
	if b.User != "admin" || b.Credentials.AccessKeyID == a.Credentials.AccessKeyID {
		t.Errorf("%+v", b)
	}
	w = ask(h, "DELETE", SessionPath, "", us, cookie)
	if w.Code != 204 || len(w.Result().Cookies()) != 1 || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Error(w.Code, w.Header())
	}
	if w := ask(h, "GET", SessionPath, "", cookie); w.Code != 401 || read(t, w).Code != "Unauthenticated" {
		t.Error(w.Code, w.Body)
	}
	if _, err := h.sessions.Lookup(b.Credentials.AccessKeyID, b.Credentials.SessionToken); err == nil {
		t.Error("credentials outlive the session")
	}
}

// While the journal does not answer, nobody is told to be signed in, or out.
func TestSession_JournalSilent(t *testing.T) {
	h, log := openOver(t, app())
	cookie := "Cookie: warmfront_session=" + ask(h, "POST", SessionPath, right, us, jsonish).Result().Cookies()[0].Value
	log.silent = errors.New("no quorum")
	for method, body := range map[string]string{"POST": right, "GET": "", "DELETE": ""} {
		w := ask(h, method, SessionPath, body, us, jsonish, cookie)
		if a := read(t, w); w.Code != 503 || a.Code != "ServiceUnavailable" || w.Header().Get("Retry-After") == "" || len(w.Result().Cookies()) > 0 != (method == "DELETE") {
			t.Errorf("%s: %d %v %s", method, w.Code, w.Header(), w.Body)
		}
	}
	log.silent = nil
	if w := ask(h, "GET", SessionPath, "", cookie); w.Code != 200 {
		t.Errorf("the session is gone: %d %s", w.Code, w.Body)
	}
}

func TestSession_SecureOverTLS(t *testing.T) {
	h := open(t, app())
	for _, target := range []string{"https://example.com" + SessionPath, SessionPath} {
		w := ask(h, "POST", target, right, us, jsonish, "X-Forwarded-Proto: https")
		if c := w.Result().Cookies(); len(c) != 1 || !c[0].Secure {
			t.Errorf("%s: %+v", target, c)
		}
	}
	if c := ask(h, "POST", "https://example.com"+SessionPath, right, us, jsonish).Result().Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("%+v", c)
	}
}

func TestSession_Refusals(t *testing.T) {
	h := open(t, app())
	for _, c := range []struct {
		name, method, body string
		lines              []string
		status             int
		code               string
	}{
		{"no header of ours", "POST", right, []string{jsonish}, 403, "AccessDenied"},
		{"sign-out without it", "DELETE", "", nil, 403, "AccessDenied"},
		{"other origin", "POST", right, []string{us, jsonish, "Origin: http://evil.example"}, 403, "AccessDenied"},
		{"other port", "POST", right, []string{us, jsonish, "Origin: http://example.com:8081"}, 403, "AccessDenied"},
		{"opaque origin", "POST", right, []string{us, jsonish, "Origin: null"}, 403, "AccessDenied"},
		{"same site, other origin", "GET", "", []string{"Sec-Fetch-Site: same-site"}, 403, "AccessDenied"},
		{"cross site", "GET", "", []string{"Sec-Fetch-Site: cross-site"}, 403, "AccessDenied"},
		{"a form", "POST", right, []string{us, "Content-Type: text/plain"}, 400, "InvalidArgument"},
		{"no JSON", "POST", "user=admin", []string{us, jsonish}, 400, "InvalidArgument"},
		{"two", "POST", right + right, []string{us, jsonish}, 400, "InvalidArgument"},
		{"unknown member", "POST", `{"name":"admin"}`, []string{us, jsonish}, 400, "InvalidArgument"},
		{"too long", "POST", `{"user":"` + strings.Repeat("a", maxBody) + `"}`, []string{us, jsonish}, 400, "InvalidArgument"},
		{"wrong password", "POST", `{"user":"admin","password":"wrong password"}`, []string{us, jsonish}, 401, "WrongCredentials"},
		{"nobody", "POST", `{"user":"nobody","password":"wrong password"}`, []string{us, jsonish}, 401, "WrongCredentials"},
		{"no cookie", "GET", "", nil, 401, "Unauthenticated"},
		{"made-up cookie", "GET", "", []string{"Cookie: warmfront_session=abc"}, 401, "Unauthenticated"},
		{"method", "PUT", right, []string{us, jsonish}, 405, "MethodNotAllowed"},
	} {
		w := ask(h, c.method, SessionPath, c.body, c.lines...)
		if got := read(t, w); w.Code != c.status || got.Code != c.code || got.Credentials.SecretAccessKey != "" || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	if w := ask(h, "DELETE", SessionPath, "", us); w.Code != 204 {
		t.Error("signing out twice:", w.Code)
	}
}

func TestSession_TooManyTries(t *testing.T) {
	h := open(t, app())
	for range 10 {
		ask(h, "POST", SessionPath, `{"user":"admin","password":"wrong password"}`, us, jsonish)
	}
	w := ask(h, "POST", SessionPath, right, us, jsonish)
	if a := read(t, w); w.Code != 429 || a.Code != "Throttling" || w.Header().Get("Retry-After") == "" || w.Header().Get("Retry-After") == "0" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
