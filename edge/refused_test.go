package edge

import (
	"net/netip"
	"testing"

	"github.com/warmfront/warmfront/httpserver"
	"github.com/warmfront/warmfront/internal/message"
)

func TestRefuse_IsToldLikeAnAnswer(t *testing.T) {
	story(t, func(w *world) {
		reasons := map[Reason]bool{}
		for _, reason := range httpserver.RefusalReasons() {
			v := &viewer{}
			w.edge.Refuse(v, &message.Request{Method: "GET", Remote: netip.MustParseAddrPort("192.0.2.1:99")}, 400, reason)
			x := w.last()
			if x.Status != 400 || x.Outcome != Failed || x.Bytes != int64(v.body.Len()) || x.Bytes == 0 || x.Distribution != "" {
				t.Errorf("%s: status %d, %v, %d octets", reason, x.Status, x.Outcome, x.Bytes)
			}
			if x.ID != v.fields.Get("X-Amz-Cf-Id") || x.Edge != "FRA50-1" || x.Request.Remote.Port() != 99 {
				t.Errorf("%s: %s at %s of %v", reason, x.ID, x.Edge, x.Request.Remote)
			}
			if _, known := refusals[reason]; !known || reasons[x.Reason] {
				t.Errorf("%s has no reason of its own: %v", reason, x.Reason)
			}
			reasons[x.Reason] = true
		}
		w.edge.Refuse(&viewer{}, &message.Request{Method: "HEAD"}, 503, httpserver.ReasonTooMany)
		w.wantWhy("CapacityExceeded too-many-connections")
		if n := w.last().Bytes; n != 0 {
			t.Errorf("HEAD: %d octets", n)
		}
	})
}

// Of what a Handler has had its visit tells, or nobody.
func TestRefuse_InAVisitsPlaceIsNotTold(t *testing.T) {
	story(t, func(w *world) {
		before := len(w.seen)
		v := &viewer{}
		w.edge.Refuse(v, nil, 408, httpserver.ReasonSlowBody)
		v.is(t, "408 Error page")
		if len(w.seen) != before {
			t.Errorf("told %v", w.last())
		}
	})
}
