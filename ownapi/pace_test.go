package ownapi

import (
	"testing"
	"time"
)

type pacedT struct {
	pastT
	Pace *struct {
		ByLocation *struct {
			First        []string
			PauseSeconds float64
		}
	}
	Waves []struct {
		Locations, Others []string
		Completed         *time.Time
	}
}

func TestPace_ByLocationAndWithdrawnOnTheWay(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		path := "/distributions/" + d.ID + "/invalidations"
		made := ask[pacedT](h, 201, "POST", path, `{"items":["/a"],"pace":{"byLocation":{"pauseSeconds":90.5}}}`)
		if made.Status != "InProgress" || made.Pace.ByLocation.PauseSeconds != 90.5 || len(made.Waves) != 1 || len(made.Waves[0].Locations) != 1 {
			t.Errorf("%+v %+v", made, made.Pace)
		}
		h.settle(time.Minute)
		type rowsT struct {
			Invalidation pacedT
			Edges        []struct{ Applied, Waits bool }
		}
		r := ask[rowsT](h, 200, "GET", path+"/"+made.ID+"/receipt", "")
		if len(r.Edges) != 2 || !r.Edges[0].Applied || r.Edges[0].Waits || r.Edges[1].Applied || !r.Edges[1].Waits || r.Invalidation.Waves[0].Completed == nil {
			t.Errorf("%+v", r)
		}
		gone := ask[pacedT](h, 200, "POST", path+"/"+made.ID+"/withdraw", "{}")
		if gone.Status != "Withdrawn" || len(gone.Waves) != 1 {
			t.Errorf("%+v", gone)
		}
		whole := ask[pacedT](h, 201, "POST", path, `{"items":["/a"],"pace":{"byLocation":{}}}`)
		h.settle(5 * time.Second)
		p := ask[pageT[pacedT]](h, 200, "GET", "/history?status=Completed", "")
		if len(p.Items) != 1 || p.Items[0].ID != whole.ID || len(p.Items[0].Waves) != 2 || len(p.Items[0].Waves[1].Others) != 1 {
			t.Errorf("%+v", p)
		}
		h.wantRefusal(409, "Conflict", "POST", path+"/"+whole.ID+"/withdraw", "{}")
		for _, pace := range []string{`{"byLocation":{"pauseSeconds":-1}}`, `{"byLocation":{"pauseSeconds":1e300}}`, `{"byLocation":{"first":["nowhere"]}}`, `{"by":1}`, `1`} {
			h.wantRefusal(400, "InvalidArgument", "POST", path, `{"items":["/a"],"pace":`+pace+`}`)
		}
	})
}
