package ownapi

import (
	"slices"
	"strings"
	"testing"
	"time"
)

type (
	matchT   struct{ InvalidationID, Item string }
	explainT struct {
		DistributionID, DomainName string
		Behavior                   struct {
			PathPattern string
			Precedence  int
			Origins     []string
		}
		CachePolicy *struct{ ID, Name string }
		CacheKey    struct{ Readable string }
		Subject     struct {
			Path, Query string
			Tags        []string
		}
		Edges []struct {
			Edge          string
			Stored, Fresh bool
			Status        int
			StoredAt      *time.Time
			AgeSeconds    int
			Memory, Disk  bool
			Hits          uint64
			MatchedBy     []matchT
		}
		WouldMatch []matchT
		Items      []struct {
			Item, Kind, Warning string
			Error               *struct{ Reason string }
			Matches             bool
			Edges               []string
		}
		Mode  string
		Where *struct{}
	}
)

func TestExplain(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		old := h.invalidate(d, "/img/*", "/other", "#img")
		h.settle(time.Second)
		h.view(0, d, "/img/a")
		h.view(0, d, "/img/a")
		h.settle(10 * time.Second)
		x := ask[explainT](h, 200, "POST", "/explain", `{"url":"HTTP://`+d.DomainName+`:8081/img/a?x=1#top"}`)
		if x.DistributionID != d.ID || x.DomainName != d.DomainName || x.Behavior.PathPattern != "*" || len(x.Behavior.Origins) != 1 || x.CachePolicy == nil || x.CachePolicy.Name != "Managed-CachingOptimized" ||
			x.CacheKey.Readable != "GET /img/a" || x.Subject.Path != "/img/a" || x.Subject.Query != "" || !slices.Equal(x.Subject.Tags, []string{"img"}) {
			t.Errorf("%+v", x)
		}
		if want := []matchT{{old.ID, "/img/*"}, {old.ID, "#img"}}; !slices.Equal(x.WouldMatch, want) {
			t.Errorf("%+v", x.WouldMatch)
		}
		if e := x.Edges[0]; !e.Stored || !e.Fresh || e.Status != 200 || e.StoredAt == nil || e.AgeSeconds != 10 || e.Hits != 1 || len(e.MatchedBy) != 0 {
			t.Errorf("%+v", e)
		}
		if e := x.Edges[1]; e.Stored || e.StoredAt != nil || e.MatchedBy == nil {
			t.Errorf("%+v", e)
		}
		same := ask[explainT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/img/a","headers":{"accept-encoding":"identity"}}`)
		if same.DistributionID != d.ID || !same.Edges[0].Stored {
			t.Errorf("%+v", same)
		}
		root := ask[explainT](h, 200, "POST", "/explain", `{"url":"https://`+d.DomainName+`"}`)
		if root.Subject.Path != "/index.html" {
			t.Errorf("%+v", root.Subject)
		}
	})
}

func TestExplain_Refusals(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		for _, body := range []string{
			`{}`,
			`{"url":"http://x/","distributionId":"` + d.ID + `","path":"/"}`,
			`{"url":"ftp://x/"}`,
			`{"url":"no url"}`,
			`{"distributionId":"` + d.ID + `","path":"a"}`,
			`{"distributionId":"` + d.ID + `","path":"/a b"}`,
			`{"distributionId":"` + d.ID + `","path":"/ä"}`,
			`{"distributionId":"` + d.ID + `","path":"/a\r\nX: y"}`,
			`{"distributionId":"` + d.ID + `","path":"/","headers":{"Host":"x"}}`,
			`{"distributionId":"` + d.ID + `","path":"/","headers":{"transfer-encoding":"chunked"}}`,
			`{"distributionId":"` + d.ID + `","path":"/","headers":{"a b":"x"}}`,
			`{"distributionId":"` + d.ID + `","path":"/","headers":{"A":"x\r\nB: y"}}`,
		} {
			h.wantRefusal(400, "InvalidArgument", "POST", "/explain", body)
		}
		h.wantRefusal(404, "NotFound", "POST", "/explain", `{"distributionId":"E0","path":"/"}`)
		h.wantRefusal(404, "NotFound", "POST", "/explain", `{"url":"http://elsewhere.example/"}`)
	})
}

// What would drop an object is said of each item, by the distribution's dialect, and what is not known of tags.
func TestExplain_WhatWouldDropIt(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(map[string]string{"warmfront:wildcards": "aws"})
		h.view(0, d, "/img/a")
		ask1 := func(path, items string) (said []string) {
			x := ask[explainT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"`+path+`","items":[`+items+`]}`)
			for _, i := range x.Items {
				s := i.Item + " " + i.Kind
				if i.Error != nil {
					s += " " + i.Error.Reason
				}
				if i.Matches {
					s += " matches"
				}
				if i.Warning != "" {
					s += " warning"
				}
				said = append(said, s)
			}
			return said
		}
		if got, want := ask1("/img/a", `"/img/*","/*a","#img","#other","~","/img/b"`), []string{
			"/img/* Prefix matches", "/*a Exact warning", "#img Tag matches", "#other Tag", "~  no-slash", "/img/b Exact",
		}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if got, want := ask1("/img/other", `"#img","/img/*"`), []string{"#img Tag warning", "/img/* Prefix matches"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if got := ask1("/img/a", ""); got != nil {
			t.Errorf("%q", got)
		}
		x := ask[explainT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/img/a"}`)
		if !x.Edges[0].Memory || x.Edges[0].Disk || x.Edges[1].Memory {
			t.Errorf("%+v", x.Edges)
		}
		h.wantRefusal(400, "InvalidArgument", "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/a","items":[`+strings.Repeat(`"/a",`, 100)+`"/a"]}`)
	})
}

func TestCheckPath_SaysHowACharacterIsWritten(t *testing.T) {
	for path, want := range map[string]string{"/a b": `Write " " as %20.`, "/ünï": `Write "ü" as %C3%BC.`, "/a\xff": `Write "\xff" as %FF.`, "/a\x7f": "%7F", "/a#b": "%23"} {
		if err := checkPath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
