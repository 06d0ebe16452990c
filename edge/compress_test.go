package edge

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/internal/compress"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// compressing makes a distribution compress, with every coding that there is.
func compressing(p *journal.DistributionPut) {
	p.Config.DefaultCacheBehavior.Compress = wire.Ptr(true)
	p.CachePolicies["policy"].ParametersInCacheKeyAndForwardedToOrigin.EnableAcceptEncodingBrotli = wire.Ptr(true)
	if p.Tags == nil {
		p.Tags = map[string]string{}
	}
	p.Tags[distribution.TagCompression] = distribution.CompressionZstd
}

func compressingStory(t *testing.T, f func(w *world), options ...func(*world)) {
	t.Helper()
	story(t, func(w *world) {
		w.configure(compressing)
		f(w)
	}, options...)
}

// prose is n octets worth compressing.
func prose(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d bottles of beer on the wall, ", i)
	}
	return b.String()[:n]
}

// html is a reply with a body of n octets of a type that is compressed.
func html(n int, lines ...string) *reply {
	return ok(prose(n), append([]string{"Content-Type: text/html; charset=utf-8"}, lines...)...)
}

// plain is the body decoded, as far as it goes; err tells that it does not end properly.
func (v *viewer) plain() (string, error) {
	var r io.Reader
	var err error
	body := bytes.NewReader([]byte(v.text()))
	switch coding := v.fields.Get("Content-Encoding"); coding {
	case "":
		r = body
	case "gzip":
		r, err = gzip.NewReader(body)
	case "br":
		r = brotli.NewReader(body)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1)); err == nil {
			defer d.Close()
			r = d
		}
	default:
		err = fmt.Errorf("no coding %q", coding)
	}
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

// decodes checks coding and content of what a viewer got.
func (v *viewer) decodes(t *testing.T, coding, want string) *viewer {
	t.Helper()
	got, err := v.plain()
	if v.fields.Get("Content-Encoding") != coding || err != nil || got != want || v.aborted {
		t.Errorf("%d %s, coding %q (want %q): %d octets are %d decoded (want %d), error %v, aborted %v", v.status, v.xcache(),
			v.fields.Get("Content-Encoding"), coding, len(v.text()), len(got), len(want), err, v.aborted)
	}
	if coding != "" && len(v.text()) > len(want)/2 {
		t.Errorf("%d octets of %d", len(v.text()), len(want))
	}
	return v
}

