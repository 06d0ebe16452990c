package edge

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/distribution"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// pair gives the distribution a second origin, whose paths begin with /2, in a group with the first.
func pair(codes ...int64) func(*journal.DistributionPut) {
	return func(p *journal.DistributionPut) {
		second := p.Config.Origins.Items[0]
		second.Id, second.OriginPath = wire.Ptr("o2"), wire.Ptr("/2")
		p.Config.Origins.Items = append(p.Config.Origins.Items, second)
		member := func(id string) wire.OriginGroupMember { return wire.OriginGroupMember{OriginId: &id} }
		p.Config.OriginGroups = &wire.OriginGroups{Items: []wire.OriginGroup{{
			Id:               wire.Ptr("g"),
			FailoverCriteria: &wire.OriginGroupFailoverCriteria{StatusCodes: &wire.StatusCodes{Items: codes}},
			Members:          &wire.OriginGroupMembers{Items: []wire.OriginGroupMember{member("o"), member("o2")}},
		}}}
		p.Config.DefaultCacheBehavior.TargetOriginId = wire.Ptr("g")
	}
}

// pairStory is a story with such a group, by either law.
func pairStory(t *testing.T, codes []int64, f func(t *testing.T, w *world)) {
	bothLaws(t, func(t *testing.T, w *world) {
		rfc := w.edge.snap.Load().sites.of("D1").RFC
		w.configure(func(p *journal.DistributionPut) {
			pair(codes...)(p)
			if rfc {
				p.Tags = map[string]string{distribution.TagSemantics: distribution.SemanticsRFC}
			}
		})
		f(t, w)
	})
}

// What of the first makes the second be asked, by the criteria.
func TestFailover_Criteria(t *testing.T) {
	for _, x := range []struct {
		first *reply
		codes []int64
		want  bool
	}{
		{status(500, "first"), []int64{500}, true},
		{status(500, "first"), []int64{404, 502}, false},
		{status(404, "first"), []int64{404}, true},
		{status(200, "first"), []int64{500}, false},
		{fails(origin.Connect), []int64{503}, true},
		{fails(origin.DNS), []int64{503}, true},
		{fails(origin.Connect), []int64{500, 502, 504}, false},
		{fails(origin.Busy), []int64{503}, true},
		{fails(origin.ConnectTimeout), []int64{503}, true},
		{fails(origin.ConnectTimeout), []int64{504}, true},
		{fails(origin.ReadTimeout), []int64{504}, true},
		{fails(origin.ReadTimeout), []int64{500, 502, 503}, false},
		{fails(origin.TLS), []int64{502}, true},
		{fails(origin.Closed), []int64{502}, true},
		{fails(origin.Invalid), []int64{502}, true},
		{fails(origin.HeaderTooBig), []int64{502}, true},
		{fails(origin.Closed), []int64{503, 504}, false},
		{fails(origin.Unsendable), []int64{500, 502, 503, 504}, false},
	} {
		pairStory(t, x.codes, func(t *testing.T, w *world) {
			w.origin.on("/a", x.first)
			w.origin.on("/2/a", ok("second", "Cache-Control: max-age=60"))
			v := w.get("/a")
			if got := v.text() == "second"; got != x.want || w.origin.times("/2/a") > 0 != x.want {
				t.Errorf("%+v with %v: second asked: %v", x.first, x.codes, got)
			}
			from := map[bool]string{true: "o2", false: "o"}[x.want]
			if got := w.last().Origin; got != from {
				t.Errorf("answered by %q, want %q", got, from)
			}
			if n := w.edge.Stats().Failovers; n > 0 != x.want {
				t.Errorf("%d failovers counted", n)
			}
		})
	}
}

// Every kind of failure has been thought of.
func TestFailover_KnowsEveryKind(t *testing.T) {
	for _, k := range origin.Kinds() {
		want := k != origin.Unsendable && k != origin.Canceled
		if k == origin.Down {
			continue // it counts as what it is down with
		}
		s := usual()
		pair(500, 502, 503, 504)(s)
		distribution.FillDefaults(s.Config)
		d, err := distribution.Compile(distribution.Source{Config: s.Config, CachePolicies: s.CachePolicies})
		if err != nil {
			t.Fatal(err)
		}
		if got := failsOver(d.Groups[0], nil, fails(k).err); got != want {
			t.Errorf("%v: %v, want %v", k, got, want)
		}
	}
}

