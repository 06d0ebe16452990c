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
		for _, pace := range []string{`{"byLocation":{"pauseSeconds":-1}}`, `{"byLocation":{"pauseSeconds":1e300}}`, `{"byLocation":{"first":["nowhere"]}}`, `{"by":1}`, `1`, `{"requestsPerSecond":-1}`, `{"requestsPerSecond":1e9}`} {
			h.wantRefusal(400, "InvalidArgument", "POST", path, `{"items":["/a"],"pace":`+pace+`}`)
		}
	})
}

func TestPace_TheReceiptSaysHowFarItIs(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		for _, path := range []string{"/a/1", "/a/2", "/a/3"} {
			h.view(0, d, path)
		}
		path := "/distributions/" + d.ID + "/invalidations"
		made := ask[pacedT](h, 201, "POST", path, `{"items":["/a/*"],"pace":{"requestsPerSecond":0.5}}`)
		h.settle(2 * time.Second)
		type rowsT struct {
			Edges []struct{ Asked, Owed, Objects *int64 }
		}
		at := func() (rows rowsT) { return ask[rowsT](h, 200, "GET", path+"/"+made.ID+"/receipt", "") }
		if r := at(); *r.Edges[0].Objects != 3 || *r.Edges[0].Asked != 0 || *r.Edges[0].Owed != 3 || r.Edges[1].Asked != nil {
			t.Errorf("%+v", r)
		}
		h.view(0, d, "/a/1")
		if r := at(); *r.Edges[0].Asked != 1 || *r.Edges[0].Owed != 2 {
			t.Errorf("%d %d", *r.Edges[0].Asked, *r.Edges[0].Owed)
		}
	})
}
