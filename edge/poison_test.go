package edge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/internal/message"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// Poisoning: with a policy that names no header and no cookie, nothing that a viewer sends besides path and
// query may change what the origin sees, and so what the next viewer gets.

// unkeyed are fields with which applications let themselves be talked into another answer, and those
// that only a CDN may set.
var unkeyed = strings.Fields(`
	X-Forwarded-Host X-Forwarded-Server X-Forwarded-Scheme X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix X-Forwarded-Path
	X-Forwarded-SSL X-Forwarded X-Forward X-Host X-HTTP-Host-Override X-Original-Host X-Backend-Host X-Proxy-Host Forwarded
	X-Original-URL X-Rewrite-URL X-Original-URI X-Request-URI X-Override-URL X-Path X-URI Request-URI Destination Base-URL X-Base-Url
	X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Real-IP X-Client-IP Client-IP True-Client-IP CF-Connecting-IP
	X-Cluster-Client-IP X-Originating-IP X-Remote-IP X-Remote-Addr X-ProxyUser-Ip X-Azure-ClientIP Fastly-Client-IP
	X-WAP-Profile X-Wap-Network X-Amz-Website-Redirect-Location X-Amz-Server-Side-Encryption X-Amz-Security-Token X-Amz-Cf-Pop
	CloudFront-Viewer-Country CloudFront-Is-Mobile-Viewer CloudFront-Forwarded-Proto CloudFront-Viewer-Address
	CloudFront-Viewer-TLS X-Edge-Location X-Edge-Request-Id X-Cache X-Warmfront-Least-Sequence Warmfront-Tier
	Accept Accept-Language Accept-Charset Accept-Datetime Origin Referer Cookie Cookie2 Authorization Proxy-Authorization
	Front-End-Https X-Url-Scheme X-Scheme X-Requested-With X-Correlation-Id X-Oversized X-Metadata
	Content-Type Content-Encoding Content-Language Content-Location Date From Max-Forwards TE Trailer Upgrade-Insecure-Requests
	Translate Purpose Save-Data DNT Sec-Fetch-Site Surrogate-Capability Pragma Cache-Control Age Warning If-None-Matches
	Keep-Alive Proxy-Connection HTTP2-Settings Proxy Via-Proxy Transfer_Encoding Content_Length X_Forwarded_Host Host_
`)

func TestPoison_UnkeyedFieldsReachNobody(t *testing.T) {
	if len(unkeyed) < 100 {
		t.Errorf("only %d fields", len(unkeyed))
	}
	story(t, func(w *world) {
		for i, name := range unkeyed {
			path := fmt.Sprintf("/%d", i)
			w.origin.on(path, &reply{react: reflects})
			for _, first := range []string{"evil.example", "http://evil.example/x?y", strings.Repeat("evil.example,", 700)} {
				w.expectClean(path, name, first)
			}
		}
	})
}

// reflects answers with everything that the origin was told, for a day.
func reflects(r *origin.Request) *reply {
	body := fmt.Sprintf("%s %s ?%s host=%s\n", r.Method, r.Path, r.Query, r.Host)
	for _, f := range r.Fields {
		body += f.Name + ": " + f.Value + "\n"
	}
	return ok(body, "Cache-Control: max-age=86400", "Set-Cookie: session=of-the-first")
}

// expectClean lets a viewer with a bad field be the first one, and a clean one the second.
func (w *world) expectClean(path, name, value string) {
	w.t.Helper()
	w.store.Clear()
	asked := w.origin.times(path)
	first := w.get(path, name+": "+value)
	second := w.get(path)
	switch {
	case first.status != 200 || second.status != 200:
		w.t.Errorf("%s: %d, then %d", name, first.status, second.status)
	case strings.Contains(first.text(), "evil") || strings.Contains(second.text(), "evil"):
		w.t.Errorf("%s was told to the origin:\n%s", name, second.text())
	case second.xcache() != "Hit from cloudfront" || w.origin.times(path) != asked+1:
		w.t.Errorf("%s is in the key: %s", name, second.xcache())
	case second.fields.Has("Set-Cookie"):
		w.t.Errorf("%s: a shared object sets a cookie", name)
	case !strings.Contains(second.text(), "host=origin.test\n") || !strings.Contains(second.text(), "User-Agent: Amazon CloudFront\n"):
		w.t.Errorf("%s: the origin was told\n%s", name, second.text())
	}
}

