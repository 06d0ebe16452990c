package ownapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmfront/warmfront/control"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// What the tests read of answers.
type (
	invalidationT struct {
		ID, Status    string
		CompletedTime *time.Time
		Items         []string
		ItemCount     int
		By            struct{ User, AccessKey, Address string }
	}
	pageT[T any] struct {
		Items      []T
		NextMarker string
	}
	receiptT struct {
		Invalidation struct {
			invalidationT
			DistributionID, CallerReference string
		}
		Edges []struct {
			Edge, Lagging    string
			Applied, Counted bool
			At               *time.Time
			Objects, Bytes   *int64
			TookMs           float64
		}
		EdgeCount int
	}
)

func TestInvalidations_WithWho(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		first, second := h.invalidate(d, "/a", "/b/*"), h.invalidate(d, "/c")
		h.settle(time.Second)
		path := "/distributions/" + d.ID + "/invalidations"
		p := ask[pageT[invalidationT]](h, 200, "GET", path+"?max=1", "")
		if len(p.Items) != 1 || p.Items[0].ID != second.ID || p.NextMarker != second.ID {
			t.Fatalf("%+v", p)
		}
		p = ask[pageT[invalidationT]](h, 200, "GET", path+"?max=1&marker="+p.NextMarker, "")
		if got := p.Items[0]; got.ID != first.ID || got.ItemCount != 2 || got.Items[1] != "/b/*" || got.Status != "Completed" || got.CompletedTime == nil ||
			got.By.User != "ops" || got.By.AccessKey != "AKIDOPS" || got.By.Address != "192.0.2.9" || p.NextMarker != "" {
			t.Errorf("%+v", p)
		}
		h.wantRefusal(404, "NotFound", "GET", "/distributions/E0/invalidations", "")
		h.wantRefusal(400, "InvalidArgument", "GET", path+"?marker=I0", "")
	})
}

func TestReceipt_CountsWhatWasDropped(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(0, d, "/img/a")
		h.view(0, d, "/img/bb")
		h.view(0, d, "/other")
		h.view(1, d, "/other")
		inv := h.invalidate(d, "/img/*")
		h.settle(2 * time.Second)
		r := ask[receiptT](h, 200, "GET", "/distributions/"+d.ID+"/invalidations/"+inv.ID+"/receipt", "")
		if r.Invalidation.ID != inv.ID || r.Invalidation.DistributionID != d.ID || r.Invalidation.CallerReference != inv.CallerReference || len(r.Edges) != 2 {
			t.Fatalf("%+v", r)
		}
		for i, want := range [][2]int64{{2, 13}, {0, 0}} {
			e := r.Edges[i]
			if e.Edge != edgeNames[i] || !e.Applied || e.At == nil || !e.Counted || e.Objects == nil || *e.Objects != want[0] || *e.Bytes != want[1] {
				t.Errorf("%+v, want %v", e, want)
			}
		}
		h.wantRefusal(404, "NotFound", "GET", "/distributions/"+d.ID+"/invalidations/I0/receipt", "")
	})
}

