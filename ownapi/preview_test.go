package ownapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmfront/warmfront/edge"
)

type (
	countT struct {
		Objects, Bytes    int64
		RequestsPerMinute float64
		OriginRequests    float64
		Edges             []struct {
			Edge              string
			Objects, Bytes    int64
			RequestsPerMinute float64
		}
	}
	previewT struct {
		Items []struct {
			Item, Kind, Warning string
			Error               *struct{ Reason, Hint string }
			countT
			Sample []string
		}
		Total countT
	}
)

func TestPreview(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		for _, path := range []string{"/img/a", "/img/b", "/css/x.css"} {
			h.view(0, d, path)
			h.view(0, d, path)
		}
		h.view(0, d, "/img/a")
		h.view(0, d, "/img/a")
		h.view(1, d, "/img/a")
		h.settle(10 * time.Second)
		lines, _ := json.Marshal(map[string]any{"items": []string{"/img/*", "/*.css", "#IMG", "/img/a", "img", "/a/*/b*", "/none"}})
		p := ask[previewT](h, 200, "POST", "/distributions/"+d.ID+"/preview", string(lines))
		for i, want := range []string{"Prefix 3 18 4 2", "Suffix 1 10 1 1", "Tag 3 18 4 2", "Exact 2 12 3 1", " 0 0 0 0", "Wildcard 0 0 0 0", "Exact 0 0 0 0"} {
			x := p.Items[i]
			if got := fmt.Sprint(x.Kind, " ", x.Objects, " ", x.Bytes, " ", x.RequestsPerMinute, " ", x.OriginRequests); got != want {
				t.Errorf("%s: %s, want %s", x.Item, got, want)
			}
		}
		if x := p.Items[4]; x.Error == nil || x.Error.Reason != "no-slash" || x.Error.Hint == "" {
			t.Errorf("%+v", x)
		}
		if x := p.Items[0]; len(x.Edges) != 2 || x.Edges[0].Objects != 2 || x.Edges[1].Objects != 1 || len(x.Sample) != 2 || !slices.Contains(x.Sample, "/img/b") {
			t.Errorf("%+v", x)
		}
		if p.Total.Objects != 4 || p.Total.Bytes != 28 || p.Total.RequestsPerMinute != 5 || p.Total.OriginRequests != 3 || p.Total.Edges[1].Objects != 1 ||
			p.Total.Edges[0].RequestsPerMinute != 5 || p.Total.Edges[1].RequestsPerMinute != 0 {
			t.Errorf("%+v", p.Total)
		}
		if h.view(0, d, "/img/a") != "Hit" {
			t.Error("the preview had an effect")
		}
	})
}

func TestPreview_TheDialectAndTheTagsOfTheDistribution(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(map[string]string{"warmfront:wildcards": "aws"})
		h.view(0, d, "/css/x.css")
		p := ask[previewT](h, 200, "POST", "/distributions/"+d.ID+"/preview", `{"items":["/*.css","/css/*"]}`)
		if x := p.Items[0]; x.Kind != "Exact" || x.Objects != 0 || !strings.Contains(x.Warning, "literally") {
			t.Errorf("%+v", x)
		}
		if x := p.Items[1]; x.Objects != 1 || x.Warning != "" {
			t.Errorf("%+v", x)
		}
		if w := newPreview([]string{"#news"}, nil, false).body.Items[0].Warning; !strings.Contains(w, "no cache tag header") {
			t.Error(w)
		}
	})
}

func TestPreview_Refusals(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		many, _ := json.Marshal(map[string]any{"items": slices.Repeat([]string{"/a"}, 3001)})
		h.wantRefusal(413, "BatchTooLarge", "POST", "/distributions/"+d.ID+"/preview", string(many)) // as the invalidation would be
		h.wantRefusal(400, "InvalidArgument", "POST", "/distributions/"+d.ID+"/preview", `{"items":[]}`)
		h.wantRefusal(404, "NotFound", "POST", "/distributions/E0/preview", `{"items":["/a"]}`)
		for range maxScans {
			h.scans <- struct{}{}
		}
		h.wantRefusal(429, "Throttling", "POST", "/distributions/"+d.ID+"/preview", `{"items":["/a"]}`)
		h.wantRefusal(429, "Throttling", "GET", "/distributions/"+d.ID+"/popular", "")
	})
}

// told is an edge that notes what it is asked about.
type told struct {
	Edge
	of *[]*edge.Selection
}

func (x told) Preview(ctx context.Context, distribution string, of *edge.Selection) (*edge.Preview, error) {
	*x.of = append(*x.of, of)
	return x.Edge.Preview(ctx, distribution, of)
}

// All edges are asked about the same thing, which is made ready once.
func TestPreview_IsMadeReadyForAllEdgesAtOnce(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		var of []*edge.Selection
		for i := range h.cfg.Places {
			p := &h.cfg.Places[i]
			p.Edge = told{p.Edge, &of}
		}
		ask[previewT](h, 200, "POST", "/distributions/"+d.ID+"/preview", `{"items":["/img/*","/a*b","/c"]}`)
		if len(of) != len(edgeNames) || len(of[0].Items) != 3 {
			t.Fatalf("%d edges were asked: %+v", len(of), of)
		}
		for _, x := range of {
			if x != of[0] {
				t.Error("an edge has got a selection of its own")
			}
		}
	})
}

// Edge by edge, what was announced is what was dropped.
func TestPreview_AndReceiptSayTheSame(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		for i, path := range []string{"/img/a", "/img/bb", "/other", "/css/x.css", "/img/a"} {
			h.view(i%2, d, path)
		}
		p := ask[previewT](h, 200, "POST", "/distributions/"+d.ID+"/preview", `{"items":["/img/*","/*.css","#img"]}`)
		inv := h.invalidate(d, "/img/*", "/*.css", "#img")
		h.settle(2 * time.Second)
		r := ask[receiptT](h, 200, "GET", "/distributions/"+d.ID+"/invalidations/"+inv.ID+"/receipt", "")
		if len(r.Edges) != 2 || p.Total.Objects == 0 {
			t.Fatalf("%+v %+v", p.Total, r)
		}
		for i, e := range r.Edges {
			if said := p.Total.Edges[i]; e.Edge != said.Edge || !e.Counted || *e.Objects != said.Objects || *e.Bytes != said.Bytes {
				t.Errorf("%s: announced %d objects, %d octets; dropped %d, %d", e.Edge, said.Objects, said.Bytes, *e.Objects, *e.Bytes)
			}
		}
	})
}