// What the edge says itself cannot be forged by a viewer.
func TestPoison_OwnFieldsCannotBeForged(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", &reply{react: reflects})
		v := w.get("/a", "X-Amz-Cf-Id: evil", "CDN-Loop: evil", "Via: 1.0 evil", "X-Forwarded-For: 6.6.6.6", "Host: D1.Localhost.")
		asked := w.origin.last().Fields
		if id := asked.Get("X-Amz-Cf-Id"); len(asked.Values("X-Amz-Cf-Id")) != 1 || id != v.fields.Get("X-Amz-Cf-Id") || len(id) != 56 {
			t.Errorf("X-Amz-Cf-Id: %q", asked.Values("X-Amz-Cf-Id"))
		}
		if via := asked.Joined("Via"); !strings.HasSuffix(via, w.edge.hop) {
			t.Errorf("Via: %q", via)
		}
		if loop := asked.Joined("CDN-Loop"); !strings.HasSuffix(loop, "CloudFront") {
			t.Errorf("CDN-Loop: %q", loop)
		}
		if from := asked.Joined("X-Forwarded-For"); !strings.HasSuffix(from, "192.0.2.1") {
			t.Errorf("X-Forwarded-For: %q", from) // the viewer's own address is the last one
		}
	})
}

// Paths that some program takes for the same are different objects here, and arrive at the origin as
// they were sent: whatever it makes of one, it cannot be had under another.
func TestPoison_ConfusingPathsAreTheirOwnObjects(t *testing.T) {
	paths := []string{
		"/a/b", "/a%2fb", "/a%2Fb", "/a//b", "//a/b", "/a/./b", "/a/b/", "/a/b/.", "/x/../a/b", "/a/b/..", "/a/%2e%2e/b", "/a/..%2fb", "/a/..;/b",
		"/a;x/b", "/a/b;x", "/a/b;.css", "/a/b%3b.css", "/a/b.css", "/a/b/x.css", "/a/b%2fx.css", "/a/b%00.css", "/a/b%0a.css", "/a/b%23.css", "/a/b%3f.css",
		"/a/b?.css", "/a/b?", "/a\\b", "/a%5cb", "/A/b", "/a/B", "/%61/b", "/a/%62", "/a/b.", "/a/b%20", "/a/b+", "/a/b%2520", "/a/b~", "/a/b!", "/a/b,", "/a/b:", "/a/b@",
		"/a/b&x=1", "/a/b?x=1", "/a/b?x=1&x=2", "/a/b?x=2&x=1", "/a/b?X=1", "/a/b?x=%31", "/a/b??x=1", "/a/b?x=1;y=2", "/a/b?x=1&y=2", "/a/b?x=1%26y=2", "/a/b?utm_source=x",
	}
	story(t, func(w *world) {
		for _, p := range paths {
			raw, _, _ := strings.Cut(p, "?")
			w.origin.on(raw, &reply{react: func(r *origin.Request) *reply {
				said := r.Path
				if r.HasQuery {
					said += "?" + r.Query
				}
				return ok(said, "Cache-Control: max-age=60")
			}})
		}
		for _, want := range []string{"Miss", "Hit"} {
			for _, p := range paths {
				v := w.get(p)
				if v.text() != p && !(p == "/a/b?" && v.text() == "/a/b") || !strings.HasPrefix(v.xcache(), want) && p != "/a/b?" {
					t.Errorf("%s: %d %s %q, want a %s", p, v.status, v.xcache(), v.text(), want)
				}
			}
		}
	})
}

// What would make an answer special to one viewer does not make it the object of all.
func TestPoison_MethodBodyAndRange(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("0123456789", "Cache-Control: max-age=60"))
		w.expect("403 Error page", "/a", "a body") // a fat GET
		w.expect("403 Error page", "POST /a", "a body")
		w.expect("403 Error page", "PURGE /a")
		w.get("HEAD /a", "X-HTTP-Method-Override: DELETE")
		w.get("/a", "Range: bytes=2-3")
		w.expect("200 Hit 0123456789", "/a")
		if w.origin.times("/a") != 1 {
			t.Errorf("asked %d times", w.origin.times("/a"))
		}
	})
}

// Of two lines of a condition or a range one program takes the first, another the last, and what is
// there twice although it was sent once is no condition at all.
func TestPoison_ConditionsComeToTheOriginOnce(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("0123456789", "Cache-Control: max-age=60"))
		w.expect("200 Miss 0123456789", "/a", "Range: bytes=1-2", "Range: bytes=3-4")
		w.configure(behave(allMethods))
		w.get("PUT /a", "a body", `If-Match: "1"`, `If-Unmodified-Since: x`, `If-None-Match: "2"`, `If-None-Match: "3"`)
		for name, want := range map[string]string{"If-Match": `"1"`, "If-Unmodified-Since": "x", "If-None-Match": `"2", "3"`} {
			if got := w.origin.last().Fields.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// An origin that fails over a range fails nobody else: its error is not what the whole is.
func TestPoison_ErrorsOverARangeAreNotKept(t *testing.T) {
	for name, over := range map[string]*reply{
		"404": status(404, "no", "Cache-Control: max-age=60"), "400": status(400, "no", "Cache-Control: max-age=60"), "503": status(503, "no"),
		"302": status(302, "no", "Cache-Control: max-age=60", "Location: /b"), "204": status(204, "", "Cache-Control: max-age=60"), "cut": fails(origin.Closed),
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
					if r.Fields.Has("Range") {
						return over
					}
					return ok("0123456789", "Cache-Control: max-age=60")
				}})
				w.get("/a", "Range: bytes=1-2")
				w.expect("200 Miss 0123456789", "/a")
				w.expect("206 Hit 12", "/a", "Range: bytes=1-2")
			})
		})
	}
}

