package edge

import (
	"testing"
	"time"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
	"github.com/warmfront/warmfront/origin"
)

// An error page is made by who answers the viewer: what another edge is told is the error. Otherwise it would keep the page under
// the path of the error, where no invalidation of the page finds it (L3).
func TestL7_ErrorPageIsMadeForViewersOnly(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](404), ResponsePagePath: wire.Ptr("/page"), ResponseCode: wire.Ptr("200"), ErrorCachingMinTTL: wire.Ptr[int64](60)}}}
		})
		f.place("FRA50", "LHR50")
		f.origin.on("/gone", status(404, "none"))
		f.origin.on("/page", ok("v1"))
		f.at("FRA50-1").expect("200 Error v1", "/gone")
		f.origin.on("/page", ok("v2"))
		f.invalidate("/page")
		f.at("FRA50-1").expect("200 Error v2", "/gone")
		f.at("LHR50-1").expect("200 Error v2", "/gone")
	})
}

// A failure is kept no longer for its having come through another edge.
func TestTier_FailureIsAsOldAsThere(t *testing.T) {
	families(t, twoPlaces, func(f *family) {
		f.configure(func(p *journal.DistributionPut) {
			p.Config.CustomErrorResponses = &wire.CustomErrorResponses{Quantity: wire.Ptr[int64](1), Items: []wire.CustomErrorResponse{{
				ErrorCode: wire.Ptr[int64](504), ErrorCachingMinTTL: wire.Ptr[int64](60)}}}
		})
		f.place("FRA50", "LHR50")
		f.origin.on("/a", fails(origin.ReadTimeout))
		if v := f.at("LHR50-1").get("/a"); v.status != 504 {
			t.Errorf("%d", v.status)
		}
		f.origin.on("/a", ok("v1"))
		f.settle(50 * time.Second)
		if v := f.at("FRA50-1").get("/a"); v.status != 504 {
			t.Errorf("%d", v.status)
		}
		if o := f.at("FRA50-1").object("/a"); o == nil || f.at("FRA50-1").edge.clock()-began(o) < 50*time.Second {
			t.Error("it seems to be younger than it is")
		}
		f.settle(11 * time.Second)
		f.at("FRA50-1").expect("200 Miss v1", "/a")
	})
}
