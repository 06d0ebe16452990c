package edge

import (
	"testing"

	"github.com/warmfront/warmfront/cloudfront/wire"
	"github.com/warmfront/warmfront/journal"
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
