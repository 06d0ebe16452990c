package ownapi

import (
	"testing"
	"time"
)

// Conditions come back from everywhere, and preview, receipt and explanation go by them.
func TestWhere(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(0, d, "/a")
		h.view(0, d, "/b")
		type whereT struct {
			Status, ContentType, Host []string
			StoredBefore              *time.Time
		}
		preview := func(where string) int64 {
			return ask[struct{ Total struct{ Objects int64 } }](h, 200, "POST", "/distributions/"+d.ID+"/preview", `{"items":["/*"],"where":`+where+`}`).Total.Objects
		}
		for where, want := range map[string]int64{
			`null`: 2, `{}`: 2, `{"status":["404"]}`: 0, `{"status":["2xx"],"host":["x.example"]}`: 2, `{"storedBefore":"1999-01-01T00:00:00Z"}`: 0,
		} {
			if got := preview(where); got != want {
				t.Errorf("preview of %s: %d, want %d", where, got, want)
			}
		}
		path := "/distributions/" + d.ID + "/invalidations"
		type madeT struct {
			pastT
			Where *whereT
		}
		none := ask[madeT](h, 201, "POST", path, `{"items":["/*"],"where":{"status":["404"]}}`)
		all := ask[madeT](h, 201, "POST", path, `{"items":["/a"],"where":{"status":["2XX"],"storedBefore":"2100-01-01T00:00:00+01:00"}}`)
		if w := all.Where; w == nil || w.Status[0] != "2xx" || w.StoredBefore.Format(time.RFC3339) != "2099-12-31T23:00:00Z" || w.Host == nil {
			t.Errorf("%+v", w)
		}
		h.settle(2 * time.Second)
		for _, c := range []struct {
			id   string
			want int64
		}{{none.ID, 0}, {all.ID, 1}} {
			r := ask[struct {
				Invalidation madeT
				Edges        []struct{ Objects *int64 }
			}](h, 200, "GET", path+"/"+c.id+"/receipt", "")
			if r.Invalidation.Where == nil || r.Edges[0].Objects == nil || *r.Edges[0].Objects != c.want {
				t.Errorf("receipt: %+v", r)
			}
		}
		type explainedT struct{ WouldMatch []struct{ Where *whereT } }
		x := ask[explainedT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/b"}`)
		if len(x.WouldMatch) != 0 {
			t.Errorf("what is stored with 200 is matched by %+v", x.WouldMatch)
		}
		x = ask[explainedT](h, 200, "POST", "/explain", `{"distributionId":"`+d.ID+`","path":"/none"}`)
		if len(x.WouldMatch) != 1 || x.WouldMatch[0].Where == nil {
			t.Errorf("what is not stored might be matched by %+v", x.WouldMatch)
		}
		for _, bad := range []string{`{"status":["4"]}`, `{"statuses":["404"]}`, `{"storedBefore":"yesterday"}`} {
			h.wantRefusal(400, "InvalidArgument", "POST", path, `{"items":["/a"],"where":`+bad+`}`)
			h.wantRefusal(400, "InvalidArgument", "POST", "/distributions/"+d.ID+"/preview", `{"items":["/a"],"where":`+bad+`}`)
		}
	})
}