func TestFailover_EveryFetchBeginsAtTheFirst(t *testing.T) {
	pairStory(t, []int64{500}, func(t *testing.T, w *world) {
		w.origin.on("/a", status(500, "broken"), ok("first"))
		w.origin.on("/2/a", ok("second", "Cache-Control: max-age=60", `ETag: "2"`))
		v := w.expect("200 Miss second", "/a")
		if v.fields.Has(fromField) {
			t.Errorf("viewers see %v", v.fields)
		}
		if v = w.expect("200 Hit second", "/a"); v.fields.Has(fromField) || w.last().Origin != "" {
			t.Errorf("viewers see %v, asked %q", v.fields, w.last().Origin)
		}
		if v = w.expect("304 Hit", "/a", `If-None-Match: "2"`); v.fields.Has(fromField) {
			t.Errorf("viewers see %v", v.fields)
		}
		w.settle(61 * time.Second)
		w.expect("200 Miss first", "/a")
	})
}

func TestFailover_IsExplained(t *testing.T) {
	pairStory(t, []int64{500}, func(t *testing.T, w *world) {
		w.origin.on("/a", status(500, "broken"))
		w.origin.on("/2/a", ok("second", "Cache-Control: max-age=60"))
		w.origin.on("/b", ok("first", "Cache-Control: max-age=60"))
		for path, want := range map[string]string{"/a": "o2", "/b": ""} {
			w.get(path)
			x, err := w.edge.Explain(Question{Distribution: "D1", Request: &request(path).Request})
			if err != nil || x.Stored == nil || x.Stored.Second != want {
				t.Errorf("%s: %+v, %v", path, x, err)
			}
		}
	})
}

func TestFailover_TheSecondsWordIsTheLast(t *testing.T) {
	pairStory(t, []int64{404, 503}, func(t *testing.T, w *world) {
		w.origin.on("/a", status(404, "no"))
		w.origin.on("/2/a", status(403, "nor here"))
		w.expect("403 Error nor here", "/a")
		w.origin.on("/b", fails(origin.Connect))
		w.origin.on("/2/b", fails(origin.ReadTimeout))
		w.expect("504 Error page", "/b")
		w.wantWhy("Error origin-read-timeout")
	})
}

// Validators mean something to the origin that has sent them, and to no other.
func TestFailover_ValidatorsGoToTheirOrigin(t *testing.T) {
	pairStory(t, []int64{500, 503}, func(t *testing.T, w *world) {
		const sorry = "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT"
		w.origin.on("/a", fails(origin.Connect))
		w.origin.on("/2/a", ok("sorry", "Cache-Control: max-age=1", sorry))
		w.expect("200 Miss sorry", "/a")
		w.settle(2 * time.Second)

		// The first is asked without a condition, the second with its own; the object stays the second's.
		w.origin.on("/2/a", status(304, "", "Cache-Control: max-age=1", sorry))
		w.expect("200 RefreshHit sorry", "/a")
		asked := w.origin.all()
		first, second := asked[len(asked)-2], asked[len(asked)-1]
		if first.Path != "/a" || first.Fields.Has("If-Modified-Since") {
			t.Errorf("the first was asked %+v", first)
		}
		if second.Path != "/2/a" || !second.Fields.Has("If-Modified-Since") {
			t.Errorf("the second was asked %+v", second)
		}
		w.settle(2 * time.Second)

		// The first is back. It was asked no question that 304 would answer.
		w.origin.on("/a", ok("first", "Cache-Control: max-age=1", `ETag: "f"`))
		w.expect("200 Miss first", "/a")
		if w.origin.last().Fields.Has("If-Modified-Since") {
			t.Error("the first was asked for the second's date")
		}
		w.settle(2 * time.Second)

		// And the second is not asked about what is the first's.
		w.origin.on("/a", status(500, "broken"))
		w.origin.on("/2/a", ok("sorry again", "Cache-Control: max-age=1"))
		w.expect("200 Miss sorry again", "/a")
		if w.origin.last().Fields.Has("If-None-Match") {
			t.Error("the second was asked for the first's tag")
		}
	})
}