// The journal keeps no line of each of hundreds of edges: those remember themselves what they did. The history does not ask them.
func TestReceipt_OfMoreEdgesThanTheJournalNames(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.view(1, d, "/img/a")
		var all sync.WaitGroup
		for i := range journal.CompletedEdges {
			all.Go(func() {
				if _, err := h.control.Join(h.t.Context(), journal.EdgeJoined{Edge: fmt.Sprintf("SIN%03d", i), Location: "SIN50", Incarnation: "x"}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		inv := h.invalidate(d, "/img/*")
		h.settle(time.Minute)
		total := journal.CompletedEdges + len(edgeNames)
		r := ask[receiptT](h, 200, "GET", "/distributions/"+d.ID+"/invalidations/"+inv.ID+"/receipt", "")
		if r.Invalidation.Status != control.Completed || r.EdgeCount != total || len(r.Edges) != total {
			t.Fatalf("%s, for %d edges, %d lines; want %d", r.Invalidation.Status, r.EdgeCount, len(r.Edges), total)
		}
		for i, objects := range []int64{0, 1} {
			e := r.Edges[i]
			if e.Edge != edgeNames[i] || !e.Applied || !e.Counted || e.At == nil || *e.Objects != objects || e.TookMs > 1000 {
				t.Errorf("%+v", e)
			}
		}
		if e := r.Edges[2]; e.Edge != "SIN000" || e.Applied || e.Objects != nil {
			t.Errorf("%+v", e)
		}
		p := ask[pageT[receiptT]](h, 200, "GET", "/history", "")
		if got := p.Items[0]; got.EdgeCount != total || len(got.Edges) != journal.CompletedEdges {
			t.Errorf("the history has %d lines of %d edges", len(got.Edges), got.EdgeCount)
		}
	})
}

// An edge that this process does not have, and that does not answer.
func TestReceipt_OfAnEdgeElsewhere(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		if _, err := h.control.Join(h.t.Context(), journal.EdgeJoined{Edge: "NRT57-P3", Location: "NRT57-P3", Incarnation: "x"}); err != nil {
			t.Fatal(err)
		}
		inv := h.invalidate(d, "/*")
		h.settle(5 * time.Second)
		r := ask[receiptT](h, 200, "GET", "/distributions/"+d.ID+"/invalidations/"+inv.ID+"/receipt", "")
		if r.Invalidation.Status != control.InProgress || len(r.Edges) != 3 {
			t.Fatalf("%+v", r)
		}
		if e := r.Edges[2]; e.Edge != "NRT57-P3" || e.Applied || e.At != nil || e.Objects != nil || e.Counted || !strings.Contains(e.Lagging, "waited for") {
			t.Errorf("%+v", e)
		}
		type nodesT struct {
			Edges []struct {
				Edge, URL, Lease string
				Joined, Heard    *time.Time
				Behind           uint64
				Ready            bool
				Cache            struct{ Capacity int64 }
			}
		}
		n := ask[nodesT](h, 200, "GET", "/nodes", "")
		if e := n.Edges[0]; e.Edge != edgeNames[0] || e.URL == "" || e.Lease != "fresh" || !e.Ready || e.Joined == nil || e.Cache.Capacity != 8<<20 {
			t.Errorf("%+v", e)
		}
		if e := n.Edges[2]; e.URL != "" || e.Behind == 0 || e.Ready || e.Heard == nil {
			t.Errorf("%+v", e)
		}
		h.settle(time.Minute)
		n = ask[nodesT](h, 200, "GET", "/nodes", "")
		if n.Edges[0].Lease != "fresh" || n.Edges[2].Lease != "expired" {
			t.Errorf("%+v", n)
		}
	})
}

type outages []origin.Outage

func (o outages) Down() []origin.Outage { return o }

func TestNodes_OneThatDoesNotTakePart(t *testing.T) {
	at(t, func(h *house) {
		h.cfg.Places = append(h.cfg.Places, Place{Name: "AAA1-P1", Location: "AAA1-P1", URL: "http://127.0.0.1:2", Edge: Local(h.newEdge("AAA1-P1", h.log, nil, nil)), Origins: outages{
			{Address: "b.example:80", Since: time.Now(), Failure: &origin.Error{Kind: origin.ConnectTimeout}},
			{Address: "a.example:80", Since: time.Now(), Failure: &origin.Error{Kind: origin.DNS}},
		}})
		type nodesT struct {
			Edges []struct {
				Edge, Lease string
				Joined      *time.Time
				Ready       bool
				OriginsDown []struct {
					Address, Failure string
					Since            time.Time
				}
			}
		}
		n := ask[nodesT](h, 200, "GET", "/nodes", "")
		if down := n.Edges[0].OriginsDown; len(down) != 2 || down[0].Address != "a.example:80" || down[0].Failure != "DNS" || down[1].Failure != "ConnectTimeout" || !down[0].Since.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("%+v", down)
		}
		if down := n.Edges[1].OriginsDown; down == nil || len(down) > 0 {
			t.Errorf("no list, but %v", down)
		}
		if len(n.Edges) != 3 || n.Edges[0].Edge != "AAA1-P1" || n.Edges[0].Joined != nil || n.Edges[0].Ready || n.Edges[0].Lease != "expired" {
			t.Errorf("%+v", n)
		}
	})
}

func TestAbout(t *testing.T) {
	at(t, func(h *house) {
		a := ask[struct {
			Version, Suffix, AccountID string
			Edges                      []struct{ Name, URL string }
			Demo                       *struct{ DistributionID string }
		}](h, 200, "GET", "/about", "")
		if a.Version != "v0.0.0-test" || a.AccountID != "000000000000" || len(a.Edges) != 2 || a.Edges[0].Name != edgeNames[0] || a.Demo == nil || a.Demo.DistributionID != "EDEMO" {
			t.Errorf("%+v", a)
		}
		h.cfg.Demo = nil
		ask[any](h, 200, "GET", "/about", "")
	})
}

func TestAudit(t *testing.T) {
	at(t, func(h *house) {
		d := h.create(nil)
		h.invalidate(d, "/*")
		type entryT struct {
			Action, Resource string
			By               struct{ User, Address string }
			Seq              uint64
		}
		var got []string
		marker := ""
		for {
			p := ask[pageT[entryT]](h, 200, "GET", "/audit?max=1&marker="+marker, "")
			for _, e := range p.Items {
				got = append(got, e.Action+" "+e.By.User)
			}
			if marker = p.NextMarker; marker == "" {
				break
			}
		}
		if want := "CreateInvalidation ops,CreateDistribution ops,EdgeJoined ,EdgeJoined "; strings.Join(got, ",") != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