func TestCompress_OncePerKeyAndNeverPerHit(t *testing.T) {
	compressingStory(t, func(w *world) {
		w.origin.on("/a", html(5000, `ETag: "v1"`, "Cache-Tag: x"))
		for _, c := range []struct{ accept, coding string }{
			{"gzip, deflate, br, zstd", "zstd"}, {"br, gzip", "br"}, {"gzip", "gzip"}, {"deflate", ""}, {"br;q=0, gzip;q=0.1", "gzip"},
		} {
			miss := w.get("/a", "Accept-Encoding: "+c.accept).decodes(t, c.coding, prose(5000))
			hit := w.get("/a", "Accept-Encoding: "+c.accept).decodes(t, c.coding, prose(5000))
			if !strings.HasPrefix(hit.xcache(), "Hit") || hit.text() != miss.text() || hit.length != int64(len(hit.text())) {
				t.Errorf("%q: %s, length %d", c.accept, hit.xcache(), hit.length)
			}
			for _, v := range []*viewer{miss, hit} {
				etag, vary := `"v1"`, ""
				if c.coding != "" {
					etag, vary = `W/"v1"`, "Accept-Encoding"
				}
				if v.fields.Get("ETag") != etag || v.fields.Joined("Vary") != vary || strings.Contains(fmt.Sprint(v.fields), "{:") {
					t.Errorf("%q: %v", c.accept, v.fields)
				}
			}
			head := w.get("HEAD /a", "Accept-Encoding: "+c.accept)
			if head.length != hit.length || head.fields.Get("Content-Encoding") != c.coding || head.text() != "" {
				t.Errorf("HEAD: length %d, %v", head.length, head.fields)
			}
		}
		if n := w.origin.times("/a"); n != 4 {
			t.Errorf("asked %d times", n)
		}
		if st := w.edge.Stats(); st.Compressed != 3 || st.CompressBytes != 0 || st.Uncompressed != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// A plain hit is answered from a prepared block, compressed or not.
func TestCompress_HitsArePlainHits(t *testing.T) {
	compressingStory(t, func(w *world) {
		w.origin.on("/a", html(5000, `ETag: "v1"`))
		w.get("/a", "Accept-Encoding: gzip")
		a := w.edge.Inline()
		out, _, ok := a.Answer(nil, request("/a", "Accept-Encoding: gzip"))
		a.Sent()
		head, _, _ := strings.Cut(string(out), "\r\n\r\n")
		for _, line := range []string{"Content-Encoding: gzip", `ETag: W/"v1"`, "Vary: Accept-Encoding"} {
			if !ok || !strings.Contains(head, "\r\n"+line+"\r\n") {
				t.Errorf("no %q in %q", line, head)
			}
		}
		if strings.Contains(head, "\n:") {
			t.Errorf("%q", head)
		}
	})
}

func TestCompress_WhatIsLeftAsItIs(t *testing.T) {
	compressingStory(t, func(w *world) {
		unknown := html(5000)
		unknown.length = -1
		for name, r := range map[string]*reply{
			"/encoded": html(5000, "Content-Encoding: gzip"), "/no-transform": html(5000, "Cache-Control: no-transform"),
			"/png": ok(prose(5000), "Content-Type: image/png"), "/typeless": ok(prose(5000)), "/unknown-length": unknown,
			"/short": html(999), "/500": status(500, prose(5000), "Content-Type: text/html"),
		} {
			w.origin.on(name, r)
			v := w.get(name, "Accept-Encoding: gzip, br")
			if v.text() != r.body || v.fields.Get("Content-Encoding") != r.fields.Get("Content-Encoding") || v.fields.Has("Vary") {
				t.Errorf("%s: %v", name, v.fields)
			}
		}
		w.configure(func(p *journal.DistributionPut) {
			compressing(p)
			p.Config.DefaultCacheBehavior.Compress = wire.Ptr(false)
			allMethods(p.Config.DefaultCacheBehavior)
		})
		w.origin.on("/off", html(5000))
		w.get("/off", "Accept-Encoding: gzip").decodes(t, "", prose(5000))
		w.configure(func(p *journal.DistributionPut) { compressing(p); allMethods(p.Config.DefaultCacheBehavior) })
		w.get("POST /off", "Accept-Encoding: gzip", "x").decodes(t, "", prose(5000))
		old := request("/old", "Accept-Encoding: gzip")
		old.Minor = 0
		w.origin.on("/old", html(5000))
		v := &viewer{}
		w.edge.Serve(w.t.Context(), v, old)
		v.decodes(t, "", prose(5000))
		if w.origin.last().Fields.Has("Accept-Encoding") {
			t.Error("an HTTP/1.0 viewer's Accept-Encoding is forwarded")
		}
	})
}

func TestCompress_ErrorsAndTheirPages(t *testing.T) {
	compressingStory(t, func(w *world) {
		for code, cc := range map[int]string{404: "max-age=60", 403: "max-age=60"} {
			path := fmt.Sprintf("/%d", code)
			w.origin.on(path, status(code, prose(3000), "Content-Type: text/html", "Cache-Control: "+cc))
			w.get(path, "Accept-Encoding: br").decodes(t, "br", prose(3000))
			if v := w.get(path, "Accept-Encoding: br").decodes(t, "br", prose(3000)); v.status != code || w.origin.times(path) != 1 {
				t.Errorf("%d, asked %d times", v.status, w.origin.times(path))
			}
		}
		w.configure(func(p *journal.DistributionPut) {
			compressing(p)
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{
				{ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/page"), ResponseCode: wire.Ptr("404")}}}
		})
		w.origin.on("/page", html(4000))
		for range 2 {
			if v := w.get("/gone", "Accept-Encoding: gzip").decodes(t, "gzip", prose(4000)); v.status != 404 {
				t.Error(v.status)
			}
		}
	})
}

func TestCompress_TheOriginIsAskedAboutItsOwnTag(t *testing.T) {
	for _, semantics := range []string{distribution.SemanticsCloudFront, distribution.SemanticsRFC} {
		compressingStory(t, func(w *world) {
			w.configure(func(p *journal.DistributionPut) {
				compressing(p)
				p.Tags[distribution.TagSemantics] = semantics
			})
			var conditions []string
			first := html(5000, `ETag: "v1"`, "Cache-Control: max-age=10", "Vary: Origin, Accept-Encoding", "Repr-Digest: sha-256=:x:")
			again := &reply{react: func(r *origin.Request) *reply {
				conditions = append(conditions, r.Fields.Get("If-None-Match"))
				return status(304, "", `ETag: "v1"`, "Cache-Control: max-age=10", "X-New: n", "Vary: Accept-Encoding", "Repr-Digest: sha-256=:x:")
			}}
			w.origin.on("/a", first, again)
			miss := w.get("/a", "Accept-Encoding: br").decodes(t, "br", prose(5000))
			for i := range 3 {
				w.settle(11 * time.Second)
				v := w.get("/a", "Accept-Encoding: br").decodes(t, "br", prose(5000))
				if !strings.HasPrefix(v.xcache(), "RefreshHit") || v.text() != miss.text() || v.fields.Get("ETag") != `W/"v1"` ||
					v.fields.Joined("Vary") != "Accept-Encoding" || v.fields.Get("X-New") != "n" || v.fields.Has("Repr-Digest") {
					t.Errorf("%s, %d: %v", semantics, i, v.fields)
				}
				hit := w.get("/a", "Accept-Encoding: br").decodes(t, "br", prose(5000))
				if !strings.HasPrefix(hit.xcache(), "Hit") || hit.fields.Get("ETag") != `W/"v1"` || hit.fields.Joined("Vary") != "Accept-Encoding" {
					t.Errorf("%s, %d: %v", semantics, i, hit.fields)
				}
			}
			if got := strings.Join(conditions, " "); got != `"v1" "v1" "v1"` {
				t.Errorf("%s: asked about %s", semantics, got)
			}
		})
	}
}

func TestCompress_ConditionsAndRangesOfViewers(t *testing.T) {
	compressingStory(t, func(w *world) {
		w.origin.on("/a", html(5000, `ETag: "v1"`))
		whole := w.get("/a", "Accept-Encoding: gzip").text()
		for _, c := range []struct {
			line   string
			status int
		}{
			{`If-None-Match: W/"v1"`, 304}, {`If-None-Match: "v1"`, 304}, {`If-None-Match: "v2"`, 200}, {`If-Match: "v1"`, 412}, {`If-Match: *`, 200},
		} {
			v := w.get("/a", "Accept-Encoding: gzip", c.line)
			if v.status != c.status || v.status == 304 && (v.fields.Get("ETag") != `W/"v1"` || v.fields.Joined("Vary") != "Accept-Encoding") {
				t.Errorf("%s: %d %v", c.line, v.status, v.fields)
			}
		}
		v := w.get("/a", "Accept-Encoding: gzip", "Range: bytes=10-19")
		if v.status != 206 || v.text() != whole[10:20] || v.fields.Get("Content-Encoding") != "gzip" ||
			v.fields.Get("Content-Range") != fmt.Sprintf("bytes 10-19/%d", len(whole)) {
			t.Errorf("%d %q %v", v.status, v.text(), v.fields)
		}
		// Weak tags say nothing of octets: the range does not apply (RFC 9110 section 13.1.5).
		for _, tag := range []string{`W/"v1"`, `"v1"`} {
			if v := w.get("/a", "Accept-Encoding: gzip", "Range: bytes=10-19", "If-Range: "+tag); v.status != 200 || v.text() != whole {
				t.Errorf("If-Range %s: %d", tag, v.status)
			}
		}
	})
}

// A part is of the octets as the origin has them; the whole that is made of it is compressed.
func TestCompress_PartsAreNot(t *testing.T) {
	compressingStory(t, func(w *world) {
		all := prose(5000)
		w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			var from, to int
			switch n, _ := fmt.Sscanf(r.Fields.Get("Range"), "bytes=%d-%d", &from, &to); n {
			case 1:
				to = len(all) - 1
				fallthrough
			case 2:
				return status(206, all[from:to+1], "Content-Type: text/html", fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, len(all)), `ETag: "v1"`)
			}
			return html(5000, `ETag: "v1"`)
		}})
		v := w.get("/a", "Accept-Encoding: br", "Range: bytes=0-1999")
		if v.status != 206 || v.text() != all[:2000] || v.fields.Has("Content-Encoding") || v.fields.Get("ETag") != `"v1"` {
			t.Errorf("%d %v", v.status, v.fields)
		}
		whole := w.get("/a", "Accept-Encoding: br").decodes(t, "br", all)
		v = w.get("/a", "Accept-Encoding: br", "Range: bytes=0-9")
		if v.status != 206 || v.text() != whole.text()[:10] || v.fields.Get("Content-Encoding") != "br" {
			t.Errorf("%d %v", v.status, v.fields)
		}
	})
}

func TestCompress_AllEncodingsDieTogether(t *testing.T) {
	compressingStory(t, func(w *world) {
		accepts := []string{"zstd", "br, gzip", "br", "gzip", "identity"}
		w.origin.on("/a", html(2000, "Cache-Tag: x"))
		for _, item := range []string{"/a", "/*", "#x"} {
			for _, accept := range accepts {
				w.get("/a", "Accept-Encoding: "+accept)
			}
			w.invalidate(item)
			for _, accept := range accepts {
				if v := w.get("/a", "Accept-Encoding: "+accept); !strings.HasPrefix(v.xcache(), "Miss") {
					t.Errorf("%s, %s: %s", item, accept, v.xcache())
				}
			}
		}
	})
}

func TestCompress_StreamsToEverybodyAtOnce(t *testing.T) {
	for _, accept := range []string{"gzip", "br", "zstd"} {
		compressingStory(t, func(w *world) {
			r := html(4000, "Cache-Control: max-age=60")
			r.rest = make(chan struct{})
			w.origin.on("/a", r)
			first := w.ask("/a", "Accept-Encoding: "+accept)
			second := w.ask("/a", "Accept-Encoding: "+accept)
			w.settle(2 * compress.Pause)
			for _, v := range []*viewer{first, second} {
				if got, _ := v.plain(); got != prose(4000)[:2000] || v.length != -1 {
					t.Errorf("%s: in the pause %d octets decode to %d", accept, len(v.text()), len(got))
				}
			}
			close(r.rest)
			synctest.Wait()
			first.decodes(t, accept, prose(4000))
			second.decodes(t, accept, prose(4000))
			if hit := w.get("/a", "Accept-Encoding: "+accept); hit.text() != first.text() || w.origin.times("/a") != 1 {
				t.Error("the hit is another")
			}
		})
	}
}

func TestCompress_CutIsVisibleAndNotKept(t *testing.T) {
	for _, accept := range []string{"gzip", "br", "zstd"} {
		compressingStory(t, func(w *world) {
			cut, short, long := html(4000), html(4000), html(4000)
			cut.cut, short.length, long.length = true, 5000, 3000
			for name, r := range map[string]*reply{"/cut": cut, "/short": short, "/long": long} {
				w.origin.on(name, r, html(4000))
				v := w.get(name, "Accept-Encoding: "+accept)
				if _, err := v.plain(); !v.aborted || err == nil && v.text() != "" {
					t.Errorf("%s %s: aborted %v, decodes: %v", accept, name, v.aborted, err)
				}
				w.get(name, "Accept-Encoding: "+accept).decodes(t, accept, prose(4000))
			}
		})
	}
}

// What is for one viewer is compressed too, and what no viewer waits for ends.
func TestCompress_UnsharedAndAbandoned(t *testing.T) {
	compressingStory(t, func(w *world) {
		w.origin.on("/mine", html(2000, "Cache-Control: private"))
		for range 2 {
			if v := w.get("/mine", "Accept-Encoding: gzip").decodes(t, "gzip", prose(2000)); !strings.HasPrefix(v.xcache(), "Miss") {
				t.Error(v.xcache())
			}
		}
		r := html(2000, "Cache-Control: private")
		r.rest = make(chan struct{})
		w.origin.on("/left", r)
		v := w.ask("/left", "Accept-Encoding: gzip")
		v.cancel()
		synctest.Wait()
		if st := w.edge.Stats(); !v.over() || st.Fills != 0 || st.CompressBytes != 0 {
			t.Errorf("over %v, %+v", v.over(), st)
		}
	})
}

func TestCompress_WithoutRoomItIsLeftAsItIs(t *testing.T) {
	large, _ := compress.Memory("gzip", 100_000)
	first, more := compress.Memory("gzip", 4000)
	for _, c := range []struct {
		n    int
		room int64
	}{{100_000, 2 * large}, {4000, 2 * first}} {
		compressingStory(t, func(w *world) {
			slow := html(c.n)
			slow.rest = make(chan struct{})
			w.origin.on("/slow", slow)
			for _, path := range []string{"/a", "/b", "/c"} {
				w.origin.on(path, html(c.n))
			}
			ask := func(path string) *viewer { return w.ask(path, "Accept-Encoding: gzip") }
			one, began := ask("/slow"), time.Now()
			two := ask("/a")
			w.settle(compressWait)
			if !two.over() || time.Since(began) > compressWait {
				t.Fatal("still waiting")
			}
			two.decodes(t, "", prose(c.n))
			w.get("/b", "Accept-Encoding: gzip").decodes(t, "", prose(c.n)) // nothing has been given back: it does not wait
			close(slow.rest)
			synctest.Wait()
			one.decodes(t, "gzip", prose(c.n))

			again := html(c.n)
			again.rest = make(chan struct{})
			w.origin.on("/again", again)
			three, four := ask("/again"), ask("/c") // which waits, with success
			close(again.rest)
			synctest.Wait()
			three.decodes(t, "gzip", prose(c.n))
			four.decodes(t, "gzip", prose(c.n))
			if st := w.edge.Stats(); st.Uncompressed != 2 || st.Compressed != 3 || st.CompressBytes != 0 {
				t.Errorf("%+v", st)
			}
		}, func(w *world) { w.config.CompressMemory = c.room })
	}
	// A small body that pauses is given out in pieces while there is memory for it, and as a whole otherwise.
	for _, c := range []struct {
		room int64
		want string
	}{{2 * more, prose(2000)}, {2 * first, ""}} {
		compressingStory(t, func(w *world) {
			slow := html(4000)
			slow.rest = make(chan struct{})
			w.origin.on("/slow", slow)
			v := w.ask("/slow", "Accept-Encoding: gzip")
			w.settle(5 * compress.Pause)
			if got, _ := v.plain(); got != c.want {
				t.Errorf("with %d octets %d have come, want %d", c.room, len(got), len(c.want))
			}
			close(slow.rest)
			synctest.Wait()
			v.decodes(t, "gzip", prose(4000))
			if st := w.edge.Stats(); st.CompressBytes != 0 {
				t.Errorf("%+v", st)
			}
		}, func(w *world) { w.config.CompressMemory = c.room })
	}
}

// With RFC semantics variants by Vary lie beside those by coding.
func TestCompress_Variants(t *testing.T) {
	strictStory(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) { rfc(p); compressing(p) })
		w.origin.on("/a", &reply{react: func(r *origin.Request) *reply {
			return html(2000+len(r.Fields.Get("Foo")), "Vary: Foo", "Cache-Control: max-age=60")
		}})
		for _, word := range []string{"Miss", "Hit"} {
			for _, foo := range []string{"1", "22"} {
				for _, coding := range []string{"gzip", "br"} {
					v := w.get("/a", "Foo: "+foo, "Accept-Encoding: "+coding).decodes(t, coding, prose(2000+len(foo)))
					if !strings.HasPrefix(v.xcache(), word) || v.fields.Joined("Vary") != "Foo, Accept-Encoding" {
						t.Errorf("%s %s: %v", foo, coding, v.fields)
					}
				}
			}
		}
	})
}

func TestCompress_LegacySettingsKnowGzipOnly(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			b := p.Config.DefaultCacheBehavior
			b.CachePolicyId, b.Compress = nil, wire.Ptr(true)
			b.ForwardedValues = &wire.ForwardedValues{QueryString: wire.Ptr(true), Cookies: &wire.CookiePreference{Forward: wire.Ptr("none")}}
		})
		w.origin.on("/a", html(2000))
		w.get("/a", "Accept-Encoding: gzip, br, zstd").decodes(t, "gzip", prose(2000))
		w.get("/a", "Accept-Encoding: br").decodes(t, "", prose(2000))
	})
}