// A part of the second's is not completed by the first.
func TestFailover_PartsAreOfOneOrigin(t *testing.T) {
	pairStory(t, []int64{500}, func(t *testing.T, w *world) {
		w.origin.on("/a", status(500, "broken"))
		w.origin.on("/2/a", &reply{react: func(*origin.Request) *reply {
			return status(206, "01", "Content-Range: bytes 0-1/4", `ETag: "1"`, "Cache-Control: max-age=60")
		}})
		w.expect("206 Miss 01", "/a", "Range: bytes=0-1")
		if v := w.expect("206 Hit 01", "/a", "Range: bytes=0-1"); v.fields.Has(fromField) || v.fields.Has(spanField) {
			t.Errorf("viewers see %v", v.fields)
		}
		w.origin.on("/a", ok("abcd", `ETag: "1"`, "Cache-Control: max-age=60"))
		w.expect("200 Miss abcd", "/a")
		if w.origin.last().Fields.Has("Range") {
			t.Error("the first was asked for the rest of the second's")
		}
	})
}

func TestFailover_StaleOnlyWhenBothFail(t *testing.T) {
	pairStory(t, []int64{500, 503}, func(t *testing.T, w *world) {
		w.origin.on("/a", ok("first", "Cache-Control: max-age=1, stale-if-error=600"))
		w.expect("200 Miss first", "/a")
		w.settle(2 * time.Second)
		w.origin.on("/a", fails(origin.Connect))
		w.origin.on("/2/a", fails(origin.Connect), ok("second"))
		w.expect("200 Hit first", "/a")
		w.wantWhy("Hit stale-on-error")
		w.settle(11 * time.Second)
		w.expect("200 Miss second", "/a")
	})
}

// The stamp is of the first question: a rule that comes before the second answers kills what it brings (S1).
func TestFailover_RuleInBetween(t *testing.T) {
	pairStory(t, []int64{500}, func(t *testing.T, w *world) {
		w.origin.on("/a", status(500, "broken"))
		old, gate := gated(ok("old", "Cache-Control: max-age=60"))
		w.origin.on("/2/a", old, ok("new", "Cache-Control: max-age=60"))
		v := w.ask("/a")
		w.invalidate("/a")
		close(gate)
		w.settle(0)
		if !v.over() {
			t.Fatal("not answered")
		}
		v.is(t, "200 Miss new")
		w.expect("200 Hit new", "/a")
	})
}

// What is not stored fails over as well; what may have an effect does not.
func TestFailover_PastTheCache(t *testing.T) {
	story(t, func(w *world) {
		w.configure(func(p *journal.DistributionPut) {
			pair(500)(p)
			p.Config.DefaultCacheBehavior.CachePolicyId = wire.Ptr("uncached")
			all := []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"} // validation would refuse them
			p.Config.DefaultCacheBehavior.AllowedMethods = &wire.AllowedMethods{Items: all}
		})
		w.origin.on("/a", status(500, "broken"))
		w.origin.on("/2/a", ok("second"))
		w.expect("200 Miss second", "/a")
		if got := w.last().Origin; got != "o2" {
			t.Errorf("answered by %q", got)
		}
		w.expect("200 Miss second", "OPTIONS /a")
		w.expect("500 Error broken", "POST /a", "body")
		w.expect("500 Error broken", "OPTIONS /a", "body")
	})
}

// A handshake too is given to the second.
func TestFailover_WebSocket(t *testing.T) {
	story(t, func(w *world) {
		w.configure(pair(503))
		w.origin.on("/a", fails(origin.Connect))
		w.origin.on("/2/a", status(426, "no WebSocket"))
		v := w.get("/a", shake...)
		if v.status != 426 || w.last().Origin != "o2" {
			t.Errorf("answered %d by %q", v.status, w.last().Origin)
		}
	})
}

// The body of a failure that stops to come keeps nobody waiting.
func TestFailover_TheFailureDoesNotEnd(t *testing.T) {
	pairStory(t, []int64{503}, func(t *testing.T, w *world) {
		stuck := status(503, "failing")
		stuck.rest = make(chan struct{})
		w.origin.on("/a", stuck)
		w.origin.on("/2/a", ok("second", "Cache-Control: max-age=60"))
		v := w.ask("/a")
		w.settle(drainTime)
		if !v.over() {
			t.Error("the second is not asked")
			close(stuck.rest)
			w.settle(0)
		}
		v.is(t, "200 Miss second")
	})
}