// A part other than the one that was asked for is for who asked; nobody finds it under its own name.
func TestPoison_AnotherPartIsNotKept(t *testing.T) {
	for _, lie := range []string{"bytes 4-5/10", "bytes 1-5/10", "bytes 0-2/10", "bytes 1-2/2", "bytes 1-2/*", "bytes 1-2/10, bytes 4-5/10", ""} {
		t.Run(lie, func(t *testing.T) {
			story(t, func(w *world) {
				w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
					if r.Fields.Get("Range") == "bytes=1-2" {
						return status(206, "ev", "Cache-Control: max-age=60", "Content-Range: "+lie)
					}
					return ok("0123456789", "Cache-Control: max-age=60")
				}})
				w.get("/a", "Range: bytes=1-2")
				if v := w.get("/a", "Range: bytes=4-5"); strings.Contains(v.text(), "ev") {
					t.Errorf("4-5: %d %q", v.status, v.text())
				}
				if v := w.get("/a"); v.status != 200 || v.text() != "0123456789" {
					t.Errorf("the whole: %d %q", v.status, v.text())
				}
			})
		})
	}
}

// An error that a viewer provoked with a field is not there for the next one: the field goes nowhere.
func TestPoison_OversizedFieldsAreNotTheOriginsProblem(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			size := 0
			for _, f := range r.Fields {
				size += len(f.Name) + len(f.Value)
			}
			if size > 8192 {
				return status(400, "too large", "Cache-Control: max-age=60")
			}
			return ok("fine", "Cache-Control: max-age=60")
		}})
		lines := []string{}
		for i := range 28 {
			lines = append(lines, fmt.Sprintf("X-Oversized-%d: %s", i, strings.Repeat("x", 1000)))
		}
		w.expect("200 Miss fine", "/a", lines...)
		w.expect("200 Hit fine", "/a")
	})
}

// Vary cannot be used to make one object per viewer where the policy knows no header.
func TestPoison_VaryOnWhatIsNotKeyed(t *testing.T) {
	story(t, func(w *world) {
		w.origin.on("/a", ok("v", "Cache-Control: max-age=60", "Vary: User-Agent, X-Evil, Cookie"))
		w.get("/a", "User-Agent: one", "X-Evil: 1")
		v := w.expect("200 Hit v", "/a", "User-Agent: two", "X-Evil: 2")
		if strings.Contains(strings.ToLower(v.fields.Joined("Vary")), "x-evil") {
			t.Errorf("Vary: %q", v.fields.Joined("Vary"))
		}
	})
}

// A keyed field that Connection names ends here: what the origin answers without it is not for all who send it.
func TestPoison_KeyedFieldThatEndsHere(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			p.CachePolicies["policy"].ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig = &wire.CachePolicyHeadersConfig{
				HeaderBehavior: wire.Ptr("whitelist"), Headers: &wire.Headers{Quantity: wire.Ptr[int64](1), Items: []string{"Accept-Language"}},
			}
		})
		w.origin.on("/a", echo("Accept-Language"))
		w.expect("200 Miss", "/a", "Accept-Language: de", "Connection: accept-language")
		w.expect("200 Miss de", "/a", "Accept-Language: de")
		w.expect("200 Hit", "/a")
		w.expect("200 Hit de", "/a", "Accept-Language: de", "Connection: close")
	})
}

func TestExactly(t *testing.T) {
	for _, c := range []struct {
		asked, part string
		want        bool
	}{
		{"bytes=1-2", "bytes 1-2/10", true}, {"bytes=8-20", "bytes 8-9/10", true}, {"bytes=-2", "bytes 8-9/10", true}, {"bytes=7-", "bytes 7-9/10", true},
		{"bytes=1-2", "bytes 1-1/10", false}, {"bytes=1-2", "bytes 0-2/10", false}, {"bytes=1-2", "bytes 4-5/10", false}, {"bytes=7-", "bytes 7-8/10", false},
		{"bytes=1-2", "bytes 1-2/*", false}, {"bytes=1-2", "bytes */10", false}, {"bytes=1-2", "", false}, {"", "bytes 1-2/10", false}, {"bytes=10-", "bytes 0-9/10", false},
	} {
		if got := exactly(c.asked, message.Fields{{Name: "Content-Range", Value: c.part}}); got != c.want {
			t.Errorf("%s is %s: %v", c.asked, c.part, got)
		}
	}
}
