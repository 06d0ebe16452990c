package node

import (
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"slices"
	"strings"
	"testing"
)

func TestLook_AsksTheOriginItselfByTheMapOfNames(t *testing.T) {
	var asked []string
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+r.RequestURI)
		w.Header().Add("X-Release", "41")
		w.Header().Add("X-Release", "42")
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}
	}))
	defer origin.Close()
	l, err := newLooker(map[string]string{"origin.example.com": strings.TrimPrefix(origin.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.origins.Close()
	for _, k := range []struct {
		url    string
		status int
	}{{"http://origin.example.com/v?a=b%20c", 200}, {"http://origin.example.com:8080", 200}, {"http://origin.example.com/moved", 302}} {
		u, err := neturl.Parse(k.url)
		if err != nil {
			t.Fatal(err)
		}
		status, values, err := l.look(t.Context(), u, "x-release")
		if err != nil || status != k.status || !slices.Equal(values, []string{"41", "42"}) {
			t.Errorf("%s: %d %q %v", k.url, status, values, err)
		}
	}
	want := []string{"HEAD origin.example.com/v?a=b%20c", "HEAD origin.example.com:8080/", "HEAD origin.example.com/moved"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
}
