package ownapi

import (
	"strings"
	"testing"
	"time"
)

type pastT struct {
	invalidationT
	DistributionID, CallerReference, Comment string
	CreateTime                               time.Time
	TookMs                                   float64
	Edges                                    []struct {
		Edge    string
		Applied bool
		Objects *int64
	}
}

func TestHistory_WhatWasCreatedWithAComment(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(0, d, "/a/1")
		path := "/distributions/" + d.ID + "/invalidations"
		body := `{"items":["/a/*"],"callerReference":"deploy 7","comment":"the new logo"}`
		made := ask[pastT](h, 201, "POST", path, body)
		if made.Status != "InProgress" || made.Comment != "the new logo" || made.CallerReference != "deploy 7" || made.By.User != "user.administrator" {
			t.Errorf("%+v", made)
		}
		if again := ask[pastT](h, 201, "POST", path, body); again.ID != made.ID {
			t.Errorf("again: %+v", again)
		}
		if other := ask[pastT](h, 201, "POST", path, `{"items":["/b"]}`); other.ID == made.ID || other.CallerReference == "" {
			t.Errorf("without a reference: %+v", other)
		}
		h.settle(2 * time.Second)
		p := ask[pageT[pastT]](h, 200, "GET", "/history?text=LOGO&by=user.administrator&status=Completed&distribution="+d.ID, "")
		if len(p.Items) != 1 || p.Items[0].ID != made.ID || p.Items[0].CompletedTime == nil || len(p.Items[0].Edges) != 2 || *p.Items[0].Edges[0].Objects != 1 {
			t.Fatalf("%+v", p)
		}
		created := made.CreateTime.Format(time.RFC3339)
		for query, want := range map[string]int{"": 2, "?text=/b": 1, "?from=" + created: 2, "?before=" + created: 0, "?by=nobody": 0, "?status=InProgress": 0} {
			if p := ask[pageT[pastT]](h, 200, "GET", "/history"+query, ""); len(p.Items) != want {
				t.Errorf("%s: %d, want %d", query, len(p.Items), want)
			}
		}
		first := ask[pageT[pastT]](h, 200, "GET", "/history?max=1", "")
		if p := ask[pageT[pastT]](h, 200, "GET", "/history?marker="+first.NextMarker, ""); len(p.Items) != 1 || p.Items[0].ID != made.ID || p.NextMarker != "" {
			t.Errorf("the second page: %+v", p)
		}
	})
}

func TestHistory_Refusals(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		path := "/distributions/" + d.ID + "/invalidations"
		ask[pastT](h, 201, "POST", path, `{"items":["/a"],"callerReference":"r"}`)
		for body, code := range map[string]string{
			`{"items":[]}`: "InvalidArgument", `{"items":["/a"],"paths":[]}`: "InvalidArgument", `{}`: "InvalidArgument", `[`: "InvalidArgument",
			`{"items":["/a~"]}`: "InvalidArgument", `{"items":["/a"],"comment":"a\nb"}`: "InvalidArgument",
		} {
			h.wantRefusal(400, code, "POST", path, body)
		}
		h.wantRefusal(409, "InvalidationBatchAlreadyExists", "POST", path, `{"items":["/b"],"callerReference":"r"}`)
		h.wantRefusal(413, "BatchTooLarge", "POST", path, `{"items":["`+strings.Repeat(`/a","`, 3000)+`/a"]}`)
		h.wantRefusal(404, "NotFound", "POST", "/distributions/E0/invalidations", `{"items":["/a"]}`)
		for _, query := range []string{"?status=Done", "?from=yesterday", "?before=2026", "?marker=x", "?max=0", "?user=a"} {
			h.wantRefusal(400, "InvalidArgument", "GET", "/history"+query, "")
		}
		h.wantRefusal(404, "NotFound", "GET", "/history?distribution=E0", "")
	})
}

func TestSchedule_AtAndWithdraw(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		path := "/distributions/" + d.ID + "/invalidations"
		type planT struct {
			At, InForce, Withdrawn, LookedAt *time.Time
			When                             *condition
			Waiting                          string
		}
		type plannedT struct {
			pastT
			Plan *planT
		}
		when := time.Now().Add(time.Hour).UTC()
		made := ask[plannedT](h, 201, "POST", path, `{"items":["/a"],"at":"`+when.Format(time.RFC3339)+`"}`)
		if made.Status != "Scheduled" || !made.Plan.At.Equal(when) || made.Plan.InForce != nil || made.Plan.When != nil {
			t.Errorf("%+v %+v", made, made.Plan)
		}
		ask[receiptT](h, 200, "GET", path+"/"+made.ID+"/receipt", "")
		gone := ask[plannedT](h, 200, "POST", path+"/"+made.ID+"/withdraw", "{}")
		if gone.Status != "Withdrawn" || gone.Plan.Withdrawn == nil || gone.ID != made.ID {
			t.Errorf("%+v %+v", gone, gone.Plan)
		}
		waits := ask[plannedT](h, 201, "POST", path, `{"items":["/b"],"when":{"url":"http://origin.example.com/v","field":"ETag","value":"v2"}}`)
		h.settle(time.Second)
		p := ask[pageT[plannedT]](h, 200, "GET", "/history?status=Scheduled", "")
		if len(p.Items) != 1 || p.Items[0].ID != waits.ID || p.Items[0].Plan.Waiting != "this node looks at no origin" || p.Items[0].Plan.LookedAt == nil || p.Items[0].Plan.When.Value != "v2" {
			t.Errorf("%+v %+v", p, p.Items[0].Plan)
		}
		soon := ask[plannedT](h, 201, "POST", path, `{"items":["/c"],"at":"`+time.Now().Add(time.Minute).UTC().Format(time.RFC3339)+`"}`)
		h.settle(2 * time.Minute)
		h.wantRefusal(409, "Conflict", "POST", path+"/"+soon.ID+"/withdraw", "{}")
		h.wantRefusal(404, "NotFound", "POST", path+"/I0/withdraw", "{}")
		h.wantRefusal(400, "InvalidArgument", "POST", path+"/"+soon.ID+"/withdraw", `{"x":1}`)
		for _, body := range []string{
			`{"items":["/a"],"at":"1999-01-01T00:00:00Z"}`, `{"items":["/a"],"at":"soon"}`,
			`{"items":["/a"],"when":{"url":"http://elsewhere.example.com/","field":"ETag","value":"x"}}`,
			`{"items":["/a"],"when":{"url":"http://origin.example.com/"}}`,
		} {
			h.wantRefusal(400, "InvalidArgument", "POST", path, body)
		}
	})
}
